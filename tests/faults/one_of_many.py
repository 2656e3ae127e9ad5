"""A writer or a reader among many; see `test_many_writers`.

Every file holds one tag, and as many rows as the tag says, so that a reader of two halves, or of a
half, sees it. What a process was told it writes down, one JSON document a line.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import duckdb

import lake
from lake.errors import LakeError, StoreUnavailable
from lake.lake import Lake
from lake.landing.order import Landing
from lake.query.sql import literal

TRIES = 5
Place = tuple[str, dict[str, str]]
SHARED: Place = ("raw.x", {"k": "shared"})
WHOLE = """
SELECT tag // 1000 AS writer, count(*)::BIGINT, min(tag), max(tag), sum(n)::BIGINT
FROM raw.x WHERE k = 'shared' GROUP BY 1
"""


def rows_of(tag: int) -> int:
    """Return how many rows the file of a tag has."""
    return 10 + tag % 17


def places(writer: int, turn: int, *, mixed: bool) -> Place:
    """Return where a turn lands: all into one, or by turns there, into its own, into another's."""
    if not mixed or turn % 3 == 0:
        return SHARED
    if turn % 3 == 1:
        return ("raw.x", {"k": f"own-{writer}"})
    return (f"raw.y{writer % 4}", {})


def write(folder: Path, tag: int) -> Path:
    """Write the file of a tag."""
    path = folder / f"{tag}.parquet"
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute(
            f"COPY (SELECT {tag} AS tag, range AS n FROM range({rows_of(tag)}))"
            f" TO {literal(str(path))} (FORMAT parquet)"
        )
    return path


def write_all(lk: Lake, folder: Path, writer: int, turns: int, *, mixed: bool) -> Iterator[Any]:
    """Land, turn by turn; give what was acknowledged."""
    for turn in range(turns):
        tag = writer * 1000 + turn
        dataset, partition = places(writer, turn, mixed=mixed)
        landing = _landed(lk, write(folder, tag), dataset, partition)
        yield tag, dataset, landing.partition, landing.commit, landing.version


def _landed(lk: Lake, path: Path, dataset: str, partition: dict[str, str]) -> Landing:
    """Land, and run the same again where a store that fails now and then gave no answer."""
    for _ in range(TRIES):
        with suppress(StoreUnavailable):
            return lk.land(path, dataset=dataset, partition=partition)
    return lk.land(path, dataset=dataset, partition=partition)


def read_all(lk: Lake, seed: int, last: int) -> Iterator[Any]:
    """Read the head and old snapshots until `last` is published; give what was seen in each."""
    random = Random(seed)
    while lk.commit < last:
        with suppress(StoreUnavailable):
            lk = lake.open(lk.url)
        number = lk.commit if random.random() < 0.7 else random.randint(0, lk.commit)
        snapshot = lk.at(number)
        if "raw.x" in snapshot.state.datasets:
            with suppress(LakeError):
                yield number, snapshot.sql(WHOLE).fetchall()


def main(asked: list[str]) -> None:
    """Write or read, and write down what came of it."""
    job, url, folder, number, count, kind = asked
    lk = lake.open(url)
    if job == "read":
        told = read_all(lk, int(number), int(count))
    else:
        told = write_all(lk, Path(folder), int(number), int(count), mixed=kind == "mixed")
    with (Path(folder) / f"{job}-{number}.jsonl").open("w", encoding="utf-8") as file:
        for one in told:
            file.write(json.dumps(one) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
