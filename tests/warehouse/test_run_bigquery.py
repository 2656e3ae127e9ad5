"""A lake loaded into BigQuery: what the log keeps of it, and how it is told."""

from dataclasses import replace
from pathlib import Path

import pytest

from lake.cli import main
from lake.config import Warehouse
from lake.lake import Lake
from lake.operations.balance import TableStatus
from lake.operations.status import status
from lake.warehouse.run import plan
from tests.lakes import again, land, model, new_lake, rows
from tests.warehouse.places import Place

WORDS = ('description = "Fares"', 'owner = "me"', 'partition_by = "month"', 'reads.x = "same"')


@pytest.fixture
def lk(tmp_path: Path, bigquery_warehouse: Place) -> Lake:
    """Two months of fares, and a dataset of BigQuery for them."""
    made = new_lake(tmp_path)
    warehouse = Warehouse(f"{bigquery_warehouse.url}?location=EU", ("fares",))
    lk = Lake(made.log, made.state, replace(made.config, warehouse=warehouse))
    land(lk, "raw.x", "SELECT 1 AS id, 10 AS fare", month="2024-01")
    land(lk, "raw.x", "SELECT 2 AS id, 20 AS fare", month="2024-02")
    model(lk, "fares", "SELECT * FROM raw.x", *WORDS)
    lk.transform()
    return lk


def test_a_lake_is_loaded_and_only_what_changed_again(lk: Lake, bigquery_warehouse: Place) -> None:
    (done,) = lk.load()
    assert (done.loaded, done.rows) == (("month=2024-01", "month=2024-02"), 2)
    land(lk, "raw.x", "SELECT 2 AS id, 21 AS fare", month="2024-02")
    lk.transform()
    assert plan(lk) == {"fares": ["month=2024-02"]}
    assert lk.load()[0].loaded == ("month=2024-02",)
    assert bigquery_warehouse.run("SELECT sum(fare)::INT FROM fares") == [(31,)]
    found = rows(again(lk), "SELECT DISTINCT warehouse FROM meta.loads")
    assert found == [(bigquery_warehouse.url,)]


def test_status_counts_rows_and_reconcile_mends_them(
    lk: Lake,
    bigquery_warehouse: Place,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = "2 partitions to load: month=2024-01, month=2024-02"
    assert status(lk).tables == (TableStatus("fares", 2, None, said),)
    lk.load()
    assert status(lk).tables == (TableStatus("fares", 2, 2, ""),)
    bigquery_warehouse.run("DELETE FROM fares WHERE id = 1")
    said = "load: 2 rows by the ledger; run lake load --reconcile fares"
    assert status(lk).tables == (TableStatus("fares", 2, 1, said),)
    monkeypatch.chdir(lk.config.root)
    url = bigquery_warehouse.url
    (lk.config.root / "lake.toml").write_text(
        f'[lake]\nurl = "./.lake"\n[warehouse]\nurl = "{url}"\nload = ["fares"]\n'
    )
    capsys.readouterr()
    assert main(("load", "--reconcile", "fares")) == 0
    assert capsys.readouterr().out == (
        "fares  month=2024-01: 1 published, 1 by the ledger, 0 in the table: 1 row missing,"
        " 0 too many\nfares  1 of 2 partitions written anew\n"
    )
    assert bigquery_warehouse.run("SELECT sum(fare)::INT FROM fares") == [(30,)]
