from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pytest

from lake.errors import ModelInvalid
from lake.models.check import CheckOutcome, Sight, check_inputs, run_check
from lake.models.checks import parse_checks

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
ROWS = """
    (1, 'a', 10.0, DATE '2024-01-01'),
    (2, 'b', -5.0, DATE '2024-01-02'),
    (2, 'b', 7.5, NULL),
    (NULL, 'x', NULL, DATE '2024-02-28'),
    (NULL, NULL, 99.0, NULL)
"""


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        # A zone far from UTC: no answer may depend on the session's.
        opened.execute("SET TimeZone = 'Pacific/Auckland'")
        opened.execute(
            f'CREATE TABLE "out" AS SELECT * FROM (VALUES {ROWS}) AS v(id, kind, fare, day)'
        )
        opened.execute("CREATE SCHEMA raw; CREATE TABLE raw.zones AS SELECT 1::BIGINT AS id")
        yield opened


def run(
    connection: duckdb.DuckDBPyConnection, said: dict[str, Any], relation: str = '"out"'
) -> CheckOutcome:
    sight = Sight(relation, "curated.m", NOW, {"raw.zones": '"raw"."zones"'})
    return run_check(connection, parse_checks([said], path="models/m.sql")[0], sight)


def test_not_null_shows_the_rows_that_lack_a_value(connection: duckdb.DuckDBPyConnection) -> None:
    assert run(connection, {"not_null": ["id", "kind"]}) == CheckOutcome(
        "not_null_id_kind",
        2,
        ("id", "kind", "fare", "day"),
        ((None, "x", None, date(2024, 2, 28)), (None, None, pytest.approx(99), None)),
    )


def test_unique_shows_the_keys_and_how_often_each_is_there(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found = run(connection, {"unique": ["id", "kind"]})
    assert (found.failed, found.columns, found.rows) == (1, ("id", "kind", "count"), ((2, "b", 2),))


def test_rows_with_a_null_in_a_unique_key_are_not_compared(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert run(connection, {"unique": "id"}).rows == ((2, 2),)


def test_accepted_values_shows_rows_with_another_value(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found = run(connection, {"accepted_values": "kind", "values": ["a", "b"]})
    assert found.rows == ((None, "x", None, date(2024, 2, 28)),)


def test_between_shows_rows_outside_and_counts_its_ends_as_inside(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found = run(connection, {"between": "fare", "min": 0, "max": 10})
    assert [row[2] for row in found.rows] == [pytest.approx(-5), pytest.approx(99)]


def test_between_compares_dates(connection: duckdb.DuckDBPyConnection) -> None:
    found = run(connection, {"between": "day", "max": date(2024, 1, 31)})
    assert [row[3] for row in found.rows] == [date(2024, 2, 28)]


def test_row_count_shows_the_count(connection: duckdb.DuckDBPyConnection) -> None:
    found = run(connection, {"row_count": {"min": 6}})
    assert (found.failed, found.columns, found.rows) == (1, ("count",), ((5,),))
    assert run(connection, {"row_count": {"min": 5, "max": 5}}).failed == 0


def test_references_shows_rows_whose_value_is_not_there(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found = run(connection, {"references": "id", "to": "raw.zones.id"})
    assert [row[:3] for row in found.rows] == [(2, "b", -5), (2, "b", 7.5)]


def test_references_may_look_into_the_dataset_itself(connection: duckdb.DuckDBPyConnection) -> None:
    assert run(connection, {"references": "id", "to": "curated.m.id"}).failed == 0


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP", "TIMESTAMP_NS"])
def test_fresh_shows_the_newest_and_the_limit_in_utc(
    connection: duckdb.DuckDBPyConnection, kind: str
) -> None:
    relation = f'(SELECT CAST(day AS {kind}) AS day FROM "out")'
    found = run(connection, {"fresh": "day", "within": "1 day"}, relation)
    assert found.columns == ("newest", "oldest_allowed")
    assert found.rows == ((datetime(2024, 2, 28), datetime(2024, 2, 29, 12)),)
    assert run(connection, {"fresh": "day", "within": "3 days"}, relation).failed == 0


def test_fresh_compares_the_instant_of_a_zoned_time(connection: duckdb.DuckDBPyConnection) -> None:
    relation = "(SELECT TIMESTAMPTZ '2024-03-01 11:30:00+00' AS at)"
    assert run(connection, {"fresh": "at", "within": "30 minutes"}, relation).failed == 0
    assert run(connection, {"fresh": "at", "within": "29 minutes"}, relation).failed == 1


def test_no_rows_are_not_fresh(connection: duckdb.DuckDBPyConnection) -> None:
    found = run(connection, {"fresh": "day", "within": "3 days"}, '(SELECT * FROM "out" LIMIT 0)')
    assert found.rows == ((None, datetime(2024, 2, 27, 12)),)


@pytest.mark.parametrize("name", ["m", "curated.m", '"curated"."M"'])
def test_sql_sees_the_rows_under_the_name_of_the_dataset(
    connection: duckdb.DuckDBPyConnection, name: str
) -> None:
    found = run(
        connection,
        {"sql": f"SELECT id, fare FROM {name} WHERE fare < 0; -- none", "name": "no refunds"},
    )
    assert found == CheckOutcome("no refunds", 1, ("id", "fare"), ((2, pytest.approx(-5)),))


def test_sql_may_look_at_other_datasets(connection: duckdb.DuckDBPyConnection) -> None:
    sql = "SELECT m.id FROM m ANTI JOIN zones z ON z.id = m.id WHERE m.id > 0"
    assert run(connection, {"sql": sql}).rows == ((2,), (2,))


def test_only_the_first_rows_are_kept_but_all_are_counted(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found = run(connection, {"between": "range", "max": 9, "severity": "warn"}, "range(1000)")
    assert (found.failed, found.severity) == (990, "warn")
    assert found.rows == ((10,), (11,), (12,), (13,), (14,))


def test_a_passed_check_has_no_rows(connection: duckdb.DuckDBPyConnection) -> None:
    assert run(connection, {"not_null": "kind"}, "(SELECT 1 AS kind)") == CheckOutcome(
        "not_null_kind", 0
    )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"not_null": "nosuch"},
            r"models/m\.sql: check 'not_null_nosuch' cannot run: .*\"nosuch\" not found",
        ),
        (
            {"accepted_values": "id", "values": ["a"]},
            r"check 'accepted_values_id' cannot run: Conversion",
        ),
        (
            {"sql": "SELECT nosuch FROM m", "name": "x"},
            r"check 'x' cannot run: .*correct it in the header",
        ),
        ({"sql": "SELECT * FROM mm", "name": "x"}, r"check 'x':1:15: there is no dataset 'mm'"),
        (
            {"sql": "FROM read_csv('/etc/passwd')", "name": "x"},
            r"check 'x':1:6: read_csv\(\) is no dataset",
        ),
    ],
)
def test_a_broken_check_names_its_model_and_itself(
    connection: duckdb.DuckDBPyConnection, said: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelInvalid, match=message):
        run(connection, said)


def test_a_check_says_which_other_datasets_it_needs() -> None:
    said = [
        {"unique": "id"},
        {"references": "id", "to": "raw.zones.id"},
        {"references": "parent", "to": "curated.m.id"},
        {"sql": "SELECT * FROM m JOIN zones USING (id) JOIN days USING (id)"},
    ]
    checks = parse_checks(said, path="models/m.sql")
    known = ["raw.zones", "raw.m", "curated.days"]
    assert [check_inputs(check, "curated.m", known) for check in checks] == [
        (),
        ("raw.zones",),
        (),
        ("raw.zones", "curated.days"),
    ]


def test_a_reference_to_no_dataset_is_refused() -> None:
    check = parse_checks([{"references": "id", "to": "raw.zonse.id"}], path="models/m.sql")[0]
    with pytest.raises(
        ModelInvalid, match=r"check 'references_id': there is no dataset 'raw\.zonse'"
    ):
        check_inputs(check, "curated.m", ["raw.zones"])
