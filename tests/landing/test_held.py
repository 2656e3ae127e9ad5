import re
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import lake
from lake.catalog.state import Version
from lake.errors import VersionHeld
from lake.lake import Lake

Parquet = Callable[[str, str], Path]
DECLARE = "declare {} in [sources.x.columns] of lake.toml, run `lake apply` and land it again"
NOTHING = "no declaration joins these: have the source mend it, or land it as another dataset"


def land(lk: Lake, path: Path, month: str) -> str:
    """Land a file; return the message if it is held."""
    try:
        lk.land(path, dataset="raw.x", partition={"month": month})
    except VersionHeld as error:
        return str(error)
    return ""


def held(lk: Lake, month: str) -> Version:
    return lk.state.partition("raw.x", f"month={month}").held[-1]


def told(lk: Lake, left: str, right: str, why: str, advice: str, *, column: str = "fare") -> str:
    """Return the whole message about the files of months 1 and 2."""
    now = lk.state.partition("raw.x", "month=1").current
    assert now is not None
    keys = now.files[0].key, held(lk, "2").files[0].key
    return (
        f"raw.x/month=2 is held: column {column!r} cannot be read together: {keys[0]} has {left},"
        f" {keys[1]} has {right} ({why}); {advice}"
    )


AS_TEXT = DECLARE.format('fare = { type = "VARCHAR" }')


@pytest.mark.parametrize(
    ("old", "new", "left", "right", "why", "advice"),
    [
        (
            "9007199254740993",
            "1.5::DOUBLE",
            "BIGINT",
            "DOUBLE",
            "some of the integers are beyond ±2^53, which DOUBLE does not hold exactly",
            AS_TEXT,
        ),
        (
            "1.50::DECIMAL(4,2)",
            "1.5::DOUBLE",
            "DECIMAL(4,2)",
            "DOUBLE",
            "a DOUBLE does not hold decimals exactly",
            AS_TEXT,
        ),
        (
            "TIMESTAMPTZ '2024-01-01 00:00:00+00'",
            "TIMESTAMP '2024-01-01 00:00:00'",
            "TIMESTAMP WITH TIME ZONE",
            "TIMESTAMP",
            "one has a time zone, the other has none",
            AS_TEXT,
        ),
        (
            "{'a': 1}",
            "1",
            'STRUCT("a" INTEGER)',
            "INTEGER",
            "no type holds the values of both exactly",
            NOTHING,
        ),
        ("1", "'x'::BLOB", "INTEGER", "BLOB", "no type holds the values of both exactly", NOTHING),
    ],
)
def test_what_no_rule_joins_is_held_with_both_files_types_and_what_to_declare(
    tmp_path: Path,
    parquet: Parquet,
    old: str,
    new: str,
    left: str,
    right: str,
    why: str,
    advice: str,
) -> None:
    lk = lake.init(str(tmp_path / "lake"))
    land(lk, parquet("a.parquet", f"SELECT {old} AS fare"), "1")
    before = lk.sql("FROM raw.x").fetchall()
    message = land(lk, parquet("b.parquet", f"SELECT {new} AS fare"), "2")
    assert message == told(lk, left, right, why, advice)
    assert lk.sql("FROM raw.x").fetchall() == before


def test_a_leaf_of_a_struct_is_named_and_its_column_declared(
    tmp_path: Path, parquet: Parquet
) -> None:
    lk = lake.init(str(tmp_path / "lake"))
    land(lk, parquet("a.parquet", "SELECT {'fee': 1.5::DECIMAL(3,1), 'b': 1} AS trip"), "1")
    message = land(lk, parquet("b.parquet", "SELECT {'fee': 1.5::DOUBLE} AS trip"), "2")
    line = r'trip = { type = "STRUCT(\"fee\" VARCHAR, \"b\" INTEGER)" }'
    why = "a DOUBLE does not hold decimals exactly"
    advice = DECLARE.format(line)
    assert message == told(lk, "DECIMAL(3,1)", "DOUBLE", why, advice, column="trip.fee")


@pytest.mark.parametrize(
    ("empty", "full", "expected"),
    [
        ("{'a': NULL::INTEGER, 'b': 1}", "{'a': DATE '2024-01-31', 'b': 2}", "2024-01-31"),
        ("{'a': NULL::INTEGER}", "{'a': 'x'::BLOB}", "x"),
        ("{'a': NULL::INTEGER}", "{'a': [1.5::DOUBLE]}", "[1.5]"),
        ("{'a': {'c': NULL::VARCHAR}}", "{'a': {'c': 1.5::DOUBLE}}", "{'c': 1.5}"),
    ],
)
def test_a_leaf_without_values_joins_any_other(
    tmp_path: Path, parquet: Parquet, empty: str, full: str, expected: str
) -> None:
    lk = lake.init(str(tmp_path / "lake"))
    assert not land(lk, parquet("a.parquet", f"SELECT {empty} AS s"), "1")
    assert not land(lk, parquet("b.parquet", f"SELECT {full} AS s"), "2")
    found = lk.sql("SELECT s.a::VARCHAR FROM raw.x ORDER BY month DESC").fetchall()
    assert found[0] == (expected,)
    assert "1.5" not in str(found[1])


def test_every_column_that_stands_in_the_way_is_in_the_advice(
    tmp_path: Path, parquet: Parquet
) -> None:
    lk = lake.init(str(tmp_path / "lake"))
    kinds = "SELECT {0} AS fare, {0} AS tip, 1 AS n"
    land(lk, parquet("a.parquet", kinds.format("1.5::DECIMAL(3,1)")), "1")
    message = land(lk, parquet("b.parquet", kinds.format("1.5::DOUBLE")), "2")
    lines = 'fare = { type = "VARCHAR" } and tip = { type = "VARCHAR" }'
    assert message.endswith(f"; {DECLARE.format(lines)}")


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        (("a", "A"), NOTHING),
        (("fare", " Fare"), DECLARE.format('fare = {} and fare_2 = { from = [" Fare"] }')),
        (
            ("Fare ", " fare"),
            DECLARE.format('Fare = { from = ["Fare "] } and Fare_2 = { from = [" fare"] }'),
        ),
    ],
)
def test_two_spellings_of_a_name_in_one_file_are_held(
    tmp_path: Path, names: tuple[str, str], advice: str
) -> None:
    lk = lake.init(str(tmp_path / "lake"))
    pq.write_table(pa.table({names[0]: [1], names[1]: [2]}), tmp_path / "a.parquet")
    message = land(lk, tmp_path / "a.parquet", "2")
    assert message == (
        f"raw.x/month=2 is held: column {names[0].strip()!r} cannot be read together:"
        f" {held(lk, '2').files[0].key} has BIGINT ({names[0]!r}) and BIGINT ({names[1]!r})"
        f" (these are one name); {advice}"
    )


def test_what_is_held_is_kept_counted_and_seen_in_meta(tmp_path: Path, parquet: Parquet) -> None:
    lk = lake.init(str(tmp_path / "lake"))
    land(lk, parquet("a.parquet", "SELECT 1.5::DOUBLE AS fare"), "1")
    wide = parquet("b.parquet", "SELECT 9007199254740993 AS fare")
    first = land(lk, wide, "2")
    commit = lk.commit
    assert land(lk, wide, "2") == f"{first} (held since commit {commit}, as v1)"
    assert lk.commit == commit
    shown = "SELECT partition, version, action, current, held FROM meta.versions ORDER BY commit"
    assert lk.sql(shown).fetchall() == [
        ("month=1", 1, "landing", True, False),
        ("month=2", 1, "hold", False, True),
    ]
    kept = tmp_path / "lake" / held(lk, "2").files[0].key
    assert kept.read_bytes() == wide.read_bytes()


def test_a_version_that_joins_becomes_current_after_one_that_was_held(
    tmp_path: Path, parquet: Parquet
) -> None:
    lk = lake.init(str(tmp_path / "lake"))
    land(lk, parquet("a.parquet", "SELECT 1.5::DOUBLE AS fare"), "1")
    assert land(lk, parquet("b.parquet", "SELECT 9007199254740993 AS fare"), "2")
    assert not land(lk, parquet("c.parquet", "SELECT 7 AS fare"), "2")
    assert lk.sql("SELECT fare FROM raw.x ORDER BY ALL").fetchall() == [(1.5,), (7.0,)]
    shown = "SELECT version, current, held FROM meta.versions WHERE partition = 'month=2'"
    assert lk.sql(shown).fetchall() == [(1, False, True), (2, True, False)]


def test_what_was_held_becomes_current_once_the_others_let_it_join(
    tmp_path: Path, parquet: Parquet
) -> None:
    lk = lake.init(str(tmp_path / "lake"))
    land(lk, parquet("a.parquet", "SELECT 1.5::DOUBLE AS fare"), "1")
    wide = parquet("b.parquet", "SELECT 9007199254740993 AS fare")
    assert land(lk, wide, "2")
    land(lk, parquet("c.parquet", "SELECT 1 AS fare"), "1")
    found = lk.land(wide, dataset="raw.x", partition={"month": "2"})
    assert (found.outcome, found.version, found.rows, found.commit) == ("landed", 2, 1, 4)
    assert lk.sql("SELECT fare FROM raw.x ORDER BY 1").fetchall() == [(1,), (9007199254740993,)]
    assert not land(lk, wide, "2")
    assert lk.commit == 4


def test_the_order_of_landing_decides_what_is_held_and_never_an_answer(
    tmp_path: Path, parquet: Parquet
) -> None:
    files = [
        parquet("a.parquet", "SELECT 1::SMALLINT AS fare, 'x' AS note"),
        parquet("b.parquet", 'SELECT 2.5::DOUBLE AS "Fare"'),
        parquet("c.parquet", "SELECT 'y' AS note, NULL::INTEGER AS fare"),
    ]
    answers: list[Any] = []
    for number, order in enumerate(list(permutations(files))[::2]):
        lk = lake.init(str(tmp_path / f"lake-{number}"))
        assert [land(lk, path, path.stem) for path in order] == [""] * 3
        answers.append(lk.sql("SELECT fare, note, month FROM raw.x ORDER BY month").fetchall())
    assert answers == [[(1.0, "x", "a"), (2.5, None, "b"), (None, "y", "c")]] * 3
    wide = parquet("w.parquet", "SELECT 9007199254740993 AS fare")
    for number, (first, second) in enumerate(permutations([files[1], wide])):
        lk = lake.init(str(tmp_path / f"pair-{number}"))
        assert not land(lk, first, "1")
        assert re.search("beyond ±2", land(lk, second, "2"))
