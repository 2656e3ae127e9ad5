import json
import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from prefect import get_client
from prefect.blocks.core import Block
from prefect.client.schemas.actions import BlockDocumentCreate
from prefect.client.schemas.objects import State
from prefect.logging.handlers import APILogHandler
from prefect_sqlalchemy import ConnectionComponents
from pydantic import SecretStr

import lake
from lake.cli import main
from lake.config.secrets import resolved
from lake.errors import InvalidConfig
from lake.warehouse.bigquery_place import EMULATOR
from lake_flows.blocks import (
    AwsCredentials,
    AzureBlobStorageContainer,
    AzureBlobStorageCredentials,
    BigQueryWarehouse,
    GcpCredentials,
    GcsBucket,
    LakeBlock,
    MinIOCredentials,
    S3Bucket,
    SqlAlchemyConnector,
)
from lake_flows.credentials import environment, place
from lake_flows.land import land
from lake_flows.load import load
from lake_flows.named import url
from tests.flows.prefect_server import PrefectServer
from tests.flows.project import Project
from tests.servers import BUCKET
from tests.warehouse.bigquery_server import serving

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.xdist_group("prefect")]

ROTTEN = "rotten-canary-4711"


@pytest.fixture
def name() -> str:
    return f"b{uuid.uuid4().hex[:10]}"


def saved(block: Any, name: str) -> Any:
    block.save(name, overwrite=True)
    return block


def minio_lake(told: Mapping[str, str], name: str, password: str) -> None:
    """Make a Lake block in the way of the UI: credentials, a bucket with them, a lake with that."""
    said = {"endpoint_url": told["AWS_ENDPOINT_URL"]}
    held = MinIOCredentials(
        minio_root_user=told["AWS_ACCESS_KEY_ID"],
        minio_root_password=password,
        region_name="us-east-1",
        aws_client_parameters=said,
    )
    bucket = S3Bucket(bucket_name=BUCKET, bucket_folder=name, credentials=saved(held, name))
    saved(LakeBlock(bucket=saved(bucket, name), folder="prod"), name)


def aws_lake(told: Mapping[str, str], name: str) -> None:
    held = AwsCredentials(
        aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
        aws_client_parameters={"endpoint_url": told["AWS_ENDPOINT_URL"]},
    )
    bucket = S3Bucket(bucket_name=BUCKET, bucket_folder=name, credentials=saved(held, name))
    saved(LakeBlock(bucket=saved(bucket, name), folder="prod"), name)


def gcs_lake(told: Mapping[str, str], name: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    info = {
        "type": "service_account",
        "project_id": "p",
        "private_key": key.decode(),
        "client_email": "lake@p.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    held = saved(GcpCredentials(service_account_info=info), name)
    bucket = saved(GcsBucket(bucket=BUCKET, bucket_folder=name, gcp_credentials=held), name)
    saved(LakeBlock(bucket=bucket, folder="prod"), name)


def azure_lake(told: Mapping[str, str], name: str) -> None:
    said = told["AZURE_STORAGE_CONNECTION_STRING"]
    held = saved(AzureBlobStorageCredentials(connection_string=SecretStr(said)), name)
    bucket = AzureBlobStorageContainer(container_name=BUCKET, base_folder=name, credentials=held)
    saved(LakeBlock(bucket=saved(bucket, name), folder="prod"), name)


def in_block(project: Project, name: str) -> None:
    """Let `lake.toml` name its lake by a block, and its warehouse by a file."""
    path = project.root / "lake.toml"
    text = path.read_text().replace('url = "./.lake"', f'url = {{ block = "{name}" }}')
    url = '[warehouse]\nurl = "duckdb:///warehouse.duckdb"\n'
    path.write_text(text.replace("[warehouse]\n", url))


@pytest.mark.parametrize(
    ("server", "scheme", "make"),
    [
        ("minio", "s3", aws_lake),
        ("fake_gcs", "gs", gcs_lake),
        ("azurite", "az", azure_lake),
    ],
)
def test_a_lake_by_its_block_is_opened_by_lake_toml_and_by_flows(
    request: pytest.FixtureRequest,
    project: Project,
    name: str,
    server: str,
    scheme: str,
    make: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: Mapping[str, str] = request.getfixturevalue(server)
    if scheme == "gs":
        # An emulator is named by the environment only, as it is no secret.
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", told["STORAGE_EMULATOR_HOST"])
    make(told, name)
    where = url(name)
    assert where == f"{scheme}://{BUCKET}/{name}/prod"
    lake.init(where)
    in_block(project, name)
    monkeypatch.chdir(project.root)
    assert main(["land", "zones"]) == 0
    state = land(lake=f"block:{name}", project=str(project.root / "models"), return_state=True)
    assert state.is_completed(), state.message
    assert lake.open(where).commit == 2


def test_a_secret_that_was_rotated_is_seen_by_the_next_run_and_kept_nowhere(
    project: Project,
    name: str,
    minio: Mapping[str, str],
    prefect_server: PrefectServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = minio["AWS_SECRET_ACCESS_KEY"]
    # What a worker has of another account must not be sent beside these.
    for variable in ("AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.setenv(variable, "of-another-account")
    minio_lake(minio, name, right)
    lake.init(url(name))
    in_block(project, name)
    saved(MinIOCredentials.load(name).model_copy(update={"minio_root_password": ROTTEN}), name)
    state = _landed(project)
    assert state.is_failed()
    assert re.search("credentials|access key|signature", state.message or ""), state.message
    minio_lake(minio, name, right)
    state = _landed(project)
    assert state.is_completed(), state.message
    APILogHandler().flush()
    kept = prefect_server.kept()
    assert b"zones" in kept
    assert (ROTTEN.encode() in kept, right.encode() in kept) == (False, False)


def _landed(project: Project) -> State[Any]:
    return land(project=project.folder, sources=["zones"], return_state=True)


def test_a_warehouse_by_a_connector_of_any_driver(project: Project, name: str) -> None:
    project.lake().elt()
    file = project.root / "other.duckdb"
    found = ConnectionComponents(driver="duckdb", database=str(file))
    saved(SqlAlchemyConnector(connection_info=found), name)
    state = load(project=project.folder, warehouse=f"block:{name}", return_state=True)
    assert state.is_completed(), state.message
    assert file.exists()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            ConnectionComponents(
                driver="postgresql+psycopg2",
                username="me",
                password="p@ss/word",
                host="db",
                port=5433,
                database="ny_taxi",
                query={"sslmode": "require"},
            ),
            "postgresql://me:p%40ss%2Fword@db:5433/ny_taxi?sslmode=require",
        ),
        ("postgresql+psycopg://me@db/ny_taxi", "postgresql://me@db/ny_taxi"),
    ],
)
def test_a_connector_is_the_url_that_we_take(name: str, said: Any, expected: str) -> None:
    saved(SqlAlchemyConnector(connection_info=said), name)
    assert resolved({"block": name}, {}) == expected
    assert url(f"sqlalchemy-connector/{name}") == expected


def raw(kind: type[Block], name: str, data: dict[str, Any]) -> str:
    """Make a block with what the UI lets be left empty; return its id."""
    with get_client(sync_client=True) as client:
        kind.register_type_and_schema()
        assert kind._block_schema_id
        assert kind._block_type_id
        found = client.create_block_document(
            BlockDocumentCreate(
                name=name,
                data=data,
                block_schema_id=kind._block_schema_id,
                block_type_id=kind._block_type_id,
            )
        )
    return str(found.id)


def bigquery(name: str, data: dict[str, Any]) -> None:
    """Make a BigQuery Warehouse in the way of the UI: credentials, and a warehouse with them."""
    held = raw(GcpCredentials, f"{name}-key", data)
    reference = {"$ref": {"block_document_id": held}}
    raw(BigQueryWarehouse, name, {"gcp_credentials": reference, "fetch_size": 1})


def test_a_bigquery_warehouse_is_a_dataset_with_what_opens_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("GOOGLE_CLOUD_PROJECT", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.setenv(variable, "before")
    key = {"client_email": "x@y.example", "private_key": ROTTEN, "project_id": "p-1"}
    bigquery(name, {"service_account_info": key})
    assert url(f"bigquery-warehouse/{name}/ny_taxi") == "bigquery://p-1/ny_taxi"
    assert json.loads(Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"]).read_text()) == key
    message = (
        f"the block 'bigquery-warehouse/{name}' names a project of BigQuery and no dataset: write"
        f" it behind, as in bigquery-warehouse/{name}/DATASET"
    )
    with pytest.raises(InvalidConfig, match=f"^{re.escape(message)}$"):
        url(f"bigquery-warehouse/{name}")


def test_a_table_is_loaded_into_the_bigquery_of_a_block(
    project: Project, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "before")
    bigquery(name, {"project": "p-1"})
    project.lake().elt()
    toml = project.root / "lake.toml"
    said = f'[warehouse]\nurl = {{ block = "bigquery-warehouse/{name}/ny_taxi" }}\n'
    toml.write_text(toml.read_text().replace("[warehouse]\n", said))
    with serving() as server:
        monkeypatch.setenv(EMULATOR, server.url)
        server.engine.attach("p-1", "ny_taxi")
        state = load(project=project.folder, return_state=True)
        assert state.is_completed(), state.message
        query = "SELECT month, trips FROM daily_revenue ORDER BY 1"
        found = server.engine.by_hand("p-1", "ny_taxi", query)
    assert found == [("2024-01", 2), ("2024-02", 1)]


def test_a_block_that_is_missing_or_half_filled_or_no_place_is_one_line(name: str) -> None:
    with pytest.raises(InvalidConfig, match=f"there is no block '{name}': make one in the UI"):
        url(name)
    saved(AwsCredentials(), name)
    with pytest.raises(InvalidConfig, match="is of the kind 'AWS Credentials', and no place"):
        url(name)
    raw(LakeBlock, name, {"folder": ""})
    with pytest.raises(InvalidConfig, match="half-filled: it has neither a bucket nor a URL"):
        url(name)
    saved(SqlAlchemyConnector(connection_info="duckdb:///x.duckdb"), name)
    with pytest.raises(InvalidConfig, match=f"2 blocks are called '{name}': say which"):
        url(name)


HALF: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"bucket_name": "b"}, {"aws_access_key_id": "AKIA"}, "a key without its secret"),
    (
        {"bucket_name": "b"},
        {"minio_root_user": "u", "minio_root_password": "p"},
        "no endpoint URL",
    ),
    ({"bucket": "b"}, {"service_account_info": {"client_email": "x"}}, "no private_key"),
    (
        {"container_name": "b"},
        {"connection_string": None, "account_url": None},
        "neither a connection string nor a URL",
    ),
    ({"bucket": "b"}, {"aws_access_key_id": "AKIA"}, "does not open it: put in one of gcp-cr"),
    (
        {"container_name": "b"},
        {"service_account_info": {}},
        "credentials block gcp-credentials, which does not open it",
    ),
]


@pytest.mark.parametrize(("bucket", "held", "error"), HALF)
def test_credentials_that_are_half_filled_or_of_another_cloud_are_refused(
    bucket: dict[str, Any], held: dict[str, Any], error: str
) -> None:
    with pytest.raises(InvalidConfig, match=re.escape(error)):
        environment("x", place("x", bucket), held, {})


def test_a_secret_in_a_parameter_fails_the_run(project: Project) -> None:
    state = land(lake="s3://me:hush-9@bucket/x", project=project.folder, return_state=True)
    assert state.is_failed()
    assert "holds a secret, which Prefect keeps" in (state.message or "")
    assert "hush-9" not in (state.message or "")


def test_a_service_account_lies_in_a_file_of_its_owner_only() -> None:
    held = {"service_account_info": {"client_email": "a", "private_key": "b"}, "project": "p"}
    found = environment("x", place("x", {"bucket": "b"}), held, {})
    path = Path(found["GOOGLE_APPLICATION_CREDENTIALS"] or "")
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == held["service_account_info"]
    assert found["GOOGLE_CLOUD_PROJECT"] == "p"
