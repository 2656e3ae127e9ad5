"""Other people's tables, whose foreign keys refer to a table that is loaded."""

import dataclasses
from pathlib import Path

import pytest

from lake.errors import LoadRefused
from lake.warehouse.load import TableLoad, load, reconcile
from tests.warehouse.loads import Publish
from tests.warehouse.places import Place

HELD = "SELECT day::text, note FROM notes ORDER BY 1"
NOTES = [("2024-01-01", "a"), ("2024-01-02", "b")]


@pytest.fixture
def warehouse(postgres_warehouse: Place, tmp_path: Path, publish: Publish) -> Place:
    """Two days of trips, and a table with a note on each."""
    load(postgres_warehouse.url, publish(1, {"2024-01": [3, 4]}), root=tmp_path)
    postgres_warehouse.run("ALTER TABLE marts.daily ADD UNIQUE (day)")
    return postgres_warehouse


def refer(warehouse: Place, how: str) -> None:
    warehouse.run(
        f"CREATE TABLE notes (day DATE CONSTRAINT noted REFERENCES marts.daily (day) {how},"
        " note TEXT)",
        "INSERT INTO notes SELECT day, chr(94 + trips::int) FROM marts.daily",
    )


def refused(warehouse: Place, does: str) -> str:
    return (
        f"constraint noted of {does}: nothing was changed; write merge_on into [warehouse.tables],"
        " drop the constraint, or make it ON DELETE NO ACTION DEFERRABLE INITIALLY DEFERRED"
    ).replace("daily and", f"daily in {warehouse.shown} and")


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL", "SET DEFAULT"])
def test_rows_that_refer_to_replaced_ones_are_not_changed(
    tmp_path: Path, warehouse: Place, publish: Publish, action: str
) -> None:
    refer(warehouse, f"ON DELETE {action}")
    said = refused(
        warehouse,
        f"notes refers to table marts.daily and has ON DELETE {action}, which would change rows of"
        " notes",
    )
    second = publish(2, {"2024-01": [5, 6]})
    with pytest.raises(LoadRefused) as caught:
        load(warehouse.url, second, root=tmp_path)
    assert str(caught.value) == said
    with pytest.raises(LoadRefused) as caught:
        reconcile(warehouse.url, second, root=tmp_path, mend=True)
    assert str(caught.value) == said
    with pytest.raises(LoadRefused, match="which would change rows of notes"):
        load(warehouse.url, publish(2, {}), root=tmp_path)
    assert warehouse.run(HELD) == NOTES
    assert load(warehouse.url, merged(second), root=tmp_path).rows == 2
    assert warehouse.run(HELD, "SELECT trips FROM marts.daily ORDER BY 1") == [*NOTES, (5,), (6,)]


def merged(job: TableLoad) -> TableLoad:
    return dataclasses.replace(job, mode="merge", merge_on=("day",))


def test_a_new_partition_changes_nothing_that_is_referred_to(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    refer(warehouse, "ON DELETE CASCADE")
    months = {"2024-01": [3, 4], "2024-02": [5]}
    assert load(warehouse.url, publish(2, months), root=tmp_path).rows == 3
    assert warehouse.run(HELD) == NOTES


@pytest.mark.parametrize("how", ["", "ON DELETE RESTRICT"])
def test_a_constraint_that_keeps_rows_is_told_with_what_to_do(
    tmp_path: Path, warehouse: Place, publish: Publish, how: str
) -> None:
    refer(warehouse, how)
    with pytest.raises(LoadRefused) as caught:
        load(warehouse.url, publish(2, {"2024-01": [5, 6]}), root=tmp_path)
    does = "public.notes refers to table marts.daily and keeps rows that are replaced"
    assert str(caught.value) == refused(warehouse, does)


def test_a_constraint_that_is_looked_at_in_the_end_lets_rows_come_back(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    refer(warehouse, "DEFERRABLE INITIALLY DEFERRED")
    assert load(warehouse.url, publish(2, {"2024-01": [5, 6]}), root=tmp_path).rows == 2
    assert warehouse.run(HELD) == NOTES
    with pytest.raises(LoadRefused, match=r"violates foreign key constraint .noted. on table"):
        load(warehouse.url, publish(3, {"2024-01": [7]}), root=tmp_path)
    assert warehouse.run(HELD) == NOTES
