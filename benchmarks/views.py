"""Queries through a dataset's view, beside the same queries over the same files, read plainly.

Over three schemas the plain files are the 24 of one schema: the peer knows of no drift.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from benchmarks import places
from benchmarks.measure import Figure, Timed, interleaved, ratio, timed
from lake.lake import Lake
from lake.opening import init

ROUNDS = 9
# Queries that take 100 ms and more on two cores; of shorter ones, noise is measured.
_LONG = {
    "group by": "SELECT PULocationID, DOLocationID, count(*), sum(total_amount),"
    " avg(trip_distance), median(total_amount) FROM {} GROUP BY ALL",
    "10 columns": "SELECT sum(fare_amount), sum(extra), sum(mta_tax), stddev(tip_amount),"
    " sum(tolls_amount), median(total_amount), stddev(trip_distance), avg(passenger_count),"
    " max(tpep_dropoff_datetime), count(DISTINCT tpep_pickup_datetime) FROM {}",
    "per day": "SELECT tpep_pickup_datetime::DATE AS day, count(*), median(total_amount),"
    " quantile_cont(tip_amount, 0.9), median(trip_distance) FROM {} GROUP BY day",
}
_SHORT = {"one sum": "SELECT sum(total_amount) FROM {}", "count": "SELECT count(*) FROM {}"}
_TOP = {
    "top 10 of all": "SELECT * FROM {} ORDER BY total_amount DESC, tpep_pickup_datetime LIMIT 10"
}


def figures() -> list[Figure]:
    found = []
    plain = f"read_parquet({[str(path) for path in places.taxi_files()]}, hive_partitioning=false)"
    with places.scratch() as folder:
        one = _lake(folder / "one", places.taxi_files())
        drift = _lake(folder / "drift", places.drifting_files())
        wide = _lake(folder / "wide", places.widening_files())
        for name, query in _LONG.items():
            ours, theirs, over = _measured(query, plain, one, drift)
            found += [
                ratio(f"view over 24 files, {name}", 1.1, ours, theirs),
                _over_three(name, over, theirs),
            ]
        for name, query in _SHORT.items():
            _, theirs, over = _measured(query, plain, one, drift)
            found.append(_over_three(name, over, theirs))
        for name, query in _TOP.items():
            _, theirs, over = _measured(query, plain, one, wide)
            what = f"view over three schemas of the same columns, {name}"
            found.append(ratio(what, 1.5, over, theirs))
    return found


def _lake(path: Path, files: Sequence[Path]) -> Lake:
    lake = init(str(path))
    for number, file in enumerate(files):
        lake.land(file, dataset="raw.trips", partition={"part": f"{number:02}"})
    return lake


def _measured(query: str, plain: str, *lakes: Lake) -> list[list[float]]:
    """Return the seconds of the first lake, of the plain files, and of the other lakes."""
    first, *others = [_asked(lake.connect(), query.format("raw.trips")) for lake in lakes]
    plainly = _asked(duckdb.connect(), query.format(plain))
    return interleaved(ROUNDS, first, plainly, *others)


def _asked(connection: Any, query: str) -> Timed:
    connection.execute("SET threads = 2")
    connection.execute(query).fetchall()
    return lambda: timed(lambda: connection.execute(query).fetchall())


def _over_three(name: str, ours: list[float], theirs: list[float]) -> Figure:
    return ratio(f"view over three schemas, {name}", 1.3, ours, theirs, plus_s=0.02)
