"""PostgreSQL as a warehouse: names, what survives a load, and what is refused in one line."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from lake.errors import (
    InvalidName,
    LakeError,
    LoadRefused,
    StoreUnavailable,
    WarehouseLocked,
)
from lake.warehouse.load import describe, load, reconcile
from tests.warehouse.loads import Publish, one_row
from tests.warehouse.places import Place


@pytest.fixture
def warehouse(postgres_warehouse: Place) -> Place:
    return postgres_warehouse


def test_who_reads_a_new_table_first_writes_nothing(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3] * 40}), root=tmp_path)
    warehouse.run("CHECKPOINT")
    rows = warehouse.run("EXPLAIN (ANALYZE, BUFFERS) SELECT count(trips) FROM marts.daily")
    said = "\n".join(row[0] for row in rows)
    assert "Buffers" in said
    assert "dirtied" not in said, said


def test_reserved_words_and_other_cases_are_quoted(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    first = one_row(publish, select=("INTEGER", "1"), User=("INTEGER", "2"))
    load(warehouse.url, dataclasses.replace(first, table="order"), root=tmp_path)
    again = one_row(publish, 2, SELECT=("INTEGER", "3"), user=("INTEGER", "4"))
    load(warehouse.url, dataclasses.replace(again, table="order"), root=tmp_path)
    assert warehouse.run('SELECT "select", "User" FROM "order"') == [(3, 4)]


@pytest.mark.parametrize("mode", ["replace", "append", "merge"])
def test_columns_of_somebodys_that_differ_in_case_only_are_not_taken_for_ours(
    tmp_path: Path, warehouse: Place, publish: Publish, mode: str
) -> None:
    words: dict[str, Any] = {"mode": mode, "comments": (("trips", "How many"),)}
    words["merge_on"] = ("day",) if mode == "merge" else ()
    load(warehouse.url, publish(1, {"2024-01": [3]}, **words), root=tmp_path)
    warehouse.run('ALTER TABLE marts.daily ADD "TRIPS" INTEGER, ADD "Month" TEXT')
    months = {"2024-01": [3], "2024-02": [4]}
    assert load(warehouse.url, publish(2, months, **words), root=tmp_path).rows == 2
    found = reconcile(warehouse.url, publish(2, months, **words), root=tmp_path, mend=True)
    assert found.differing == ()
    query = 'SELECT month, trips, "TRIPS", "Month" FROM marts.daily ORDER BY 1'
    assert warehouse.run(query) == [("2024-01", 3, None, None), ("2024-02", 4, None, None)]
    said = "SELECT col_description('marts.daily'::regclass, n) FROM generate_series(2, 4, 2) n"
    assert warehouse.run(said) == [("How many",), (None,)]


def test_names_that_postgresql_would_cut_are_refused(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    long = "é" * 32
    with pytest.raises(LoadRefused, match=rf"^column {long} of curated.daily has a name of 64 byt"):
        load(warehouse.url, one_row(publish, 1, **{long: ("INTEGER", "1")}), root=tmp_path)
    with pytest.raises(InvalidName, match=r"whose names have 63 bytes at most: give it a shorter"):
        load(warehouse.url, publish(1, {}, table="t" * 64), root=tmp_path)


@pytest.mark.parametrize("schema", ["pg_x", "pg_catalog", "information_schema"])
def test_schemas_that_postgresql_keeps_for_itself_are_refused(
    tmp_path: Path, warehouse: Place, publish: Publish, schema: str
) -> None:
    said = (
        f"'{schema}.t' is no table to load into, as PostgreSQL keeps such schemas for itself: give"
        " it one of another schema in [warehouse.tables]"
    )
    with pytest.raises(InvalidName, match=f"^{re.escape(said)}$"):
        load(warehouse.url, publish(1, {}, table=f"{schema}.t"), root=tmp_path)


def test_descriptions_become_comments(tmp_path: Path, warehouse: Place, publish: Publish) -> None:
    words = {"comments": (("trips", "How many; it's a count"),), "description": "Per day"}
    load(warehouse.url, publish(1, {"2024-01": [3]}, **words), root=tmp_path)
    found = warehouse.run(warehouse.comment, "SELECT col_description('marts.daily'::regclass, 2)")
    assert found == [("Per day",), ("How many; it's a count",)]


def test_what_people_hang_on_a_table_survives(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3], "2024-02": [5]}), root=tmp_path)
    role = f"reader_{warehouse.shown.rpartition('/')[2]}"
    warehouse.run(
        f"CREATE ROLE {role}",
        f"GRANT SELECT ON marts.daily TO {role}",
        "CREATE INDEX by_trips ON marts.daily (trips)",
        "CREATE VIEW totals AS SELECT sum(trips) AS n FROM marts.daily",
        "COMMENT ON COLUMN marts.daily.day IS 'by hand'",
    )
    second = publish(2, {"2024-01": [4], "2024-03": [6]})
    partitions = (
        dataclasses.replace(p, select=f"SELECT *, 1 AS fee FROM ({p.select})")
        for p in second.partitions
    )
    columns = (*second.columns, ("fee", "INTEGER"))
    wider = dataclasses.replace(second, columns=columns, partitions=tuple(partitions))
    assert load(warehouse.url, wider, root=tmp_path).rows == 2
    found = warehouse.run(
        "SELECT n FROM totals",
        f"SELECT has_table_privilege('{role}', 'marts.daily', 'SELECT')",
        "SELECT indexname FROM pg_indexes WHERE tablename = 'daily'",
        "SELECT col_description('marts.daily'::regclass, 1)",
        f"DROP OWNED BY {role}; DROP ROLE {role}",
    )
    assert found == [(10,), (True,), ("by_trips",), ("by hand",)]


def test_a_view_in_the_place_of_the_table_is_refused(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    warehouse.run("CREATE VIEW t AS SELECT 1 AS n")
    with pytest.raises(LoadRefused, match=r"^t in \S+ is a view or a foreign table: give curated"):
        load(warehouse.url, one_row(publish, n=("INTEGER", "1")), root=tmp_path)


def test_rows_that_break_off_in_the_middle_are_taken_back(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    base = one_row(publish, n=("BIGINT", "1"))
    select = "SELECT CASE WHEN i < 90000 THEN i ELSE error('lost') END AS n FROM range(100000) r(i)"
    for rows in (88_064, 100_000):  # the first are those that DuckDB has sent by then
        cut = dataclasses.replace(base.partitions[0], select=select, rows=rows)
        with pytest.raises(LoadRefused, match=r"failed \(lost\): nothing was changed; put that"):
            load(warehouse.url, dataclasses.replace(base, partitions=(cut,)), root=tmp_path)
    assert describe(warehouse.url, root=tmp_path) == ()


def test_a_constraint_of_somebodys_is_kept_and_named(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    warehouse.run("ALTER TABLE marts.daily ADD CONSTRAINT few CHECK (trips < 10)")
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, publish(2, {"2024-01": [30]}), root=tmp_path)
    assert str(refused.value) == (
        f"loading curated.daily into marts.daily in {warehouse.shown} failed (new row for relation"
        ' "daily" violates check constraint "few"): nothing was changed; put that right, then load'
    )
    assert warehouse.run("SELECT trips FROM marts.daily") == [(3,)]


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        ("53100", "No space left on device", StoreUnavailable),
        ("57014", "canceling statement due to user request", StoreUnavailable),
        ("40001", "could not serialize access", WarehouseLocked),
        ("P0001", "not on Sundays", LoadRefused),
    ],
)
def test_what_the_server_fails_of_is_told_in_one_line_and_changes_nothing(
    tmp_path: Path,
    warehouse: Place,
    publish: Publish,
    code: str,
    said: str,
    kind: type[LakeError],
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    warehouse.run(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$BEGIN RAISE EXCEPTION '{said}' USING ERRCODE = '{code}'; END$$",
        "CREATE TRIGGER fail BEFORE INSERT ON marts.daily EXECUTE FUNCTION fail()",
    )
    with pytest.raises(kind, match=rf"^loading curated.daily into marts.daily in \S+ .*\({said}\)"):
        load(warehouse.url, publish(2, {"2024-01": [4]}), root=tmp_path)
    warehouse.run("DROP TRIGGER fail ON marts.daily")
    assert warehouse.run("SELECT trips FROM marts.daily") == [(3,)]
    assert load(warehouse.url, publish(2, {"2024-01": [4]}), root=tmp_path).rows == 1


def test_statements_hold_no_secret(tmp_path: Path, warehouse: Place, publish: Publish) -> None:
    seen: list[Any] = []
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path, statement_hook=seen.append)
    password = warehouse.url.partition("@")[0].rpartition(":")[2]
    assert seen
    assert not [text for text in seen if password in text]
