"""What becomes of partitions that changed, where rows are not simply replaced."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lake.errors import LoadRefused
from lake.warehouse.load import TableLoad, holds, load, reconcile
from tests.warehouse.loads import Publish, Rows
from tests.warehouse.places import Place


def test_append_adds_partitions_and_keeps_those_that_are_gone(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}, mode="append"), root=tmp_path)
    second = publish(2, {"2024-02": [5, 6]}, mode="append")
    done = load(warehouse.url, second, root=tmp_path)
    assert (done.loaded, done.removed, done.rows) == (("month=2024-02",), (), 3)
    assert rows() == [("2024-01", 3), ("2024-02", 5), ("2024-02", 6)]
    assert load(warehouse.url, second, root=tmp_path).loaded == ()


def test_append_leaves_rows_of_other_partitions_to_others(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}, mode="append"), root=tmp_path)
    warehouse.run("INSERT INTO marts.daily VALUES (NULL, 1, '2019-01')")
    both = publish(2, {"2024-01": [3], "2024-02": [5]}, mode="append")
    assert load(warehouse.url, both, root=tmp_path).rows == 3
    assert rows() == [("2019-01", 1), ("2024-01", 3), ("2024-02", 5)]


def test_append_refuses_a_partition_that_changed(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}, mode="append"), root=tmp_path)
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, publish(2, {"2024-01": [4]}, mode="append"), root=tmp_path)
    assert str(refused.value) == (
        "curated.daily/month=2024-01 at commit 2 is in table marts.daily in"
        f' {warehouse.shown} with other rows, and mode = "append" only adds partitions: nothing'
        ' was changed; write mode = "replace" or merge_on into [warehouse.tables], or run lake'
        " load --reconcile daily, which shows what differs and mends it"
    )
    assert rows() == [("2024-01", 3)]


def test_append_after_a_lost_row_of_the_ledger_doubles_nothing(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    months = {"2024-01": [3], "2024-02": [5]}
    load(warehouse.url, publish(1, months, mode="append"), root=tmp_path)
    warehouse.run("DELETE FROM _lake_loads WHERE \"partition\" = 'month=2024-01'")
    load(warehouse.url, publish(2, months, mode="append"), root=tmp_path)
    assert rows() == [("2024-01", 3), ("2024-02", 5)]


def keyed(publish: Publish, commit: int, months: dict[str, list[tuple[int, int]]]) -> TableLoad:
    """Return a load of ids and their trips, merged on `id`."""
    base = publish(commit, {month: [n for _, n in pairs] for month, pairs in months.items()})
    partitions = []
    for partition, pairs in zip(base.partitions, (months[m] for m in sorted(months)), strict=True):
        values = ", ".join(f"({i}, CAST({n} AS BIGINT))" for i, n in pairs)
        month = partition.partition.removeprefix("month=")
        select = f"SELECT id, trips, '{month}' AS month FROM (VALUES {values}) t(id, trips)"
        partitions.append(dataclasses.replace(partition, select=select, content=str(pairs)))
    return dataclasses.replace(
        base,
        columns=(("id", "INTEGER"), ("trips", "BIGINT"), ("month", "VARCHAR")),
        partitions=tuple(partitions),
        mode="merge",
        merge_on=("id",),
    )


def held(warehouse: Place) -> list[tuple[Any, ...]]:
    return warehouse.run("SELECT id, trips, month FROM marts.daily ORDER BY id")


def test_merge_changes_adds_moves_and_keeps(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    first = keyed(publish, 1, {"2024-01": [(1, 10), (2, 20), (3, 30)], "2024-02": [(9, 90)]})
    load(warehouse.url, first, root=tmp_path)
    second = keyed(publish, 2, {"2024-01": [(1, 11), (4, 40)], "2024-02": [(9, 90), (2, 22)]})
    done = load(warehouse.url, second, root=tmp_path)
    assert (done.loaded, done.rows) == (("month=2024-01", "month=2024-02"), 5)
    assert held(warehouse) == [
        (1, 11, "2024-01"),
        (2, 22, "2024-02"),
        (3, 30, "2024-01"),
        (4, 40, "2024-01"),
        (9, 90, "2024-02"),
    ]
    assert load(warehouse.url, second, root=tmp_path).loaded == ()


def test_merge_leaves_rows_that_are_as_they_were(
    tmp_path: Path, postgres_warehouse: Place, publish: Publish
) -> None:
    url, writers = postgres_warehouse.url, "SELECT id, xmin::text FROM marts.daily ORDER BY id"
    load(url, keyed(publish, 1, {"2024-01": [(1, 10), (2, 20)]}), root=tmp_path)
    before = postgres_warehouse.run(writers)
    load(url, keyed(publish, 2, {"2024-01": [(1, 10), (2, 21)]}), root=tmp_path)
    after = postgres_warehouse.run(writers)
    assert (after[0], after[1] != before[1]) == (before[0], True)


def test_merge_writes_keys_that_the_table_numbers_by_itself(
    tmp_path: Path, postgres_warehouse: Place, publish: Publish
) -> None:
    url, first = postgres_warehouse.url, {"2024-01": [(1, 10)]}
    load(url, keyed(publish, 1, first), root=tmp_path)
    postgres_warehouse.run(
        "ALTER TABLE marts.daily ALTER COLUMN id SET NOT NULL",
        "ALTER TABLE marts.daily ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY",
    )
    load(url, keyed(publish, 2, first | {"2024-02": [(7, 70)]}), root=tmp_path)
    assert held(postgres_warehouse) == [(1, 10, "2024-01"), (7, 70, "2024-02")]


def test_merge_refuses_a_key_that_is_there_twice_or_null(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, keyed(publish, 1, {"2024-01": [(1, 1), (1, 2)]}), root=tmp_path)
    assert str(refused.value) == (
        "id stands more than once in 1 rows of curated.daily at commit 1, and table marts.daily in"
        f" {warehouse.shown} is merged on it: nothing was changed; make it a key in the model, or"
        " name another in merge_on"
    )
    load_ = keyed(publish, 1, {"2024-01": [(1, 1)]})
    select = load_.partitions[0].select.replace("SELECT id", "SELECT NULL::INTEGER AS id")
    null = dataclasses.replace(load_.partitions[0], select=select)
    with pytest.raises(LoadRefused, match=r"^id is NULL in 1 rows of curated.daily at commit 1"):
        load(warehouse.url, dataclasses.replace(load_, partitions=(null,)), root=tmp_path)


def test_merge_refuses_a_key_that_another_published_partition_has(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    months = {"2024-01": [(1, 10)], "2024-02": [(2, 20)]}
    load(warehouse.url, keyed(publish, 1, months), root=tmp_path)
    stolen = keyed(publish, 2, months | {"2024-02": [(2, 20), (1, 11)]})
    with pytest.raises(LoadRefused, match=r"^id stands more than once in 1 rows of curated.daily"):
        load(warehouse.url, stolen, root=tmp_path)
    assert held(warehouse) == [(1, 10, "2024-01"), (2, 20, "2024-02")]


def test_merge_refuses_a_stolen_key_though_as_many_rows_stay(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    """A row that January published once makes up for the one that February takes."""
    first = {"2024-01": [(1, 10), (5, 50)], "2024-02": [(2, 20)]}
    second = first | {"2024-01": [(1, 10)]}
    for commit, months in enumerate((first, second), 1):
        load(warehouse.url, keyed(publish, commit, months), root=tmp_path)
    before = held(warehouse)
    stolen = keyed(publish, 3, second | {"2024-02": [(2, 20), (1, 11)]})
    with pytest.raises(LoadRefused, match=r"^id stands more than once in 1 rows of curated.daily"):
        load(warehouse.url, stolen, root=tmp_path)
    with pytest.raises(LoadRefused, match=r"^id stands more than once in 1 rows of curated.daily"):
        reconcile(warehouse.url, stolen, root=tmp_path, mend=True)
    assert held(warehouse) == before
    # What January has no longer may go to February.
    moved = keyed(publish, 4, second | {"2024-02": [(2, 20), (5, 51)]})
    assert load(warehouse.url, moved, root=tmp_path).loaded == ("month=2024-02",)
    assert held(warehouse) == [(1, 10, "2024-01"), (2, 20, "2024-02"), (5, 51, "2024-02")]


# BigQuery's stand-in keeps the columns that its API was told of.
@pytest.mark.parametrize("warehouse", ["duckdb", "postgres"], indirect=True)
def test_merge_refuses_a_table_whose_key_was_renamed(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    months = {"2024-01": [(1, 10), (2, 20)]}
    load(warehouse.url, keyed(publish, 1, months), root=tmp_path)
    warehouse.run("ALTER TABLE marts.daily RENAME COLUMN id TO number")
    second = keyed(publish, 2, {"2024-01": [(1, 11), (2, 20)]})
    said = (
        f"table marts.daily in {warehouse.shown} has no column id, and curated.daily is merged on"
        " it: nothing was changed; rename the column back, or drop the table, and the next load"
        " makes it anew"
    )
    for attempt in (load, partial(reconcile, mend=True)):
        with pytest.raises(LoadRefused) as refused:
            attempt(warehouse.url, second, root=tmp_path)
        assert str(refused.value) == said
    assert warehouse.run("SELECT count(*) FROM marts.daily") == [(2,)]
    warehouse.run("ALTER TABLE marts.daily RENAME COLUMN number TO id")
    load(warehouse.url, second, root=tmp_path)
    assert held(warehouse) == [(1, 11, "2024-01"), (2, 20, "2024-01")]


def test_merge_names_a_key_that_is_no_column(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    with pytest.raises(LoadRefused, match=r"^merge_on names 'no' for table marts.daily, and cur"):
        load(warehouse.url, publish(1, {}, mode="merge", merge_on=("no",)), root=tmp_path)
    assert holds(warehouse.url, "0b5e", "marts.daily", root=tmp_path) == {}
