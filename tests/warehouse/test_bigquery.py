"""BigQuery as a warehouse: types, what becomes of a table, and what is refused in one line."""

import dataclasses
import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lake.errors import (
    InvalidConfig,
    InvalidName,
    LakeError,
    LoadRefused,
    StoreRefused,
    StoreUnavailable,
)
from lake.warehouse.bigquery import BigQueryWarehouse, parse
from lake.warehouse.bigquery_place import EMULATOR
from lake.warehouse.load import TableLoad, count, describe, holds, load, reconcile
from tests.warehouse.bigquery_server import Request, Server
from tests.warehouse.loads import Publish
from tests.warehouse.places import Place


@pytest.fixture
def warehouse(bigquery_warehouse: Place) -> Place:
    return bigquery_warehouse


@pytest.fixture
def described(warehouse: Place, bigquery_server: Server) -> Callable[..., dict[str, Any]]:
    """Return a function that tells what BigQuery would of a table."""

    def described(table: str = "t", dataset: str = "lake") -> dict[str, Any]:
        return bigquery_server.engine.table(warehouse.url.split("/")[2], dataset, table)

    return described


def one_row(publish: Publish, commit: int = 1, **columns: tuple[str, str]) -> TableLoad:
    """Return a load of one row into `t`: of each column its type and its value."""
    select = ", ".join(f'CAST({value} AS {t}) AS "{name}"' for name, (t, value) in columns.items())
    base = publish(commit, {"2024-01": [1]}, table="t")
    partition = dataclasses.replace(
        base.partitions[0], partition="", select=f"SELECT {select}", content=str(commit)
    )
    types = tuple((name, type_) for name, (type_, _) in columns.items())
    return dataclasses.replace(base, columns=types, partitions=(partition,))


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


@pytest.mark.parametrize("name", ['a "b"', "a.b", "a`b", "x" * 301, "_table_x", "_PARTITIONDATE"])
def test_a_name_that_bigquery_does_not_take_is_refused(
    tmp_path: Path, warehouse: Place, publish: Publish, name: str
) -> None:
    base = dataclasses.replace(one_row(publish, n=("INTEGER", "1")), columns=((name, "INTEGER"),))
    with pytest.raises(LoadRefused, match=r"has a name that BigQuery does not take: nothing was"):
        load(warehouse.url, base, root=tmp_path)


def test_a_table_with_too_long_a_name_is_refused(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    with pytest.raises(InvalidName, match=r"whose names have 1024 signs at most: give it a short"):
        load(warehouse.url, publish(1, {}, table="t" * 1025), root=tmp_path)


def test_one_transaction_changes_rows_and_ledger_and_makes_no_table(
    tmp_path: Path, warehouse: Place, publish: Publish, bigquery_server: Server
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3], "2024-02": [5]}), root=tmp_path)
    at = len(bigquery_server.scripts())
    load(warehouse.url, publish(2, {"2024-01": [4]}), root=tmp_path)
    (script,) = bigquery_server.scripts()[at:]
    words = [line.split(" (")[0].split()[:2] for line in script.splitlines()]
    assert [" ".join(some) for some in words] == [
        "BEGIN TRANSACTION;",
        "SELECT IF((SELECT",
        "UPDATE `" + warehouse.url.split("/")[2] + "`.`lake`.`_lake_tables`",
        "DELETE FROM",
        "INSERT INTO",
        "SELECT IF(COUNT(*)",
        "MERGE INTO",
        "COMMIT TRANSACTION;",
    ]


def test_a_staging_table_expires_and_is_dropped(
    tmp_path: Path, warehouse: Place, publish: Publish, bigquery_server: Server
) -> None:
    at = len(bigquery_server.asked)
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    asked = bigquery_server.asked[at:]
    (made,) = [
        one
        for one in asked
        if one.method == "POST"
        and b'"_lake_stage_' in one.body
        and one.path.partition("?")[0].endswith("/tables")
    ]
    said = json.loads(made.body)
    assert 3600 < int(said["expirationTime"]) / 1000 - time.time() <= 24 * 3600
    table = said["tableReference"]["tableId"]
    dropped = [one.path.partition("?")[0] for one in asked if one.method == "DELETE"]
    assert [path.rpartition("/")[2] for path in dropped] == [table]


def test_a_large_file_is_sent_in_parts(
    tmp_path: Path, warehouse: Place, publish: Publish, bigquery_server: Server
) -> None:
    base = one_row(publish, n=("DOUBLE", "1"))
    select = "SELECT random() AS n FROM range(900000)"
    big = dataclasses.replace(base.partitions[0], select=select, rows=900_000)
    seen: list[Request] = []

    def lost(request: Request) -> str:
        if request.method == "PUT" and not seen:
            seen.append(request)
            return "lost"
        return ""

    with bigquery_server.failing(lost):
        done = load(warehouse.url, dataclasses.replace(base, partitions=(big,)), root=tmp_path)
    assert (done.rows, len(seen)) == (900_000, 1)
    assert warehouse.run("SELECT count(*), count(DISTINCT n) > 899000 FROM t") == [(900_000, True)]


def test_descriptions_are_kept_up_on_table_and_columns(
    tmp_path: Path, warehouse: Place, publish: Publish, described: Callable[..., dict[str, Any]]
) -> None:
    for commit, text in ((1, "it's \\ a\ncount"), (2, "How many")):
        words = {"comments": (("trips", text),), "description": f"Per day, {text}"}
        load(warehouse.url, publish(commit, {"2024-01": [3]}, **words), root=tmp_path)
        found = described("daily", "marts")
        trips = next(one for one in found["schema"]["fields"] if one["name"] == "trips")
        assert (found["description"], trips["description"]) == (f"Per day, {text}", text)


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


def test_a_view_in_the_place_of_the_table_is_refused(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    warehouse.run("CREATE VIEW t AS SELECT 1 AS n")
    with pytest.raises(LoadRefused, match=r"^t in \S+ is a view or an external table: give curat"):
        load(warehouse.url, one_row(publish, n=("INTEGER", "1")), root=tmp_path)


FAULTS: list[tuple[str, type[LakeError], str]] = [
    (
        "no jobs",
        LoadRefused,
        "is refused (Access Denied: User does not have bigquery.jobs.create): nothing was changed;"
        " let somebody who may grant this account roles/bigquery.jobUser on project {project}, then"
        " load again",
    ),
    (
        "no table",
        LoadRefused,
        "is refused (Access Denied: no bigquery.tables.updateData): nothing was changed; let"
        " somebody who may grant this account roles/bigquery.dataEditor on dataset lake, then load"
        " again",
    ),
    (
        "quota",
        StoreUnavailable,
        "broke off (Quota exceeded: Your project exceeded quota for jobs): it is done whole or not"
        " at all; load again, which finds out and completes it",
    ),
]


@pytest.mark.parametrize(("fault", "kind", "said"), FAULTS)
def test_what_bigquery_refuses_is_told_in_one_line(
    tmp_path: Path,
    warehouse: Place,
    publish: Publish,
    bigquery_server: Server,
    fault: str,
    kind: type[LakeError],
    said: str,
) -> None:
    with (
        bigquery_server.failing(lambda request: fault if "/jobs" in request.path else ""),
        pytest.raises(kind) as refused,
    ):
        load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    what = f"loading curated.daily into marts.daily in {warehouse.shown} "
    assert str(refused.value) == what + said.format(project=warehouse.url.split("/")[2])


def test_no_token_is_in_a_message(
    tmp_path: Path, warehouse: Place, publish: Publish, bigquery_server: Server
) -> None:
    with (
        bigquery_server.failing(lambda request: "odd"),
        pytest.raises(LoadRefused, match=r"failed \(Invalid value: …\): nothing was changed; put"),
    ):
        load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)


def test_a_dataset_that_is_not_there_is_named_with_the_command_that_makes_it(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    project = warehouse.url.split("/")[2]
    message = (
        f"warehouse bigquery://{project}/nope: there is no such dataset, or it is hidden from these"
        f" credentials: run bq --location=EU mk --dataset {project}:nope, or correct the"
        " warehouse's url"
    )
    url = f"bigquery://{project}/nope?location=EU"
    with pytest.raises(InvalidConfig, match=f"^{re.escape(message)}$"):
        load(url, publish(1, {"2024-01": [3]}), root=tmp_path)
    with pytest.raises(InvalidConfig, match=f"^{re.escape(message)}$"):
        holds(url, "0b5e", "marts.daily", root=tmp_path)


def test_another_location_than_the_datasets_is_refused(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    assert count(f"{warehouse.url}?location=eu", "t", root=tmp_path) is None
    with pytest.raises(InvalidConfig, match=r"lies in EU, and its url says US: correct the locat"):
        load(f"{warehouse.url}?location=US", publish(1, {"2024-01": [3]}), root=tmp_path)


def test_a_dataset_whose_tables_expire_is_refused(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    warehouse.run("CREATE SCHEMA brief")
    url = f"{warehouse.url.removesuffix('lake')}brief"
    with pytest.raises(InvalidConfig, match=r"run bq update --default_table_expiration 0 p-\w+:br"):
        load(url, publish(1, {"2024-01": [3]}), root=tmp_path)


def test_no_credentials_are_told_with_the_command_to_log_in(
    tmp_path: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(EMULATOR, raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(StoreRefused, match=r"run `gcloud auth application-default login`, or set"):
        load("bigquery://p-1/lake", publish(1, {"2024-01": [3]}), root=tmp_path)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("bigquery://p", "names no dataset: write bigquery://PROJECT/DATASET, with ?location=EU"),
        ("bigquery://p/d/t", "names no dataset"),
        ("bigquery://p/d?region=EU", "BigQuery knows no such parameter 'region'"),
        ("bigquery://p/d?location=E;U", "BigQuery knows no such location"),
    ],
)
def test_a_url_that_names_no_dataset_is_refused(url: str, message: str) -> None:
    with pytest.raises(InvalidConfig, match=re.escape(message)):
        parse(url)


def test_a_url_is_shown_without_its_location() -> None:
    found = parse("bigquery://example.com:proj-1/My_Data?location=EU")
    assert isinstance(found, BigQueryWarehouse)
    assert found.url == "bigquery://example.com:proj-1/My_Data"
    assert found.place.location == "EU"


def test_rows_are_counted_and_described_whoever_wrote_them(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3, 4]}), root=tmp_path)
    warehouse.run("INSERT INTO marts.daily SELECT * FROM marts.daily")
    assert count(warehouse.url, "marts.daily", root=tmp_path) == 4
    assert count(warehouse.url, "marts.none", root=tmp_path) is None
    assert [one.commit for one in describe(warehouse.url, root=tmp_path)] == [1]


def test_what_is_not_installed_is_named_with_the_command() -> None:
    code = (
        "import sys; sys.modules['google.cloud.bigquery'] = None; from pathlib import Path;"
        " from lake.warehouse.url import parse; parse('bigquery://p/d', root=Path())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "lake.errors.MissingExtra: a warehouse in BigQuery needs google-cloud-bigquery, which is"
        " not installed: pip install 'clearlake[bigquery]'"
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
