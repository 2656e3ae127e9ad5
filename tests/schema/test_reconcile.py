from collections.abc import Sequence
from itertools import permutations

import pytest

from lake.catalog.entries import Column, schema_id
from lake.errors import InvalidConfig, SchemaConflict
from lake.schema.reconcile import Member, Reconciled, reconcile


def member(*columns: Column, commit: int = 1) -> Member:
    return Member(schema_id(columns), columns, commit)


def column(text: str) -> Column:
    kind, _, facts = text.partition("!")
    return Column("x", kind.strip(), tuple(facts.split()))


def together(*types: str) -> str:
    """Join one column of these types, a fact or more behind a blank and `!`; in every order."""
    columns = [column(text) for text in types]
    found = set()
    for ordered in permutations(columns):
        members = [member(one, commit=at) for at, one in enumerate(ordered)]
        found.add(reconcile(members[::-1]).columns[0].type)
    assert len(found) == 1, f"the order decided: {found}"
    return found.pop()


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (["INTEGER ! null", "DATE"], "DATE"),
        (["INTEGER ! null", "STRUCT(a INTEGER)"], 'STRUCT("a" INTEGER)'),
        (["STRUCT(a INTEGER) ! null", "BLOB"], "BLOB"),
        (["INTEGER ! null", "VARCHAR ! null"], "VARCHAR"),
        (["INTEGER ! null", "BIGINT ! null"], "BIGINT"),
        (["INTEGER ! null", "BLOB ! null"], "VARCHAR"),
        (["INTEGER", "BIGINT"], "BIGINT"),
        (["UTINYINT", "TINYINT"], "SMALLINT"),
        (["UTINYINT", "USMALLINT"], "USMALLINT"),
        (["UINTEGER", "INTEGER"], "BIGINT"),
        (["UTINYINT", "INTEGER", "UINTEGER"], "BIGINT"),
        (["UBIGINT", "TINYINT"], "DECIMAL(20,0)"),
        (["UBIGINT", "BIGINT", "DECIMAL(4,2)"], "DECIMAL(22,2)"),
        (["BIGINT", "DOUBLE"], "DOUBLE"),
        (["TINYINT", "FLOAT"], "DOUBLE"),
        (["FLOAT", "DOUBLE"], "DOUBLE"),
        (["INTEGER", "BIGINT", "FLOAT"], "DOUBLE"),
        (["DATE", "TIMESTAMP"], "TIMESTAMP"),
        (["DATE", "TIMESTAMP_NS"], "TIMESTAMP_NS"),
        (["TIMESTAMP", "TIMESTAMP_NS", "DATE"], "TIMESTAMP_NS"),
        (["DECIMAL(4,2)", "DECIMAL(10,1)"], "DECIMAL(11,2)"),
        (["DECIMAL(4,2)", "INTEGER"], "DECIMAL(12,2)"),
        (["DECIMAL(18,0)", "BIGINT"], "DECIMAL(19,0)"),
        (["VARCHAR", "BIGINT ! wide", "DOUBLE"], "VARCHAR"),
        (["VARCHAR", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"], "VARCHAR"),
        (["VARCHAR", "BOOLEAN", "UUID", "TIME", "DATE", "DECIMAL(4,2)"], "VARCHAR"),
        (["VARCHAR", "JSON"], "VARCHAR"),
        (["JSON", "BIGINT"], "VARCHAR"),
        (["BIGINT[]", "INTEGER[]"], "BIGINT[]"),
        (["BIGINT[]", "DOUBLE[]"], "DOUBLE[]"),
        (["MAP(VARCHAR, INTEGER)", "MAP(VARCHAR, DOUBLE)"], "MAP(VARCHAR, DOUBLE)"),
        (["STRUCT(a INTEGER)", "STRUCT(a DOUBLE)"], 'STRUCT("a" DOUBLE)'),
        (["STRUCT(a INTEGER) ! a:null", "STRUCT(a DATE)"], 'STRUCT("a" DATE)'),
        (["INTEGER[] ! element:null", "DATE[]"], "DATE[]"),
    ],
)
def test_types_seen_together_become_one(types: Sequence[str], expected: str) -> None:
    assert together(*types) == expected


@pytest.mark.parametrize(
    ("left", "right", "why"),
    [
        ("BIGINT ! wide", "DOUBLE", "beyond ±2"),
        ("UBIGINT ! wide", "FLOAT", "beyond ±2"),
        ("DECIMAL(4,2)", "DOUBLE", "does not hold decimals"),
        ("DECIMAL(38,0)", "DECIMAL(4,2)", "38 digits"),
        ("DECIMAL(38,30)", "BIGINT", "38 digits"),
        ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "time zone"),
        ("DATE", "TIMESTAMP WITH TIME ZONE", "time zone"),
        ("TIMESTAMP ! beyond_ns", "TIMESTAMP_NS", "outside"),
        ("DATE ! beyond_us", "TIMESTAMP", "outside"),
        ("VARCHAR", "BLOB", "no type holds"),
        ("VARCHAR", "INTERVAL", "no type holds"),
        ("VARCHAR", "INTEGER[]", "no type holds"),
        ("BOOLEAN", "INTEGER", "no type holds"),
        ("INTEGER", "DATE", "no type holds"),
        ("STRUCT(a INTEGER)", "INTEGER[]", "no type holds"),
        ("JSON", "STRUCT(a INTEGER)", "no type holds"),
        ("VARIANT", "INTEGER", "only goes with itself"),
        ("HUGEINT", "BIGINT", "no type holds"),
    ],
)
def test_types_that_no_rule_joins_are_named_with_the_reason(
    left: str, right: str, why: str
) -> None:
    for pair in ((left, right), (right, left), (left, right, left.split(" !")[0] + " ! null")):
        with pytest.raises(SchemaConflict, match=why) as caught:
            together(*pair)
        assert {caught.value.conflict.left_type, caught.value.conflict.right_type} == {
            text.split(" !")[0].replace("(a ", '("a" ') for text in (left, right)
        }


def test_a_conflict_names_both_schemas_and_the_newest_pair() -> None:
    members = [
        member(Column("x", "INTEGER"), commit=1),
        member(Column("x", "BIGINT"), commit=2),
        member(Column("X", "DATE"), commit=3),
    ]
    with pytest.raises(SchemaConflict, match=r"'X' is BIGINT in schema .* and DATE in") as found:
        reconcile(members)
    conflict = found.value.conflict
    assert (conflict.left_schema, conflict.right_schema) == (
        members[1].schema_id,
        members[2].schema_id,
    )


def test_a_conflict_inside_a_struct_names_the_path() -> None:
    left = member(Column("trip", "STRUCT(fee BIGINT, n INTEGER)[]", ("element.fee:wide",)))
    right = member(Column("trip", "STRUCT(fee DOUBLE)[]"), commit=2)
    with pytest.raises(SchemaConflict, match=r"column 'trip\.element\.fee' is BIGINT"):
        reconcile([left, right])


def names(found: Reconciled) -> list[str]:
    return [column.name for column in found.columns]


def test_the_newest_schema_decides_order_and_spelling() -> None:
    old = member(Column("airport_fee", "DOUBLE"), Column("gone", "DATE"), Column("id", "BIGINT"))
    new = member(Column("id", "BIGINT"), Column(" Airport_Fee ", "DOUBLE"), commit=2)
    found = reconcile([new, old])
    assert names(found) == ["id", "Airport_Fee", "gone"]
    assert [column.rule for column in found.columns] == [
        "same",
        "renamed spelling",
        "missing in some files",
    ]
    assert found.columns[2].parts[new.schema_id] is None
    assert reconcile([old, new]) == found


def test_two_columns_of_one_file_that_differ_only_in_case_are_refused() -> None:
    with pytest.raises(SchemaConflict, match=r"DATE \('A '\) in .*BIGINT \('a'\).*one name"):
        reconcile([member(Column("A ", "DATE"), Column("a", "BIGINT"))])


def test_a_column_without_a_name_is_refused() -> None:
    with pytest.raises(SchemaConflict, match="a column needs a name"):
        reconcile([member(Column("  ", "DATE"))])


def test_a_key_of_the_partition_takes_the_place_of_a_files_column() -> None:
    found = reconcile(
        [member(Column("Month", "DATE"), Column("x", "DATE"))],
        partition_keys=("month", "zone"),
        partition_types={"zone": "int"},
    )
    assert [(c.name, c.type, c.rule) for c in found.columns] == [
        ("x", "DATE", "same"),
        ("month", "VARCHAR", "partition"),
        ("zone", "INTEGER", "partition"),
    ]


def test_a_declared_type_of_a_partition_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="'INTEGER; DROP', which is no type"):
        reconcile([], partition_keys=("day",), partition_types={"day": "INTEGER; DROP"})


def test_the_rule_says_what_was_done() -> None:
    rules = {
        "null with DATE": ["INTEGER ! null", "DATE"],
        "widened": ["INTEGER", "BIGINT"],
        "widened to DECIMAL": ["UBIGINT", "BIGINT"],
        "integers as DOUBLE": ["INTEGER", "DOUBLE"],
        "dates as TIMESTAMP": ["DATE", "TIMESTAMP"],
        "finer unit": ["TIMESTAMP", "TIMESTAMP_NS"],
        "as text": ["DATE", "VARCHAR"],
        "field by field": ["STRUCT(a DATE)", "STRUCT(b DATE)"],
        "by element": ["INTEGER[]", "BIGINT[]"],
        "widened, null with BIGINT": ["INTEGER", "BIGINT", "DATE ! null"],
    }
    for rule, types in rules.items():
        found = reconcile([member(column(text)) for text in types])
        assert found.columns[0].rule == rule
