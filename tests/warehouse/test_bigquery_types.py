"""Values and types in BigQuery: what arrives exactly, what is widened, what is refused."""

import dataclasses
import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lake.errors import (
    LoadRefused,
)
from lake.warehouse.bigquery_place import EMULATOR
from lake.warehouse.load import load, reconcile
from tests.warehouse.bigquery_server import Server
from tests.warehouse.loads import Publish, one_row
from tests.warehouse.places import Place


@pytest.fixture
def warehouse(bigquery_warehouse: Place) -> Place:
    return bigquery_warehouse


TYPES = [
    ("BOOLEAN", "true", "BOOL", None),
    ("TINYINT", "-128", "INT64", None),
    ("UINTEGER", "4294967295", "INT64", None),
    ("BIGINT", "-9223372036854775808", "INT64", None),
    ("UBIGINT", "18446744073709551615", "NUMERIC(20,0)", None),
    ("FLOAT", "0.5", "FLOAT64", None),
    ("DOUBLE", "5e-324", "FLOAT64", None),
    ("DECIMAL(38,9)", "'12345678901234567890123456789.123456789'", "NUMERIC(38,9)", None),
    ("DECIMAL(4,2)", "'1.5'", "NUMERIC(4,2)", "1.50"),
    ("DECIMAL(38,10)", "'-1234567890123456789012345678.0123456789'", "BIGNUMERIC(38,10)", None),
    ("VARCHAR", "'it''s é 💡\n\\'", "STRING", "it's é 💡\n\\"),
    ("BLOB", "'\\x00\\xFF'", "BYTES", None),
    ("DATE", "'0001-01-01'", "DATE", None),
    ("TIME", "'23:59:59.999999'", "TIME", None),
    ("TIMESTAMP", "'1969-12-31 23:59:59.999999'", "DATETIME", None),
    ("TIMESTAMP_MS", "'2024-01-01 00:00:00.5'", "DATETIME", None),
    ("TIMESTAMP WITH TIME ZONE", "'9999-12-31 23:59:59.5+00'", "TIMESTAMP", None),
    ("UUID", "'0b5e0000-0000-4000-8000-000000000001'", "STRING", None),
    ("ENUM('a', 'b')", "'b'", "STRING", None),
    ("JSON", "'{\"k\": [1, null]}'", "JSON", '{"k":[1,null]}'),
    ("INTEGER[]", "[1, NULL, 3]", "JSON", "[1,null,3]"),
    ("STRUCT(a INTEGER, b VARCHAR[])", "{'a': 1, 'b': ['x']}", "JSON", '{"a":1,"b":["x"]}'),
    ("MAP(VARCHAR, BIGINT)", "MAP {'k': 9007199254740993}", "JSON", '{"k":9007199254740993}'),
]


def test_every_type_arrives_exactly(
    tmp_path: Path, warehouse: Place, publish: Publish, described: Callable[..., dict[str, Any]]
) -> None:
    columns: dict[str, Any] = {
        f"c{i}": (type_, value) for i, (type_, value, *_) in enumerate(TYPES)
    }
    columns |= {f"n{i}": (one[0], "NULL") for i, one in enumerate(TYPES)}
    job = one_row(publish, **columns)
    load(warehouse.url, job, root=tmp_path)
    names = [f"c{i}" for i in range(len(TYPES))]
    (found,) = warehouse.run(f"SELECT {', '.join(f'{n}::VARCHAR' for n in names)} FROM t")
    wanted = [said if said is not None else value.strip("'") for _, value, _, said in TYPES]
    assert [re.sub(r"\+00$|\s(?=[\"\[\d])", "", text) for text in found] == [
        re.sub(r"\+00$|\s(?=[\"\[\d])", "", text) for text in wanted
    ]
    nulls = " AND ".join(f"{n.replace('c', 'n')} IS NULL" for n in names)
    assert warehouse.run(f"SELECT count(*) FROM t WHERE {nulls}") == [(1,)]
    kinds = {f["name"]: spelt(f) for f in described()["schema"]["fields"]}
    assert [kinds[name] for name in names] == [type_ for _, _, type_, _ in TYPES]
    assert not reconcile(warehouse.url, job, root=tmp_path, mend=False).differing


def spelt(field: dict[str, Any]) -> str:
    word = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}.get(
        field["type"], field["type"]
    )
    return f"{word}({field['precision']},{field['scale']})" if "precision" in field else word


@pytest.mark.parametrize(
    ("type_", "value", "cast"),
    [
        ("HUGEINT", "1", 'CAST("n" AS DECIMAL(38,0))'),
        ("TIMESTAMP_NS", "'2024-01-01'", 'CAST("n" AS TIMESTAMP)'),
        ("TIME WITH TIME ZONE", "'10:00+01'", 'CAST("n" AS TIME)'),
        ("INTERVAL", "'1 day'", 'CAST("n" AS VARCHAR)'),
    ],
)
def test_a_type_without_an_exact_one_is_refused_with_the_cast_to_write(
    tmp_path: Path, warehouse: Place, publish: Publish, type_: str, value: str, cast: str
) -> None:
    message = (
        f"column n of curated.daily is {type_}, for which BigQuery has no exact type: nothing"
        f" was changed; write {cast} in the model"
    )
    with pytest.raises(LoadRefused, match=f"^{re.escape(message)}$"):
        load(warehouse.url, one_row(publish, n=(type_, value)), root=tmp_path)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("DATE", "'infinity'"),
        ("DATE", "'0044-03-15 (BC)'"),
        ("TIME", "'24:00:00'"),
        ("TIMESTAMP", "'10000-01-01'"),
        ("TIMESTAMP WITH TIME ZONE", "'infinity'"),
    ],
)
def test_a_day_or_hour_that_bigquery_does_not_have_is_refused_before_it_is_sent(
    tmp_path: Path,
    warehouse: Place,
    publish: Publish,
    bigquery_server: Server,
    type_: str,
    value: str,
) -> None:
    at = len(bigquery_server.asked)
    with pytest.raises(LoadRefused, match=r"^column n of curated\.daily at commit 1 holds a value"):
        load(warehouse.url, one_row(publish, n=(type_, value)), root=tmp_path)
    assert not [one for one in bigquery_server.asked[at:] if one.is_upload]


@pytest.mark.parametrize(
    ("held", "given", "becomes"),
    [
        (("BIGINT", "1"), ("DECIMAL(9,2)", "1234567.25"), "NUMERIC"),
        (("INTEGER", "1"), ("DOUBLE", "2.5"), "FLOAT64"),
        (("DECIMAL(4,2)", "1.5"), ("DECIMAL(9,2)", "1234567.25"), "NUMERIC(9,2)"),
        (("DECIMAL(4,2)", "1.5"), ("DECIMAL(4,3)", "2.125"), "NUMERIC(5,3)"),
        (("DECIMAL(4,2)", "1.5"), ("DECIMAL(38,10)", "2.5"), "BIGNUMERIC"),
        (("DECIMAL(9,2)", "1.5"), ("DECIMAL(3,1)", "2.5"), "NUMERIC(9,2)"),
        (("BIGINT", "1"), ("UTINYINT", "2"), "INT64"),
    ],
)
def test_a_number_is_widened_where_bigquery_does_it_without_loss(
    tmp_path: Path,
    warehouse: Place,
    publish: Publish,
    described: Callable[..., dict[str, Any]],
    held: tuple[str, str],
    given: tuple[str, str],
    becomes: str,
) -> None:
    load(warehouse.url, one_row(publish, n=held), root=tmp_path)
    load(warehouse.url, one_row(publish, 2, n=given), root=tmp_path)
    assert spelt(described()["schema"]["fields"][0]) == becomes
    assert warehouse.run(f"SELECT CAST(n AS {given[0]}) = {given[1]} FROM t") == [(True,)]


@pytest.mark.parametrize(
    ("held", "type_"),
    [(("BIGINT", "9007199254740993"), "INT64"), (("DECIMAL(9,2)", "1.25"), "NUMERIC(9,2)")],
)
def test_a_type_that_would_round_is_refused_with_the_statement_to_run(
    tmp_path: Path, warehouse: Place, publish: Publish, held: tuple[str, str], type_: str
) -> None:
    load(warehouse.url, one_row(publish, n=held), root=tmp_path)
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, one_row(publish, 2, n=("DOUBLE", "1")), root=tmp_path)
    table = f"`{warehouse.url.split('/')[2]}`.`lake`.`t`"
    assert str(refused.value) == (
        f"column n of table t in {warehouse.shown} is {type_}, and in curated.daily at commit 2 it"
        " is FLOAT64: nothing was changed; that would round what is held, so run yourself: ALTER"
        f" TABLE {table} ALTER COLUMN `n` SET DATA TYPE FLOAT64"
    )


LIVE = os.environ.get("CLEARLAKE_BIGQUERY", "")


@pytest.mark.skipif(
    not LIVE or "GOOGLE_APPLICATION_CREDENTIALS" not in os.environ,
    reason="needs BigQuery: set GOOGLE_APPLICATION_CREDENTIALS and CLEARLAKE_BIGQUERY to"
    " PROJECT/DATASET",
)
def test_bigquery_itself_takes_loads_of_every_mode(
    tmp_path: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(EMULATOR, raising=False)
    url, run = f"bigquery://{LIVE}", uuid.uuid4().hex[:8]
    columns: dict[str, Any] = {
        f"c{i}": (type_, value) for i, (type_, value, *_) in enumerate(TYPES)
    }
    typed = dataclasses.replace(one_row(publish, **columns), table=f"clearlake_{run}_types")
    assert load(url, typed, root=tmp_path).rows == 1
    assert not reconcile(url, typed, root=tmp_path, mend=False).differing
    for mode, key in (("replace", ()), ("append", ()), ("merge", ("trips",))):
        table = {"table": f"clearlake_{run}_{mode}", "mode": mode, "merge_on": key}
        load(url, publish(1, {"2024-01": [3], "2024-02": [5]}, **table), root=tmp_path)
        both = {"2024-01": [3], "2024-02": [5] if mode == "append" else [6], "2024-03": [8]}
        done = load(url, publish(2, both, **table), root=tmp_path)
        assert done.rows == (4 if mode == "merge" else 3)
        assert load(url, publish(2, both, **table), root=tmp_path).loaded == ()
