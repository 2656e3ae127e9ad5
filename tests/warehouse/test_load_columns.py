"""Columns that come, go or change: what every warehouse makes of them."""

import dataclasses
import re
from pathlib import Path

import pytest

from lake.errors import LoadRefused
from lake.warehouse.load import TableLoad, load
from tests.warehouse.loads import Publish, Rows
from tests.warehouse.places import Place

TYPE_DIFFERS = (
    r"^column trips of table marts.daily in \S+ is (BIGINT|INT64), and in curated.daily at commit 2"
    r" it is (VARCHAR|TEXT|STRING): nothing was changed; (cast it .*or drop the table, and the next"
    r" load|to widen it .*ALTER TABLE \S+ ALTER COLUMN \"trips\" TYPE text)"
)


def with_column(load: TableLoad, name: str, type_: str, value: str) -> TableLoad:
    """Return `load` with one more column, of the value `value` in every partition."""
    partitions = (
        dataclasses.replace(p, select=f"SELECT *, {value} AS {name} FROM ({p.select})")
        for p in load.partitions
    )
    columns = (*load.columns, (name, type_))
    return dataclasses.replace(load, columns=columns, partitions=tuple(partitions))


def test_a_new_column_is_added(tmp_path: Path, warehouse: Place, publish: Publish) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    months = publish(2, {"2024-01": [3], "2024-02": [5]})
    nulls = "CASE WHEN month = '2024-02' THEN 1.5::DOUBLE END"
    done = load(warehouse.url, with_column(months, "fee", "DOUBLE", nulls), root=tmp_path)
    assert (done.loaded, done.unchanged) == (("month=2024-02",), 1)
    found = warehouse.run("SELECT month, trips, fee FROM marts.daily ORDER BY 1")
    assert found == [("2024-01", 3, None), ("2024-02", 5, 1.5)]


def test_a_new_column_with_values_reloads_partitions_of_the_same_content(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    renamed = with_column(publish(2, {"2024-01": [3]}), "rides", "BIGINT", "trips")
    assert load(warehouse.url, renamed, root=tmp_path).loaded == ("month=2024-01",)
    assert warehouse.run("SELECT month, rides FROM marts.daily") == [("2024-01", 3)]


def test_a_column_that_is_gone_stays_with_null_in_new_rows(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    fees = with_column(publish(1, {"2024-01": [3]}), "fee", "INTEGER", "7")
    load(warehouse.url, fees, root=tmp_path)
    load(warehouse.url, publish(2, {"2024-01": [3], "2024-02": [5]}), root=tmp_path)
    found = warehouse.run("SELECT month, trips, fee FROM marts.daily ORDER BY 1")
    assert found == [("2024-01", 3, 7), ("2024-02", 5, None)]


def test_a_type_that_does_not_fit_is_refused(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    wider = dataclasses.replace(
        publish(2, {"2024-01": [4]}),
        columns=(("day", "DATE"), ("trips", "VARCHAR"), ("month", "VARCHAR")),
    )
    with pytest.raises(LoadRefused, match=re.compile(TYPE_DIFFERS, re.IGNORECASE)):
        load(warehouse.url, wider, root=tmp_path)
    assert rows() == [("2024-01", 3)]


def test_a_narrower_type_fits(tmp_path: Path, warehouse: Place, publish: Publish) -> None:
    load(
        warehouse.url,
        with_column(publish(1, {"2024-01": [3]}), "n", "BIGINT", "1::BIGINT"),
        root=tmp_path,
    )
    load(
        warehouse.url, with_column(publish(2, {"2024-01": [4]}), "n", "INTEGER", "2"), root=tmp_path
    )
    assert warehouse.run("SELECT trips, n FROM marts.daily") == [(4, 2)]


def test_files_of_other_types_than_announced_are_refused(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    lossy = with_column(publish(1, {"2024-01": [3]}), "n", "BIGINT", "1.5::DOUBLE")
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, lossy, root=tmp_path)
    assert str(refused.value) == (
        "curated.daily/month=2024-01 at commit 1: column n is DOUBLE in its files, and BIGINT in"
        " the dataset: nothing was changed; run lake verify curated.daily"
    )
