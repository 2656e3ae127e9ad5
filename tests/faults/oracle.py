"""What must hold after any walk over the example, however often it was killed before."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

import lake
from lake import layout
from lake.errors import LakeError
from lake.lake import Lake
from tests.faults.example import FEBRUARY, FEBRUARY_AGAIN, JANUARY, ZONES, Trip, config_of, daily

Row = tuple[Any, ...]
DATASETS = ("curated.daily", "curated.trips", "raw.trips", "raw.zones")
SECOND = ("curated.daily", "curated.trips", "raw.trips")


def violations(root: Path, *, is_again: bool) -> list[str]:
    """Return how the lake, its `catalog.duckdb` and its warehouse differ from what they should be.

    Args:
        root: the project.
        is_again: whether the second month was published twice at the source.
    """
    trips = [*JANUARY, *(FEBRUARY_AGAIN if is_again else FEBRUARY)]
    lk = lake.open(config=config_of(root))
    connection = lk.connect()
    found = []
    for check in (_log, _versions, _objects, _rows, _gives_back, _warehouse, _catalog):
        try:
            sight = Sight(lk, connection, root, trips)
            found += [f"{check.__name__}: {line}" for line in check(sight)]
        except (LakeError, OSError, duckdb.Error) as exc:
            found.append(f"{check.__name__}: {type(exc).__name__}: {exc}")
    return found


@dataclass(frozen=True, slots=True)
class Sight:
    """What a check looks at: the lake, a connection with its views, the project, the rows sent."""

    lake: Lake
    connection: Any
    root: Path
    trips: list[Trip]

    def rows(self, query: str) -> list[Row]:
        found: list[Row] = self.connection.execute(query).fetchall()
        return found


def _differs(what: str, found: object, wanted: object) -> Iterator[str]:
    if found != wanted:
        yield f"{what} is {found}, and should be {wanted}"


def _log(at: Sight) -> Iterator[str]:
    keys = [item.key for item in at.lake.log.store.list(layout.LOG)]
    yield from _differs("the log", keys, [layout.commit(n + 1) for n in range(at.lake.commit)])


def _versions(at: Sight) -> Iterator[str]:
    """Every version once, in order, none held: a kill neither loses one nor makes one."""
    found = at.rows("SELECT dataset, partition, version, held FROM meta.versions ORDER BY ALL")
    wanted = [
        (dataset, partition, version, False)
        for dataset in DATASETS
        for partition in ([""] if dataset == "raw.zones" else ["month=2024-01", "month=2024-02"])
        for version in range(1, 3 if _twice(dataset, partition, at.trips) else 2)
    ]
    yield from _differs("meta.versions", found, wanted)


def _twice(dataset: str, partition: str, trips: list[Trip]) -> bool:
    is_again = len(trips) > len(JANUARY) + len(FEBRUARY)
    return is_again and partition == "month=2024-02" and dataset in SECOND


def _objects(at: Sight) -> Iterator[str]:
    """Every file that the log ever named is there, unchanged, with a receipt."""
    for key, digest in at.rows("SELECT key, sha256 FROM meta.files"):
        found = hashlib.sha256(at.lake.log.store.get(key)).hexdigest()
        yield from _differs(key, found, digest)
        at.lake.log.store.get(f"{key.rpartition('/')[0]}/{layout.RECEIPT}")


def _rows(at: Sight) -> Iterator[str]:
    names = ", ".join(Trip._fields).replace("pickup", "pickup::VARCHAR")
    raw = at.rows(f"SELECT {names} FROM raw.trips ORDER BY id")
    yield from _differs("raw.trips", raw, [tuple(trip) for trip in at.trips])
    zones = at.rows("SELECT id, name FROM raw.zones ORDER BY id")
    yield from _differs("raw.zones", zones, list(ZONES.items()))
    curated = at.rows("SELECT id, month, name FROM curated.trips ORDER BY id")
    wanted = [(trip.id, trip.pickup[:7], ZONES[trip.zone]) for trip in at.trips]
    yield from _differs("curated.trips", curated, wanted)
    yield from _differs("curated.daily", _daily(at.connection, "curated.daily"), daily(at.trips))


def _daily(connection: Any, table: str) -> list[Row]:
    found: list[Row] = connection.execute(
        f"SELECT month, day::VARCHAR, trips, revenue FROM {table} ORDER BY day"
    ).fetchall()
    return found


def _gives_back(at: Sight) -> Iterator[str]:
    """`get` gives the bytes of every version that the source ever sent."""
    sent = {
        "raw.trips/month=2024-01@v1": at.root / "source" / "trips_2024-01.parquet",
        "raw.trips/month=2024-02": at.root / "source" / "trips_2024-02.parquet",
        "raw.zones": at.root / "source" / "zones.csv",
    }
    if (at.root / "former").exists():
        sent["raw.trips/month=2024-02@v1"] = at.root / "former" / "trips_2024-02.parquet"
        sent["raw.trips/month=2024-02@v2"] = at.root / "source" / "trips_2024-02.parquet"
    for address, source in sent.items():
        with TemporaryDirectory() as folder:
            got = [path.read_bytes() for path in at.lake.get(address, folder)]
        if got != [source.read_bytes()]:
            yield f"{address} is not what {source.name} was"


def _warehouse(at: Sight) -> Iterator[str]:
    with duckdb.connect(at.root / "warehouse.duckdb", read_only=True) as connection:
        yield from _differs("the warehouse", _daily(connection, "daily"), daily(at.trips))
        ledger = connection.execute("SELECT partition FROM _lake_loads ORDER BY ALL").fetchall()
    yield from _differs("the ledger", ledger, [("month=2024-01",), ("month=2024-02",)])


def _catalog(at: Sight) -> Iterator[str]:
    """A DuckDB that knows nothing of us reads the same, at the same commit."""
    with duckdb.connect() as stock, TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.duckdb"
        at.lake.log.store.download("catalog.duckdb", path)
        at.lake.log.store.let_read(stock)
        stock.execute(f"ATTACH '{path}' AS acme (READ_ONLY)")
        yield from _differs("catalog.duckdb", _daily(stock, "acme.curated.daily"), daily(at.trips))
        newest = stock.execute("SELECT max(commit) FROM acme.meta.commits").fetchall()
    yield from _differs("the commit of catalog.duckdb", newest, [(at.lake.commit,)])
