import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import lake
from lake.config import load
from lake.errors import SchemaConflict, VersionHeld
from lake.lake import Lake
from lake.opening import open_lake
from lake.operations.apply import apply

Parquet = Callable[[str, str], Path]
HEAD = """
[sources.x]
url = "{month}.parquet"
partition.month = { every = "month", since = "2024-01", until = "2024-03" }
[sources.x.columns]
"""


def declared(folder: Path, columns: str) -> Lake:
    """Open the lake of a folder, made if need be, with a `lake.toml` that says this of columns."""
    url = str(folder / "lake")
    lake.init(url)
    (folder / "lake.toml").write_text(HEAD + columns)
    return open_lake(url, config=load(None, env=None, environ={}, cwd=folder))


def columns_of(lk: Lake, name: str) -> list[tuple[str, ...]]:
    query = "SELECT type, file_column, file_type, rule FROM meta.columns WHERE dataset = 'raw.x'"
    found = lk.sql(f'{query} AND "column" = {name!r} ORDER BY file_column, file_type').fetchall()
    return [tuple(row) for row in found]


def test_former_names_become_the_declared_one(tmp_path: Path, parquet: Parquet) -> None:
    parquet("2024-01.parquet", "SELECT 1 AS lpep_pickup_datetime, 10 AS fare")
    parquet("2024-02.parquet", 'SELECT 2 AS " Trip_Pickup_DateTime", 20 AS fare')
    parquet("2024-03.parquet", 'SELECT 30 AS fare, 3 AS "PICKUP_AT"')
    lk = declared(
        tmp_path,
        'pickup_at = { from = ["lpep_pickup_datetime", "trip_pickup_datetime"] }',
    )
    lk.land_sources()
    assert lk.sql("SELECT pickup_at, fare FROM raw.x ORDER BY ALL").fetchall() == [
        (1, 10),
        (2, 20),
        (3, 30),
    ]
    rule = "declared rename, renamed spelling"
    assert columns_of(lk, "pickup_at") == [
        ("INTEGER", " Trip_Pickup_DateTime", "INTEGER", rule),
        ("INTEGER", "PICKUP_AT", "INTEGER", rule),
        ("INTEGER", "lpep_pickup_datetime", "INTEGER", rule),
    ]


def test_a_lake_opened_without_lake_toml_keeps_its_renames(
    tmp_path: Path, parquet: Parquet, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet("2024-01.parquet", "SELECT 1 AS old")
    declared(tmp_path, 'new = { from = ["old"], type = "BIGINT" }').land_sources(until="2024-01")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    (tmp_path / "lake.toml").unlink()
    lk = lake.open(str(tmp_path / "lake"))
    assert lk.sql("FROM raw.x").columns == ["new", "month"]
    with duckdb.connect(str(lk.attach(tmp_path / "views.duckdb"))) as stock:
        assert stock.sql("SELECT new FROM raw.x").fetchall() == [(1,)]
    lk.land(parquet("b.parquet", "SELECT 2 AS Old"), dataset="raw.x", partition={"month": "b"})
    assert lk.sql("SELECT new FROM raw.x ORDER BY ALL").fetchall() == [(1,), (2,)]


def test_a_snapshot_from_before_a_declaration_has_the_old_names(
    tmp_path: Path, parquet: Parquet
) -> None:
    parquet("2024-01.parquet", "SELECT 1 AS old")
    declared(tmp_path, "").land_sources(until="2024-01")
    lk = declared(tmp_path, 'new = { from = ["old"], type = "VARCHAR" }')
    assert apply(lk)[1] == 2
    assert lk.sql("SELECT new FROM raw.x").fetchall() == [("1",)]
    assert lk.at(1).sql("SELECT old FROM raw.x").fetchall() == [(1,)]
    assert lk.at(2).sql("FROM raw.x").columns == ["new", "month"]
    assert apply(lk)[1] is None


@pytest.mark.parametrize(
    ("declared_type", "values", "expected"),
    [
        ("BIGINT", ["1::TINYINT", "4294967295::UINTEGER"], [1, 4294967295]),
        ("DOUBLE", ["1::BIGINT", "0.1::DOUBLE"], [0.1, 1.0]),
        ("DOUBLE", ["9007199254740991", "1.5::FLOAT"], [1.5, 9007199254740991.0]),
        (
            "VARCHAR",
            ["9007199254740993", "0.1::DOUBLE", "1.50::DECIMAL(4,2)"],
            ["0.1", "1.50", "9007199254740993"],
        ),
        (
            "VARCHAR",
            ["TIMESTAMPTZ '2024-01-01 01:00:00+01'", "TIMESTAMP '2024-01-01 00:00:00'"],
            ["2024-01-01 00:00:00", "2024-01-01 00:00:00Z"],
        ),
        (
            "DECIMAL(38,2)",
            ["1.5::DECIMAL(2,1)", "9223372036854775807"],
            [Decimal("1.50"), Decimal("9223372036854775807.00")],
        ),
        ("DATE", ["NULL::INTEGER", "NULL::VARCHAR"], [None, None]),
        ("BIGINT[]", ["[1::TINYINT]", "[9007199254740993]"], [[1], [9007199254740993]]),
        (
            "STRUCT(fee VARCHAR, b INTEGER)",
            ["{'fee': 1.5::DECIMAL(3,1), 'b': 1}", "{'fee': 1.5::DOUBLE}"],
            [{"fee": "1.5", "b": 1}, {"fee": "1.5", "b": None}],
        ),
    ],
)
def test_a_declared_type_holds_every_value_exactly(
    tmp_path: Path,
    parquet: Parquet,
    declared_type: str,
    values: list[str],
    expected: list[object],
) -> None:
    for number, value in enumerate(values, 1):
        parquet(f"2024-0{number}.parquet", f"SELECT {value} AS v")
    lk = declared(tmp_path, f'v = {{ type = "{declared_type}" }}')
    lk.land_sources(until=f"2024-0{len(values)}")
    assert [row[0] for row in lk.sql("SELECT v FROM raw.x ORDER BY v").fetchall()] == expected
    found = columns_of(lk, "v")
    assert {row[3] for row in found} == {"as declared"}
    assert len(found) == len(values)


def test_a_date_reads_as_the_declared_timestamp(tmp_path: Path, parquet: Parquet) -> None:
    parquet("2024-01.parquet", "SELECT DATE '2024-01-31' AS v")
    lk = declared(tmp_path, 'v = { type = "TIMESTAMP" }')
    lk.land_sources(until="2024-01")
    assert lk.sql("SELECT v::VARCHAR FROM raw.x").fetchall() == [("2024-01-31 00:00:00",)]
    assert columns_of(lk, "v") == [("TIMESTAMP", "v", "DATE", "as declared")]


def test_text_that_is_not_of_the_declared_type_is_a_rejected_row(
    tmp_path: Path, parquet: Parquet
) -> None:
    parquet("2024-01.parquet", "FROM (VALUES ('7'), ('n/a')) t(v)")
    lk = declared(tmp_path, 'v = { type = "BIGINT" }')
    message = (
        "raw.x/month=2024-01 is held: 1 row was rejected (at most 0 may be), the first: row 2:"
        " column 'v' is no BIGINT; mend the source, or allow them with max_rejects"
    )
    with pytest.raises(VersionHeld, match=f"^{re.escape(message)}$"):
        lk.land_sources(until="2024-01")


@pytest.mark.parametrize(
    ("declared_type", "value", "file_type", "why", "advice"),
    [
        (
            "INTEGER",
            "1::BIGINT",
            "BIGINT",
            "together they are BIGINT, so not every value fits into what is declared",
            "BIGINT",
        ),
        (
            "DOUBLE",
            "9007199254740993",
            "BIGINT",
            "some of the integers are beyond ±2^53, which DOUBLE does not hold exactly",
            "VARCHAR",
        ),
    ],
)
def test_a_file_that_does_not_fit_the_declared_type_is_held(
    tmp_path: Path,
    parquet: Parquet,
    declared_type: str,
    value: str,
    file_type: str,
    why: str,
    advice: str,
) -> None:
    parquet("2024-01.parquet", f"SELECT {value} AS v")
    lk = declared(tmp_path, f'v = {{ type = "{declared_type}" }}')
    with pytest.raises(VersionHeld, match=r"^raw.x/month=2024-01 is held: column 'v'") as caught:
        lk.land_sources(until="2024-01")
    key = lk.state.partition("raw.x", "month=2024-01").held[0].files[0].key
    assert str(caught.value).endswith(
        f": {key} has {file_type}, declared is {declared_type} ({why}); declare"
        f' v = {{ type = "{advice}" }} in [sources.x.columns] of lake.toml, run `lake apply` and'
        " land it again"
    )


def test_the_advice_works_and_what_was_held_becomes_current(
    tmp_path: Path, parquet: Parquet
) -> None:
    parquet("2024-01.parquet", "SELECT 9007199254740993 AS fare")
    parquet("2024-02.parquet", "SELECT 1.5::DOUBLE AS fare")
    lk = declared(tmp_path, "")
    with pytest.raises(VersionHeld, match=r'declare fare = \{ type = "VARCHAR" \} in'):
        lk.land_sources(until="2024-02")
    lk = declared(tmp_path, 'fare = { type = "VARCHAR" }')
    outcomes = [one.outcome for one in lk.land_sources(until="2024-02")]
    assert outcomes == ["unchanged", "landed"]
    assert lk.sql("SELECT fare FROM raw.x ORDER BY fare").fetchall() == [
        ("1.5",),
        ("9007199254740993",),
    ]
    shown = "SELECT version, action, current, held FROM meta.versions WHERE partition LIKE '%02'"
    assert lk.sql(shown).fetchall() == [(1, "hold", False, True), (2, "release", True, False)]


def test_two_spellings_in_one_file_can_be_told_apart(tmp_path: Path) -> None:
    pq.write_table(pa.table({"fare": [1], " Fare": [2]}), tmp_path / "2024-01.parquet")
    lk = declared(tmp_path, 'fare = {}\nfare_2 = { from = [" Fare"] }')
    lk.land_sources(until="2024-01")
    assert lk.sql("SELECT fare, fare_2 FROM raw.x").fetchall() == [(1, 2)]


def test_a_former_name_beside_the_new_one_is_held(tmp_path: Path, parquet: Parquet) -> None:
    parquet("2024-01.parquet", "SELECT 1 AS new, 2 AS old")
    lk = declared(tmp_path, 'new = { from = ["old"] }')
    both = "both are declared as one column; take one out of its former names"
    with pytest.raises(VersionHeld, match=rf"{both}\); declare new = {{}} in") as caught:
        lk.land_sources(until="2024-01")
    assert "has INTEGER ('new') and INTEGER ('old')" in str(caught.value)


@pytest.mark.parametrize("verb", ["apply", "land"])
def test_a_declaration_that_the_current_files_contradict_is_refused(
    tmp_path: Path, parquet: Parquet, verb: str
) -> None:
    parquet("2024-01.parquet", "SELECT 'n/a' AS v")
    declared(tmp_path, "").land_sources(until="2024-01")
    parquet("2024-02.parquet", "SELECT 1 AS v")
    lk = declared(tmp_path, 'v = { type = "BIGINT" }')
    key = lk.state.data_files("raw.x")[0].key
    with pytest.raises(SchemaConflict, match=r"^\[sources.x.columns\] does not fit") as caught:
        apply(lk) if verb == "apply" else lk.land_sources(until="2024-02")
    assert str(caught.value) == (
        "[sources.x.columns] does not fit the current files: column 'v' is VARCHAR in"
        f" {key} and BIGINT in the declaration: together they are VARCHAR, so not every value"
        " fits into what is declared"
    )
    assert lk.refresh() == 1


def test_a_declaration_that_files_need_cannot_be_taken_back(
    tmp_path: Path, parquet: Parquet
) -> None:
    parquet("2024-01.parquet", "SELECT 1.5::DECIMAL(2,1) AS v")
    parquet("2024-02.parquet", "SELECT 1.5::DOUBLE AS v")
    declared(tmp_path, 'v = { type = "VARCHAR" }').land_sources(until="2024-02")
    lk = declared(tmp_path, "")
    with pytest.raises(SchemaConflict, match=r"does not fit .* a DOUBLE does not hold decimals"):
        apply(lk)


def test_the_order_of_files_does_not_matter_to_what_is_declared(
    tmp_path: Path, parquet: Parquet
) -> None:
    found = []
    values = ["1.5::DECIMAL(2,1) AS fare", '2.5::DOUBLE AS "Total"', "3 AS FARE"]
    for number, order in enumerate([values, values[::-1]]):
        folder = tmp_path / str(number)
        folder.mkdir()
        for month, value in enumerate(order, 1):
            parquet(f"{number}/2024-0{month}.parquet", f"SELECT {value}")
        lk = declared(folder, 'fare = { from = ["total"], type = "VARCHAR" }')
        lk.land_sources()
        found.append(lk.sql("SELECT fare FROM raw.x ORDER BY fare").fetchall())
    assert found == [[("1.5",), ("2.5",), ("3",)]] * 2
