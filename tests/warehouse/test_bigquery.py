"""BigQuery as a warehouse: what becomes of a table, and what is refused in one line."""

import dataclasses
import json
import re
import subprocess
import sys
import time
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
from lake.warehouse.load import count, describe, holds, load
from tests.warehouse.bigquery_server import Request, Server
from tests.warehouse.loads import Publish, one_row
from tests.warehouse.places import Place


@pytest.fixture
def warehouse(bigquery_warehouse: Place) -> Place:
    return bigquery_warehouse


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
