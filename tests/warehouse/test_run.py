from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lake.catalog.entries import Remove
from lake.catalog.publish import Draft, publish
from lake.config import TableConfig, Warehouse
from lake.config.period import Periods
from lake.errors import (
    InvalidConfig,
    LoadRefused,
    NoSuchDataset,
    NoSuchTable,
    SeveralFailed,
)
from lake.lake import Lake
from lake.operations.status import status
from lake.warehouse.declared import table_config
from lake.warehouse.ledger import TABLES, TableLoaded
from lake.warehouse.run import load_tables, plan, warehouse_url
from storage_backends import Store
from tests.catalog.memory import MemoryStore
from tests.lakes import again, copy_of, land, model, rows, shared_lake

WORDS = ('description = "Fares"', 'owner = "me"')
JANUARY, FEBRUARY = "month=2024-01", "month=2024-02"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Two months of fares, published as `totals` and as `ids`."""
    with shared_lake(tmp_path_factory, load=("totals", "ids"), ids="marts.id_list") as lk:
        land(lk, "raw.x", "SELECT 1 AS id, 10 AS fare", month="2024-01")
        land(lk, "raw.x", "SELECT 2 AS id, 20 AS fare", month="2024-02")
        select = "SELECT month, sum(fare) AS fare FROM raw.x GROUP BY month"
        model(lk, "totals", select, 'partition_by = "month"', 'reads.x = "same"', *WORDS)
        model(lk, "ids", "SELECT id FROM raw.x", *WORDS)
        lk.transform()
        yield lk


@pytest.fixture
def lk(template: Lake, tmp_path: Path) -> Lake:
    return copy_of(template, tmp_path)


def held(lk: Lake, query: str = "FROM totals ORDER BY month") -> list[tuple[Any, ...]]:
    path = lk.config.root / "warehouse.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        found: list[tuple[Any, ...]] = connection.execute(query).fetchall()
    return found


def fare(lk: Lake, month: str, fare: int) -> None:
    land(lk, "raw.x", f"SELECT 2 AS id, {fare} AS fare", month=month)
    lk.transform()


def test_tables_are_loaded_beside_a_local_lake(lk: Lake) -> None:
    totals, ids = lk.load()
    assert (totals.table, totals.loaded, totals.rows) == ("totals", (JANUARY, FEBRUARY), 2)
    assert (ids.table, ids.loaded, ids.rows) == ("marts.id_list", ("",), 2)
    assert held(lk) == [(10, "2024-01"), (20, "2024-02")]
    assert held(lk, "FROM marts.id_list ORDER BY id") == [(1,), (2,)]


def test_only_changed_partitions_are_loaded_again(lk: Lake) -> None:
    lk.load()
    assert plan(lk) == {"totals": [], "ids": []}
    fare(lk, "2024-02", 21)
    assert plan(lk) == {"totals": [FEBRUARY], "ids": []}
    totals, ids = lk.load()
    assert (totals.loaded, totals.unchanged, ids.loaded) == ((FEBRUARY,), 1, ())
    assert held(lk) == [(10, "2024-01"), (21, "2024-02")]


def test_a_second_load_finds_nothing_and_notes_nothing(lk: Lake) -> None:
    lk.load()
    before = lk.commit
    for one in (lk, again(lk)):
        assert [(t.loaded, t.removed) for t in one.load()] == [((), ()), ((), ())]
        assert one.commit == before


def test_a_removed_partition_is_taken_out(lk: Lake) -> None:
    lk.load()
    change = Remove("raw.x", FEBRUARY)
    publish(lk.log, lk.state, lambda state: Draft([change]), commit_id=lk.new_id())
    lk.transform()
    assert plan(lk)["totals"] == [FEBRUARY]
    totals = lk.load(["totals"])[0]
    assert (totals.loaded, totals.removed, totals.rows) == ((), (FEBRUARY,), 1)
    assert held(lk) == [(10, "2024-01")]
    fare(lk, "2024-02", 5)
    lk.load()
    assert held(lk) == [(10, "2024-01"), (5, "2024-02")]


def test_a_load_of_some_periods_leaves_the_others_to_the_next_one(lk: Lake) -> None:
    february = Periods("2024-02", "2024-02")
    assert plan(lk, periods=february) == {"totals": [FEBRUARY], "ids": [""]}
    totals, ids = lk.load(since="2024-02", until="2024-02")
    assert (totals.loaded, totals.rows, ids.rows) == ((FEBRUARY,), 1, 2)
    assert plan(lk, periods=february) == {"totals": [], "ids": []}
    assert held(lk) == [(20, "2024-02")]
    due = "1 partition to load: month=2024-01"
    found = [(one.table, one.published, one.loaded, one.state) for one in status(lk).tables]
    assert found == [("totals", 2, 1, due), ("marts.id_list", 2, 2, "")]
    assert plan(lk) == {"totals": [JANUARY], "ids": []}
    assert [one.loaded for one in lk.load()] == [(JANUARY,), ()]
    assert held(lk) == [(10, "2024-01"), (20, "2024-02")]
    assert [one.state for one in status(lk).tables] == ["", ""]


def test_a_table_that_is_loaded_no_longer_is_told_until_it_is_dropped(lk: Lake) -> None:
    lk.load()
    config = lk.config.warehouse
    moved = replace(config, load=("totals",), tables={"totals": TableConfig("marts.totals")})
    lk.config = replace(lk.config, warehouse=moved)
    lk.load()
    left = [one for one in status(lk).tables if one.state]
    assert [(one.table, one.published, one.loaded) for one in left] == [
        ("marts.id_list", 0, 2),
        ("totals", 0, 2),
    ]
    assert "holds curated.totals of commit" in left[1].state
    replace_by_a_broken_view(lk, "totals")
    assert [one.loaded for one in status(lk).tables if one.state] == [2, None]
    with duckdb.connect(str(lk.config.root / "warehouse.duckdb")) as connection:
        connection.execute("DROP VIEW totals")
        connection.execute(f"UPDATE {TABLES} SET lake = 'another' WHERE table_name LIKE '%id_list'")
    assert [(one.table, one.state) for one in status(lk).tables] == [("marts.totals", "")]


def test_a_table_that_cannot_be_read_is_told_beside_the_others(lk: Lake) -> None:
    lk.load()
    replace_by_a_broken_view(lk, "totals")
    totals, ids = status(lk).tables
    assert (totals.loaded, ids.loaded, ids.state) == (None, 2, "")
    assert totals.state == (
        f"looking into duckdb:///{lk.config.root}/warehouse.duckdb failed (Table with name gone"
        " does not exist): nothing was changed; put that right, or drop the table, and the next"
        " load makes it anew"
    )


def replace_by_a_broken_view(lk: Lake, table: str) -> None:
    with duckdb.connect(str(lk.config.root / "warehouse.duckdb")) as connection:
        connection.execute(f"CREATE TABLE gone AS FROM {table}; DROP TABLE {table}")
        connection.execute(f"CREATE VIEW {table} AS FROM gone; DROP TABLE gone")


def test_a_load_of_some_periods_that_cannot_be_changes_nothing(lk: Lake) -> None:
    with pytest.raises(InvalidConfig, match="'soon' is no time: write one such as 2024"):
        lk.load(since="soon")
    assert not (lk.config.root / "warehouse.duckdb").exists()


def test_a_load_of_some_periods_that_is_overtaken_loads_them_from_the_head(lk: Lake) -> None:
    lk.load(["totals"], until="2024-01")

    def hook(statement: str) -> None:
        if statement == "BEGIN TRANSACTION" and not overtaken:
            overtaken.append(statement)
            fast = again(lk)
            fare(fast, "2024-02", 21)
            fast.load(["totals"], since="2024-03")

    overtaken: list[str] = []
    (totals,) = load_tables(lk, ["totals"], hook=hook, periods=Periods("2024-02"))
    assert totals.loaded == (FEBRUARY,)
    assert held(lk) == [(10, "2024-01"), (21, "2024-02")]


def test_a_load_is_noted_in_the_log(lk: Lake) -> None:
    before = lk.commit
    lk.load()
    query = """SELECT dataset, "table", warehouse, partitions, removed, rows, loaded_commit, commit
               FROM meta.loads"""
    url = f"duckdb:///{lk.config.root / 'warehouse.duckdb'}"
    assert rows(again(lk), query) == [
        ("curated.totals", "totals", url, 2, 0, 2, before, before + 1),
        ("curated.ids", "marts.id_list", url, 1, 0, 2, before + 1, before + 2),
    ]


class Sealed:
    """The store of a lake that may be read, and not written."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put_new(self, key: str, data: bytes) -> None:
        raise PermissionError(key)


def test_a_load_that_could_not_be_noted_keeps_no_other_and_is_noted_later(lk: Lake) -> None:
    published, store = lk.commit, lk.log.store
    lk.log.store = Sealed(store)
    with pytest.raises(SeveralFailed, match="nothing was published"):
        load_tables(lk)
    assert held(lk) == [(10, "2024-01"), (20, "2024-02")]
    assert held(lk, "FROM marts.id_list ORDER BY id") == [(1,), (2,)]
    one = again(lk)
    assert [(t.loaded, t.removed) for t in one.load()] == [((), ()), ((), ())]
    query = 'SELECT "table", partitions, removed, rows, loaded_commit FROM meta.loads'
    found = rows(again(lk), query)
    assert found == [("totals", 2, 0, 2, published), ("marts.id_list", 1, 0, 2, published)]
    noted = one.commit
    assert [t.loaded for t in again(lk).load()] == [(), ()]
    assert again(lk).commit == noted


def test_a_table_that_is_loaded_in_another_way_is_noted_though_no_row_moved(lk: Lake) -> None:
    lk.load(["ids"])
    tables = {"ids": TableConfig("marts.id_list", "append")}
    other = configured(lk, Warehouse(load=("ids",), tables=tables))
    assert other.load()[0].loaded == ()
    assert table_config(configured(again(lk), Warehouse()), "ids") == tables["ids"]


def test_tables_can_be_named_and_are_told_as_they_are_loaded(lk: Lake) -> None:
    told: list[str] = []
    load_tables(lk, ["curated.ids"], told=lambda one: told.append(one.table))
    assert told == ["marts.id_list"]
    with pytest.raises(NoSuchTable, match=r"'idz' is not in \[warehouse\] load; did you mean ids"):
        lk.load(["idz"])


def test_another_warehouse_may_be_named(lk: Lake) -> None:
    lk.load(["ids"], to="duckdb:///other.duckdb")
    assert (lk.config.root / "other.duckdb").exists()
    assert not (lk.config.root / "warehouse.duckdb").exists()
    assert plan(lk, ["ids"], to="duckdb:///other.duckdb") == {"ids": []}
    assert plan(lk, ["ids"]) == {"ids": [""]}


def test_a_table_without_description_is_refused_until_it_has_one(lk: Lake) -> None:
    model(lk, "ids", "SELECT id FROM raw.x", 'owner = "me"')
    lk.transform()
    with pytest.raises(LoadRefused, match=r"curated.ids has no description, which a table needs"):
        lk.load()
    assert held(lk) == [(10, "2024-01"), (20, "2024-02")], "the other table was loaded"
    model(lk, "ids", "SELECT id FROM raw.x", *WORDS)
    lk.transform()
    assert lk.load(["ids"])[0].rows == 2


def test_what_was_never_published_cannot_be_loaded(lk: Lake) -> None:
    other = configured(lk, Warehouse(load=("ids", "nope", "nil")))
    with pytest.raises(
        SeveralFailed, match=r"no dataset curated.nope yet: land what it reads, then run `lake t"
    ):
        other.load()
    assert held(lk, "FROM ids ORDER BY id") == [(1,), (2,)]
    with pytest.raises(NoSuchDataset, match=r"curated.nil"):
        plan(other, ["nil"])


def configured(lk: Lake, warehouse: Warehouse) -> Lake:
    """Open the lake with another `[warehouse]`."""
    return Lake(lk.log, lk.state, replace(lk.config, warehouse=warehouse))


def test_a_lake_without_configuration_loads_the_tables_of_its_log(lk: Lake) -> None:
    lk.load()
    fare(lk, "2024-02", 21)
    bare = configured(again(lk), Warehouse())
    assert [(one.table, one.loaded) for one in bare.load()] == [
        ("marts.id_list", ()),
        ("totals", (FEBRUARY,)),
    ]


def test_a_table_that_gets_another_name_is_loaded_there_whole(lk: Lake) -> None:
    lk.load(["totals"])
    tables = {"totals": TableConfig("marts.fares")}
    renamed = configured(lk, Warehouse(load=("totals",), tables=tables))
    assert renamed.load()[0].loaded == (JANUARY, FEBRUARY)
    assert held(lk, "FROM marts.fares ORDER BY month") == held(lk)


def test_no_table_at_all_is_said(lk: Lake) -> None:
    with pytest.raises(NoSuchTable, match=r"write \[warehouse\] load = \[\"NAME\"\]"):
        configured(lk, Warehouse()).load()


def test_a_remote_lake_has_no_warehouse_of_its_own(lk: Lake) -> None:
    lk.log.store = MemoryStore()
    with pytest.raises(
        InvalidConfig, match=r"write \[warehouse\] url into lake.toml, or give --to"
    ):
        warehouse_url(lk, None)
    assert warehouse_url(lk, "duckdb:///x.duckdb") == "duckdb:///x.duckdb"


def test_the_folder_of_a_lake_may_be_called_anything(template: Lake, tmp_path: Path) -> None:
    for name in ("a b%20c", "x#y"):
        lk = copy_of(template, tmp_path / name)
        lk.load()
        assert held(lk) == [(10, "2024-01"), (20, "2024-02")]


def _overtaken(lk: Lake) -> None:
    """Publish and load another month, as a faster run does."""
    fast = again(lk)
    fare(fast, "2024-03", 30)
    fast.load()


def test_a_table_behind_a_faster_run_is_looked_at_anew(lk: Lake) -> None:
    lk.load()

    def told(one: TableLoaded) -> None:
        if one.table == "totals":
            _overtaken(lk)

    totals, ids = load_tables(lk, told=told)
    assert (totals.loaded, ids.loaded, ids.rows) == ((), (), 3)


def test_a_load_that_is_overtaken_on_its_way_finds_nothing_left_to_do(lk: Lake) -> None:
    seen: list[str] = []

    def hook(statement: str) -> None:
        seen.append(statement)
        if seen.count("BEGIN TRANSACTION") == 1 and statement == seen[-1] == "BEGIN TRANSACTION":
            _overtaken(lk)

    totals, _ = load_tables(lk, hook=hook)
    assert (totals.loaded, totals.rows, totals.unchanged) == ((), 3, 3)
    assert held(lk) == [(10, "2024-01"), (20, "2024-02"), (30, "2024-03")]
