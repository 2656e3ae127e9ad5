"""A table that somebody else changed is shown beside what was published, and mended."""

from pathlib import Path
from typing import Any

import pytest

from lake.errors import LoadRefused
from lake.warehouse.load import Compared, Reconciled, holds, load, reconcile
from tests.warehouse.loads import Publish, Rows
from tests.warehouse.places import Place

MONTHS = {"2024-01": [3, 4], "2024-02": [5]}
WHOLE = [("2024-01", 3), ("2024-01", 4), ("2024-02", 5)]
JANUARY, FEBRUARY = "month=2024-01", "month=2024-02"


@pytest.mark.parametrize(
    ("by_hand", "found"),
    [
        (
            "DELETE FROM marts.daily WHERE trips = 3",
            [Compared(JANUARY, 2, 2, 1, missing=1, surplus=0, differs=True)],
        ),
        (
            "UPDATE marts.daily SET trips = 9 WHERE trips = 5",
            [Compared(FEBRUARY, 1, 1, 1, missing=1, surplus=1, differs=True)],
        ),
        (
            "INSERT INTO marts.daily SELECT * FROM marts.daily WHERE trips = 5",
            [Compared(FEBRUARY, 1, 1, 2, missing=0, surplus=1, differs=True)],
        ),
        (
            "INSERT INTO marts.daily (trips) VALUES (7)",
            [Compared("elsewhere", None, None, 1, missing=0, surplus=1, differs=True)],
        ),
        (
            "DELETE FROM _lake_loads WHERE \"partition\" = 'month=2024-02'",
            [Compared(FEBRUARY, 1, None, 1, missing=0, surplus=0, differs=True)],
        ),
        (
            "DELETE FROM _lake_tables",
            [],
        ),
    ],
    ids=["deleted", "changed", "doubled", "foreign", "ledger row", "ledger's table row"],
)
@pytest.mark.parametrize("commit", [1, 2])
def test_what_was_done_by_hand_is_shown_and_mended(
    tmp_path: Path,
    warehouse: Place,
    publish: Publish,
    rows: Rows,
    by_hand: str,
    found: list[Compared],
    commit: int,
) -> None:
    load(warehouse.url, publish(1, MONTHS), root=tmp_path)
    warehouse.run(by_hand)
    changed, again = rows(), publish(commit, MONTHS)
    looked = reconcile(warehouse.url, again, root=tmp_path, mend=False)
    assert (list(looked.differing), looked.mended) == (found, False)
    assert rows() == changed
    mended = reconcile(warehouse.url, again, root=tmp_path, mend=True)
    assert (mended.differing, mended.mended) == (looked.differing, True)
    assert rows() == WHOLE
    assert {r.partition: (r.rows, r.removed) for r in ledger(warehouse, tmp_path)} == {
        JANUARY: (2, False),
        FEBRUARY: (1, False),
    }
    assert load(warehouse.url, publish(3, MONTHS), root=tmp_path).loaded == ()


def ledger(warehouse: Place, root: Path) -> list[Any]:
    return list(holds(warehouse.url, "0b5e", "marts.daily", root=root).values())


def test_a_load_over_a_table_without_its_ledger_row_says_how_to_reconcile(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(1, MONTHS), root=tmp_path)
    warehouse.run("DELETE FROM _lake_tables")
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, publish(2, MONTHS), root=tmp_path)
    assert str(refused.value) == (
        f"table marts.daily in {warehouse.shown} is there, and its row in _lake_tables is gone:"
        " nothing was changed; run lake load --reconcile daily, which shows what differs and"
        " mends it"
    )


def test_a_ledger_row_deleted_by_hand_is_written_again_by_the_next_load(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(1, MONTHS), root=tmp_path)
    warehouse.run("DELETE FROM _lake_loads WHERE \"partition\" = 'month=2024-02'")
    assert load(warehouse.url, publish(2, MONTHS), root=tmp_path).loaded == (FEBRUARY,)
    assert rows() == WHOLE


def test_who_only_looks_makes_nothing(tmp_path: Path, warehouse: Place, publish: Publish) -> None:
    def made() -> list[tuple[Any, ...]]:
        return warehouse.run(
            "SELECT table_name FROM information_schema.tables WHERE table_name LIKE '_lake%'"
            " AND table_catalog = current_database()"
        )

    months, before = publish(1, MONTHS), sorted(tmp_path.iterdir())
    found = reconcile(warehouse.url, months, root=tmp_path, mend=False)
    assert found == Reconciled(
        "marts.daily",
        (
            Compared(JANUARY, 2, None, 0, missing=2, surplus=0, differs=True),
            Compared(FEBRUARY, 1, None, 0, missing=1, surplus=0, differs=True),
        ),
        mended=False,
    )
    assert sorted(tmp_path.iterdir()) == before
    assert made() == []
    warehouse.run("CREATE SCHEMA marts", "CREATE TABLE marts.daily (month VARCHAR, trips BIGINT)")
    with pytest.raises(LoadRefused, match=r"is there, and no lake has loaded it: give curated\.d"):
        reconcile(warehouse.url, months, root=tmp_path, mend=False)
    assert made() == []


def test_nothing_of_a_foreign_table_is_adopted(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    warehouse.run("CREATE SCHEMA marts", "CREATE TABLE marts.daily (month VARCHAR, trips BIGINT)")
    with pytest.raises(LoadRefused, match=r"is there, and no lake has loaded it: give curated\.d"):
        reconcile(warehouse.url, publish(1, MONTHS), root=tmp_path, mend=True)
    load(warehouse.url, publish(1, MONTHS, table="mine"), root=tmp_path)
    other = publish(2, MONTHS, table="mine", lake_id="77aa")
    with pytest.raises(LoadRefused, match=r"^table mine in \S+ belongs to lake 0b5e"):
        reconcile(warehouse.url, other, root=tmp_path, mend=True)


def test_a_table_that_was_dropped_is_written_anew(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(1, MONTHS), root=tmp_path)
    warehouse.run("DROP TABLE marts.daily")
    found = reconcile(warehouse.url, publish(1, MONTHS), root=tmp_path, mend=True)
    assert [(c.partition, c.missing) for c in found.differing] == [(JANUARY, 2), (FEBRUARY, 1)]
    assert rows() == WHOLE


def test_appended_and_merged_tables_keep_what_others_wrote(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(1, MONTHS, mode="append"), root=tmp_path)
    warehouse.run(
        "INSERT INTO marts.daily VALUES (NULL, 1, '2019-01')",
        "DELETE FROM marts.daily WHERE trips = 3",
    )
    found = reconcile(warehouse.url, publish(1, MONTHS, mode="append"), root=tmp_path, mend=True)
    assert [one.partition for one in found.differing] == [JANUARY]
    assert rows() == [("2019-01", 1), *WHOLE]
