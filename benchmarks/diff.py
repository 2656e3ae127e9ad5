"""Two versions of 3 million rows compared, beside one scan that reads all columns of both."""

from pathlib import Path

import duckdb

from benchmarks import places
from benchmarks.measure import Figure, interleaved, ratio, timed
from lake.lake import Lake
from lake.opening import init
from lake.operations.diff import diff

ROUNDS = 5
_KEYED = "SELECT row_number() OVER () AS id, * EXCLUDE (RatecodeID) FROM read_parquet('{}')"
# 3,000 rows get another tip, 600 are left out.
_LATER = (
    "SELECT * REPLACE (tip_amount + (id % 1000 = 7)::INTEGER AS tip_amount)"
    " FROM read_parquet('{}') WHERE id % 5000 <> 3"
)


def figures() -> list[Figure]:
    with places.scratch() as folder:
        before = _written(folder / "before.parquet", _KEYED.format(places.taxi_parquet()))
        after = _written(folder / "after.parquet", _LATER.format(before))
        lake = init(str(folder / "lake"))
        for path in (before, after):
            lake.land(path, dataset="raw.trips")
        with duckdb.connect(config={"threads": 2}) as connection:
            columns = [row[0] for row in connection.sql(f"DESCRIBE FROM '{before}'").fetchall()]
            each = ", ".join(f'sum(hash("{name}"))' for name in columns)
            both = f"SELECT {each} FROM read_parquet(['{before}', '{after}'])"
            scan, keyed, plain = interleaved(
                ROUNDS,
                lambda: timed(lambda: connection.execute(both).fetchall()),
                lambda: timed(lambda: _diff(lake, ("id",))),
                lambda: timed(lambda: _diff(lake, ())),
            )
    return [
        ratio("diff of 3 million rows by key : one scan of both", 3, keyed, scan),
        ratio("diff of 3 million rows as multisets : one scan of both", 3, plain, scan),
    ]


def _diff(lake: Lake, key: tuple[str, ...]) -> None:
    found = diff(lake, "raw.trips@v1", "raw.trips@v2", key=key)
    assert found.removed >= 600  # type: ignore[union-attr]


def _written(path: Path, select: str) -> Path:
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
    return path
