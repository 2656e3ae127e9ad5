"""What the policies allow, at a server that enforces them."""

import json
import re
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
    found = {
        finding.tried: finding.found for finding in doctor(open_store(lk.url)) if not finding.ok
    }
    assert found == {}
    assert list(open_store(lk.url).list("_lake/.probe-")) == []
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
        ("az://abc/it's", "no policy can name az://abc/it's/: a text of"),
    ],
)
def test_what_no_policy_can_name_is_refused(url: str, why: str) -> None:
    with pytest.raises(InvalidConfig, match=why):
        policy("reader", url)


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_a_policy_of_s3_names_the_partition_of_its_region(region: str, partition: str) -> None:
    made = policy("writer", "s3://abc/p", {"AWS_REGION": region})
    assert set(re.findall("arn:([^:]*):", made)) == {partition}


@pytest.mark.parametrize(
    ("key", "resource"),
    [
        ("1234-ab", "arn:aws:kms:*:*:key/1234-ab"),
        ("arn:aws:kms:eu-west-1:1:key/1234-ab", "arn:aws:kms:eu-west-1:1:key/1234-ab"),
        ("alias/mine", "arn:aws:kms:*:*:key/*"),
        ("arn:aws:kms:eu-west-1:1:alias/mine", "arn:aws:kms:*:*:key/*"),
    ],
)
def test_a_policy_of_s3_lets_its_key_be_used(key: str, resource: str) -> None:
    wanted: dict[Role, list[str]] = {
        "reader": ["kms:Decrypt"],
        "loader": ["kms:Decrypt", "kms:GenerateDataKey"],
    }
    for role, actions in wanted.items():
        made = json.loads(policy(role, "s3://abc/p", {"CLEARLAKE_S3_SSE_KMS_KEY_ID": key}))
        found = made["Statement"][-1]
        assert (found["Action"], found["Resource"]) == (actions, [resource])
        alias = found.get("Condition", {}).get("ForAnyValue:StringEquals")
        assert alias == ({"kms:ResourceAliases": "alias/mine"} if "alias" in key else None)


@pytest.mark.parametrize("url", ["s3://abc/p", "gs://abc/p", "az://abc/p"])
def test_a_loader_may_delete_the_doctor_s_probes_and_no_data(url: str) -> None:
    made = json.loads(policy("loader", url))
    if url.startswith("s3"):
        rules = [one["Resource"] for one in made["Statement"] if "s3:DeleteObject" in one["Action"]]
    elif url.startswith("gs"):
        rules = [one["condition"] for one in made["bindings"] if "objectUser" in one["role"]]
    else:
        rules = re.findall(r"blobs/delete'}.*", made["assignment"]["condition"])
    assert "p/_lake/.probe-" in str(rules)
    assert "raw/" not in str(rules)
    assert "curated/" not in str(rules)


def test_what_is_not_there_is_not_there_for_a_role_either(
    project: Project, minio: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = project.open().url
    become("writer", url, minio, monkeypatch)
    store = open_store(url)
    store.now()
    with pytest.raises(FileNotFoundError):
        store.size("raw/not-there")
