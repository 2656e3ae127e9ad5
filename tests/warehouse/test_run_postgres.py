"""A lake loaded into PostgreSQL: what the log keeps of it, and how it is told."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lake.cli import main
from lake.config import TableConfig, Warehouse
from lake.lake import Lake
from lake.operations.balance import TableStatus
from lake.operations.status import status
from lake.warehouse.declared import table_config
from lake.warehouse.run import plan, reconcile_tables
from tests.lakes import again, land, model, new_lake, rows
from tests.warehouse.places import Place

WORDS = (
    'description = "Fares"',
    'owner = "me"',
    'columns.fare = "In cents"',
    'partition_by = "month"',
    'reads.x = "same"',
)


@pytest.fixture
def lk(tmp_path: Path, postgres_warehouse: Place) -> Lake:
    """Two months of fares, and a warehouse in PostgreSQL for them."""
    made = new_lake(tmp_path)
    warehouse = Warehouse(postgres_warehouse.url, ("fares",))
    lk = Lake(made.log, made.state, replace(made.config, warehouse=warehouse))
    land(lk, "raw.x", "SELECT 1 AS id, 10 AS fare", month="2024-01")
    land(lk, "raw.x", "SELECT 2 AS id, 20 AS fare", month="2024-02")
    model(lk, "fares", "SELECT * FROM raw.x", *WORDS)
    lk.transform()
    return lk


def test_a_lake_is_loaded_and_only_what_changed_again(lk: Lake, postgres_warehouse: Place) -> None:
    (done,) = lk.load()
    assert (done.loaded, done.rows) == (("month=2024-01", "month=2024-02"), 2)
    found = postgres_warehouse.run(
        "SELECT id, fare, month FROM fares ORDER BY 1",
        "SELECT col_description('fares'::regclass, 2)",
    )
    assert found == [(1, 10, "2024-01"), (2, 20, "2024-02"), ("In cents",)]
    land(lk, "raw.x", "SELECT 2 AS id, 21 AS fare", month="2024-02")
    lk.transform()
    assert plan(lk) == {"fares": ["month=2024-02"]}
    assert lk.load()[0].loaded == ("month=2024-02",)
    assert postgres_warehouse.run("SELECT sum(fare)::int FROM fares") == [(31,)]


def test_the_log_keeps_the_warehouse_without_its_secrets(
    lk: Lake, postgres_warehouse: Place
) -> None:
    lk.load()
    password = postgres_warehouse.url.partition("@")[0].rpartition(":")[2]
    assert rows(again(lk), "SELECT warehouse FROM meta.loads") == [(postgres_warehouse.shown,)]
    entries = Path(lk.config.root / ".lake").rglob("*.json")
    assert not [path for path in entries if password in path.read_text()]


def test_a_lake_without_configuration_knows_how_its_tables_are_loaded(lk: Lake) -> None:
    table = TableConfig("fares", "merge", ("id",))
    config = replace(lk.config.warehouse, tables={"fares": table})
    lk.config = replace(lk.config, warehouse=config)
    lk.load()
    lk.config = replace(lk.config, warehouse=Warehouse(config.url))
    assert table_config(again(lk), "fares") == table


def test_status_counts_rows_from_the_source_to_the_warehouse(
    lk: Lake, postgres_warehouse: Place
) -> None:
    due = "2 partitions to load: month=2024-01, month=2024-02"
    assert status(lk).tables == (TableStatus("fares", 2, None, due),)
    lk.load()
    found = status(lk)
    assert [(r.dataset, r.source, r.landed, r.rejected) for r in found.landed] == [
        ("raw.x", 2, 2, 0)
    ]
    assert found.tables == (TableStatus("fares", 2, 2, ""),)
    postgres_warehouse.run("DELETE FROM fares WHERE id = 1")
    said = "load: 2 rows by the ledger; run lake load --reconcile fares"
    assert status(lk).tables == (TableStatus("fares", 2, 1, said),)
    assert [one.partition for one in reconcile_tables(lk)[0].differing] == ["month=2024-01"]
    assert status(lk).tables == (TableStatus("fares", 2, 2, ""),)


def test_status_goes_on_without_its_warehouse(lk: Lake) -> None:
    config = replace(lk.config.warehouse, url="postgresql://ada:kanari@127.0.0.1:1/x")
    lk.config = replace(lk.config, warehouse=config)
    (found,) = status(lk).tables
    assert found.state.startswith("warehouse postgresql://127.0.0.1:1/x cannot be reached (")
    assert "kanari" not in found.state


def test_reconcile_shows_and_mends_by_hand(
    lk: Lake,
    postgres_warehouse: Place,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(lk.config.root)
    monkeypatch.setenv("WAREHOUSE", postgres_warehouse.url)
    (lk.config.root / "lake.toml").write_text(
        '[lake]\nurl = "./.lake"\n[warehouse]\nurl = "${WAREHOUSE}"\nload = ["fares"]\n'
    )

    def run(*words: str) -> str:
        capsys.readouterr()
        assert main(("load", "--reconcile", *words)) == 0
        return capsys.readouterr().out

    main(("load",))
    postgres_warehouse.run("UPDATE fares SET fare = 7 WHERE id = 2")
    differs = (
        "fares  month=2024-02: 1 published, 1 by the ledger, 1 in the table: 1 row missing,"
        " 1 too many\n"
    )
    assert run("--plan") == f"{differs}fares  1 of 2 partitions differ; nothing was changed\n"
    (document,) = json.loads(run("--plan", "--json"))
    assert (document["table"], document["mended"]) == ("fares", False)
    assert run("fares") == f"{differs}fares  1 of 2 partitions written anew\n"
    assert run() == "fares  2 partitions: as published\n"
    assert postgres_warehouse.run("SELECT sum(fare)::int FROM fares") == [(30,)]


def test_what_is_not_installed_is_named_with_the_command() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None; from pathlib import Path;"
        " from lake.warehouse.url import parse; parse('postgresql://h/d', root=Path())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "lake.errors.MissingExtra: a warehouse in PostgreSQL needs psycopg, which is not"
        " installed: pip install 'clearlake[postgres]'"
    )
