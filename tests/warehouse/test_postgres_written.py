"""What somebody changed by hand in PostgreSQL is seen, also where as many rows are there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lake.errors import LoadRefused
from lake.warehouse.load import load, reconcile
from tests.warehouse.loads import Publish
from tests.warehouse.places import Place

MONTHS = {"2024-01": [3, 4], "2024-02": [5]}
WHOLE = [("2024-01", 3), ("2024-01", 4), ("2024-02", 5)]
STAGE = "_lake_stage"


@pytest.fixture
def warehouse(postgres_warehouse: Place) -> Place:
    return postgres_warehouse


@pytest.fixture
def loaded(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> Callable[[int, dict[str, list[int]]], list[str]]:
    """Load months at a commit; return the statements that it took."""

    def loaded(commit: int, months: dict[str, list[int]]) -> list[str]:
        said: list[str] = []
        job = publish(commit, months)
        load(warehouse.url, job, root=tmp_path, statement_hook=said.append)
        return said

    return loaded


Loaded = Callable[[int, dict[str, list[int]]], list[str]]


@pytest.mark.parametrize(
    "by_hand",
    [
        ["UPDATE marts.daily SET trips = 9 WHERE trips = 5"],
        [
            "DELETE FROM marts.daily WHERE trips = 5",
            "INSERT INTO marts.daily (month, trips) VALUES ('2024-02', 9)",
        ],
        [
            "CREATE TABLE other AS SELECT * FROM marts.daily",
            "UPDATE other SET trips = 9 WHERE trips = 5",
            "TRUNCATE marts.daily",
            "INSERT INTO marts.daily SELECT * FROM other",
        ],
    ],
    ids=["updated", "swapped", "written anew"],
)
@pytest.mark.parametrize("commit", [1, 2])
def test_values_that_were_changed_by_hand_are_refused_and_mended(
    tmp_path: Path,
    warehouse: Place,
    publish: Publish,
    loaded: Loaded,
    rows: Callable[..., list[tuple[Any, ...]]],
    by_hand: list[str],
    commit: int,
) -> None:
    loaded(1, MONTHS)
    warehouse.run(*by_hand)
    months = MONTHS if commit == 1 else {**MONTHS, "2024-03": [7]}
    with pytest.raises(LoadRefused) as refused:
        loaded(commit, months)
    assert f"table marts.daily in {warehouse.shown} has " in str(refused.value)
    assert str(refused.value).endswith(
        f" rows that no load wrote, and curated.daily/month=2024-02 at commit {commit} is not as"
        " it was published (1 rows are missing, 1 too many): nothing was changed; run lake load"
        " --reconcile daily, which shows what differs and mends it"
    )
    assert reconcile(warehouse.url, publish(commit, months), root=tmp_path, mend=True).mended
    assert rows() == [*WHOLE, *([("2024-03", 7)] if commit == 2 else [])]
    assert not [text for text in loaded(3, months) if STAGE in text]


@pytest.mark.parametrize("mode", ["replace", "merge"])
def test_what_a_trigger_changes_is_not_said_to_be_mended(
    tmp_path: Path,
    warehouse: Place,
    publish: Publish,
    rows: Callable[..., list[tuple[Any, ...]]],
    mode: str,
) -> None:
    keys = ("day",) if mode == "merge" else ()
    job = publish(1, MONTHS, mode=mode, merge_on=keys)
    load(warehouse.url, job, root=tmp_path)
    warehouse.run(
        "CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN NEW.trips := NEW.trips + 100; RETURN NEW; END$$",
        "CREATE TRIGGER more BEFORE INSERT ON marts.daily FOR EACH ROW EXECUTE FUNCTION more()",
        "DELETE FROM marts.daily WHERE trips = 5",
    )
    before = rows()
    with pytest.raises(LoadRefused) as refused:
        reconcile(warehouse.url, job, root=tmp_path, mend=True)
    assert str(refused.value) == (
        "curated.daily/month=2024-02 at commit 1 was written anew into table marts.daily in"
        f" {warehouse.shown}, and is not there as it was published (1 rows are missing, 1 too"
        " many): nothing was changed; a trigger, a generated column or a rule there changes what"
        " is written: drop it, then reconcile again"
    )
    assert rows() == before
    warehouse.run("DROP TRIGGER more ON marts.daily")
    assert reconcile(warehouse.url, job, root=tmp_path, mend=True).mended
    assert rows() == WHOLE


def test_rows_that_a_trigger_keeps_out_are_missed(warehouse: Place, loaded: Loaded) -> None:
    loaded(1, MONTHS)
    warehouse.run(
        "CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$",
        "CREATE TRIGGER skip BEFORE INSERT ON marts.daily FOR EACH ROW WHEN (NEW.trips = 8)"
        " EXECUTE FUNCTION skip()",
    )
    with pytest.raises(
        LoadRefused, match=r"failed \(2 rows were sent and 1 arrived\): nothing was"
    ):
        loaded(2, {**MONTHS, "2024-02": [7, 8]})


def test_what_is_loaded_anyway_takes_the_place_of_what_was_changed(
    warehouse: Place, loaded: Loaded, rows: Callable[..., list[tuple[Any, ...]]]
) -> None:
    loaded(1, MONTHS)
    warehouse.run("UPDATE marts.daily SET trips = 9 WHERE trips = 5")
    loaded(2, {**MONTHS, "2024-02": [6]})
    assert rows() == [*WHOLE[:2], ("2024-02", 6)]


@pytest.mark.parametrize(
    "by_hand",
    [
        "UPDATE marts.daily SET trips = trips",
        "ALTER TABLE marts.daily ADD COLUMN at TIMESTAMPTZ DEFAULT clock_timestamp()",
        "DROP TABLE _lake_writers",
    ],
)
def test_rows_that_others_wrote_as_they_were_published_are_compared_once(
    warehouse: Place,
    loaded: Loaded,
    rows: Callable[..., list[tuple[Any, ...]]],
    by_hand: str,
) -> None:
    """As after a dump that was restored, or a server that an older version loaded into."""
    loaded(1, MONTHS)
    warehouse.run(by_hand)
    loaded(1, MONTHS)
    assert not [text for text in loaded(2, MONTHS) if STAGE in text]
    warehouse.run("UPDATE marts.daily SET trips = 9 WHERE trips = 5")
    with pytest.raises(LoadRefused, match="has 1 rows that no load wrote"):
        loaded(3, MONTHS)
    assert rows() == [*WHOLE[:2], ("2024-02", 9)]


@pytest.mark.parametrize(
    "by_hand",
    [
        "VACUUM (FREEZE) marts.daily",
        "VACUUM FULL marts.daily",
        "CREATE INDEX i ON marts.daily (trips); CLUSTER marts.daily USING i",
    ],
)
def test_what_moves_rows_and_writes_none_is_not_looked_at(
    warehouse: Place, loaded: Loaded, by_hand: str
) -> None:
    loaded(1, MONTHS)
    loaded(2, {**MONTHS, "2024-02": [6]})
    warehouse.run(*by_hand.split("; "))
    assert not [text for text in loaded(3, {**MONTHS, "2024-02": [6]}) if STAGE in text]


def test_who_only_looks_makes_no_list_of_writers(
    tmp_path: Path, warehouse: Place, publish: Publish, loaded: Loaded
) -> None:
    loaded(1, MONTHS)
    warehouse.run("DROP TABLE _lake_writers")
    found = reconcile(warehouse.url, publish(1, MONTHS), root=tmp_path, mend=False)
    assert found.differing == ()
    assert warehouse.run("SELECT to_regclass('_lake_writers')::text") == [(None,)]


def test_writers_that_left_nothing_are_forgotten_in_the_end(
    warehouse: Place, loaded: Loaded
) -> None:
    loaded(1, MONTHS)
    warehouse.run(
        "INSERT INTO _lake_writers SELECT 'marts.daily', generate_series(10000001, 10001000)"
    )
    loaded(2, {**MONTHS, "2024-02": [6]})
    kept = warehouse.run("SELECT transaction::text FROM _lake_writers ORDER BY 1")
    assert kept == warehouse.run("SELECT DISTINCT xmin::text FROM marts.daily ORDER BY 1")
    assert len(kept) == 2
