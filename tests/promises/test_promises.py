"""What is promised of any lake, on generated files: this repository is all that is needed."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

import lake
from lake.lake import Lake
from lake.query.sql import literal
from tests.faults.example import (
    FEBRUARY,
    FEBRUARY_AGAIN,
    JANUARY,
    Project,
    daily,
    publish_again,
    write_month,
)
from tests.promises.conftest import Walked

BEFORE, AFTER = (*JANUARY, *FEBRUARY), (*JANUARY, *FEBRUARY_AGAIN)
DAILY = "SELECT month, day::VARCHAR, trips, revenue FROM curated.daily ORDER BY day"
META = ("commits", "datasets", "versions", "files", "columns", "checks", "loads")


def ask(lk: Lake, query: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = lk.sql(query).fetchall()
    return found


def test_months_that_drift_are_read_as_one_table(made: Walked) -> None:
    lk = made.open()
    found = ask(lk, "SELECT count(*), sum(fare), count(fee) FROM raw.trips")
    assert found == [(len(BEFORE), sum(trip.fare for trip in BEFORE), len(FEBRUARY))]
    types = ask(
        lk,
        "SELECT type, file_type, rule FROM meta.columns WHERE dataset = 'raw.trips'"
        " AND \"column\" = 'passengers' ORDER BY first_version",
    )
    assert [row[:2] for row in types] == [("DOUBLE", "BIGINT"), ("DOUBLE", "DOUBLE")]


def test_a_row_lies_in_the_month_of_its_pickup_whatever_file_it_came_in(made: Walked) -> None:
    lk = made.open()
    found = ask(lk, "SELECT id, month FROM curated.trips ORDER BY id")
    assert found == [(trip.id, trip.pickup[:7]) for trip in BEFORE]
    assert ask(lk, "SELECT month FROM raw.trips WHERE id = 4") == [("2024-02",)]
    assert ask(lk, DAILY) == daily(BEFORE)


def test_the_same_bytes_again_do_nothing(made: Walked) -> None:
    lk = made.open()
    before = lk.commit
    assert [one.outcome for one in lk.land_sources()] == ["unchanged"] * 3
    done = lk.transform()
    assert ([run.status for run in done.runs], done.commit) == (["unchanged"] * 2, None)
    assert [(one.loaded, one.removed, one.unchanged) for one in lk.load()] == [((), (), 2)]
    assert made.open().commit == before == lk.commit


def test_publishing_one_month_again_runs_what_it_touches_and_nothing_else(made: Walked) -> None:
    lk = made.open()
    publish_again(made.root)
    landings = lk.land_sources()
    assert [(one.outcome, one.version) for one in landings] == [
        ("unchanged", 1),
        ("landed", 2),
        ("unchanged", 1),
    ]
    trips, revenue = lk.transform().runs
    assert (trips.built, trips.changed) == (1, ("month=2024-02",))
    assert (revenue.built, revenue.changed) == (1, ("month=2024-02",))
    assert [one.loaded for one in lk.load()] == [("month=2024-02",)]
    assert ask(lk, DAILY) == daily(AFTER)
    built = "SELECT partition, max(version) FROM meta.versions WHERE dataset = 'curated.daily'"
    assert ask(lk, f"{built} GROUP BY ALL ORDER BY ALL") == [
        ("month=2024-01", 1),
        ("month=2024-02", 2),
    ]


def test_a_row_that_the_source_takes_back_leaves_the_other_month_too(made: Walked) -> None:
    """Trip 4 came with February and lies in January: without it, only January changes."""
    rest = [trip for trip in FEBRUARY if trip.id != 4]
    write_month(made.root, "2024-02", rest, passengers="DOUBLE", fee=True)
    lk = made.open()
    lk.land_sources()
    trips, revenue = lk.transform().runs
    assert (trips.built, trips.changed) == (1, ("month=2024-01",))
    assert (revenue.built, revenue.changed) == (1, ("month=2024-01",))
    assert ask(lk, DAILY) == daily([*JANUARY, *rest])


def test_a_former_commit_gives_its_former_answers(made: Walked) -> None:
    lk = made.open()
    before = lk.commit
    lk.tag("closed")
    publish_again(made.root)
    lk.land_sources()
    lk.transform()
    assert ask(lk, DAILY) == daily(AFTER)
    for when in (before, str(before), "closed"):
        assert ask(lk.at(when), DAILY) == daily(BEFORE)
    assert ask(lk.at(1), "SELECT count(*) FROM raw.trips") == [(len(BEFORE),)]
    assert ask(made.open().at(before), "SELECT max(commit) FROM meta.commits") == [(before,)]


def test_every_version_is_given_back_byte_for_byte(made: Walked, tmp_path: Path) -> None:
    first = made.source("trips_2024-02.parquet").read_bytes()
    publish_again(made.root)
    second = made.source("trips_2024-02.parquet").read_bytes()
    lk = made.open()
    lk.land_sources()
    for address, wanted in (
        ("raw.trips/month=2024-02", second),
        ("raw.trips/month=2024-02@v2", second),
        ("raw.trips/month=2024-02@v1", first),
        ("raw.zones", made.source("zones.csv").read_bytes()),
    ):
        (path,) = lk.get(address, tmp_path / address.replace("/", "_"))
        assert path.read_bytes() == wanted


STOCK = """
import duckdb, sys
con = duckdb.connect()
con.execute("ATTACH '" + sys.argv[1] + "' AS acme (READ_ONLY)")
print(con.execute("SELECT sum(revenue), sum(trips)::BIGINT FROM acme.curated.daily").fetchall())
print(con.execute("SELECT count(*), sum(fare) FROM acme.raw.trips").fetchall())
print([con.execute(f"SELECT count(*) > 0 FROM acme.meta.{name}").fetchone()[0]
       for name in sys.argv[2:]])
print(sorted(name for name in sys.modules if name.split(".")[0] in ("lake", "storage_backends")))
"""


def test_a_stock_duckdb_reads_the_catalog_file(made: Walked, tmp_path: Path) -> None:
    lk = made.open()
    lk.land_sources()
    path = made.root / ".lake" / "catalog.duckdb"
    lk.attach(path)
    done = subprocess.run(
        [sys.executable, "-c", STOCK, str(path), *META],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    total = sum(trip.fare for trip in BEFORE)
    assert done.stdout.splitlines() == [
        f"[(Decimal('{total}'), {len(BEFORE)})]",
        f"[({len(BEFORE)}, Decimal('{total}'))]",
        str([True] * len(META)),
        "[]",
    ]


@pytest.mark.parametrize("name", META)
def test_the_metadata_are_tables_too(made: Walked, name: str) -> None:
    assert ask(made.open(), f"SELECT count(*) > 0 FROM meta.{name}") == [(True,)]


def test_loads_and_checks_are_on_record(made: Walked) -> None:
    lk = made.open()
    loads = 'SELECT dataset, "table", warehouse, partitions, rows, loaded_commit FROM meta.loads'
    warehouse = f"duckdb:///{made.root.parent.parent / 'x'}".partition("///")[0] + "///"
    (load,) = ask(lk, loads)
    assert (load[:2], load[3:]) == (("curated.daily", "daily"), (2, 4, 3))
    assert load[2].startswith(warehouse)
    checks = 'SELECT "check", passed FROM meta.checks ORDER BY ALL'
    assert ask(lk, checks) == [("not_null_revenue", True), ("unique_day", True)]


def test_a_copy_of_the_folder_is_the_same_lake(made: Walked, tmp_path: Path) -> None:
    home = Path(shutil.copytree(made.root / ".lake", tmp_path / "elsewhere"))
    shutil.rmtree(made.root)
    lk = lake.open(str(home))
    assert ask(lk, DAILY) == daily(BEFORE)
    attached = lk.attach(home / "catalog.duckdb")
    with duckdb.connect() as stock:
        stock.execute(f"ATTACH {literal(str(attached))} AS acme (READ_ONLY)")
        found = stock.execute("SELECT sum(trips)::BIGINT FROM acme.curated.daily").fetchall()
    assert found == [(len(BEFORE),)]


def test_the_bucket_alone_is_enough(
    made: Walked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `lake.toml`, `models/` and every cache, the lake opens, and knows its models."""
    home = Path(shutil.copytree(made.root / ".lake", tmp_path / "bucket"))
    monkeypatch.chdir(home)
    shutil.rmtree(made.root)
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    (home / "catalog.duckdb").unlink()
    (home / "_lake" / "checkpoint.json").unlink()
    lk = lake.open(str(home))
    assert ask(lk, DAILY) == daily(BEFORE)
    assert [run.status for run in lk.transform().runs] == ["unchanged", "unchanged"]
    described = ask(lk, "SELECT description FROM meta.datasets WHERE dataset = 'curated.daily'")
    assert described == [("Revenue per day",)]


def test_a_kill_between_publishing_and_loading_is_completed_by_the_next_run(made: Walked) -> None:
    publish_again(made.root)
    killed = made.open()
    killed.land_sources()
    killed.transform()
    lk = Project(made.root).walk()
    with duckdb.connect(made.root / "warehouse.duckdb", read_only=True) as warehouse:
        rows = warehouse.execute(DAILY.replace("curated.daily", "daily")).fetchall()
    assert rows == daily(AFTER) == ask(lk, DAILY)
