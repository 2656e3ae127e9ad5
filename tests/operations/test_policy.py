"""What the policies allow, at a server that enforces them."""

import json
import uuid
from collections.abc import Mapping
from pathlib import Path

import boto3
import pytest

import lake
from lake.errors import InvalidConfig, LakeError, StoreUnavailable
from lake.lake import Lake
from lake.operations.doctor import doctor
from lake.policy import Role, policy
from storage_backends import open_store
from tests.faults import example
from tests.faults.example import Project, config_of
from tests.servers import BUCKET


def become(role: Role, url: str, told: Mapping[str, str], patch: pytest.MonkeyPatch) -> None:
    """Go on with credentials that have nothing but the policy of a role."""
    sts = boto3.client("sts", region_name="us-east-1")
    held = sts.assume_role(
        RoleArn="arn:aws:iam::000000000000:role/any",
        RoleSessionName=role,
        Policy=policy(role, url),
    )["Credentials"]
    patch.setenv("AWS_ACCESS_KEY_ID", held["AccessKeyId"])
    patch.setenv("AWS_SECRET_ACCESS_KEY", held["SecretAccessKey"])
    patch.setenv("AWS_SESSION_TOKEN", held["SessionToken"])


@pytest.fixture
def project(minio: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name, value in minio.items():
        monkeypatch.setenv(name, value)
    made = Project(example.make(tmp_path / "project", f"s3://{BUCKET}/{uuid.uuid4().hex}/a lake"))
    made.init()
    return made


def fresh(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Open the lake as somebody would who never saw it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / uuid.uuid4().hex))
    return lake.open(config=config_of(project.root))


def test_a_reader_who_may_list_nothing_runs_every_curated_query(
    project: Project, minio: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked = project.walk()
    queries = [f"SELECT * FROM curated.{name} ORDER BY ALL" for name in ("trips", "daily")]
    wanted = [walked.sql(query).fetchall() for query in queries]
    become("reader", walked.url, minio, monkeypatch)
    with pytest.raises(PermissionError):
        list(open_store(walked.url).list())
    lk = fresh(project, tmp_path, monkeypatch)
    assert lk.commit == walked.commit
    assert [lk.sql(query).fetchall() for query in queries] == wanted
    assert all(wanted)
    with pytest.raises(StoreUnavailable, match="lake init --policy"):
        lk.sql("SELECT * FROM raw.trips").fetchall()
    with pytest.raises(LakeError, match="lake init --policy"):
        lk.tag("mine")


def test_a_writer_walks_and_cannot_delete_the_log(
    project: Project, minio: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = project.open().url
    become("writer", url, minio, monkeypatch)
    assert fresh(project, tmp_path, monkeypatch).commit == 0
    assert project.walk().commit == 4
    found = {finding.tried: finding.found for finding in doctor(open_store(url)) if not finding.ok}
    assert found == {}
    with pytest.raises(PermissionError):
        open_store(url).delete("_lake/log/00000000000000000001.json")


def test_a_loader_loads_and_cannot_land(
    project: Project, minio: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lk = project.open()
    lk.land_sources()
    lk.transform()
    become("loader", lk.url, minio, monkeypatch)
    lk = fresh(project, tmp_path, monkeypatch)
    assert len(lk.load()) == 1
    path = tmp_path / "n.csv"
    path.write_text("n\n1\n")
    with pytest.raises(LakeError):
        lk.land(path, dataset="raw.x")


@pytest.mark.parametrize("role", ["reader", "writer", "loader"])
@pytest.mark.parametrize("url", ["s3://abc", "s3://abc/p/q/", "gs://abc/it's", "az://abc/p"])
def test_every_policy_names_the_prefix_and_nothing_beside_it(role: Role, url: str) -> None:
    made = json.loads(policy(role, url))
    bucket, _, path = url.partition("://")[2].partition("/")
    prefix = path.strip("/").replace("'", "\\\\'")
    text = json.dumps(made)
    assert bucket in text
    assert f"{prefix}/".lstrip("/") + ("_lake/" if role == "reader" else "") in text


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("/tmp/lake", "/tmp/lake is in no cloud"),
        ("s3://", "s3:// is followed by a bucket's name"),
        ("http://x/y", "no backend for http://"),
    ],
)
def test_what_is_in_no_cloud_has_no_policy(url: str, why: str) -> None:
    with pytest.raises(InvalidConfig, match=why):
        policy("reader", url)
