"""What befalls a lake in a bucket that was well: rights, clocks, regions, tiers, foreign hands."""

import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import boto3
import botocore.auth
import pytest
from azure.storage.blob import ContainerClient

import lake
from lake.errors import ClockSkewed, FileDamaged, StoreRefused, StoreUnavailable
from lake.lake import Lake
from lake.operations.verify import verify
from lake.policy import policy
from storage_backends import Store
from tests import servers
from tests.faults import example
from tests.faults.example import Project
from tests.faults.oracle import violations
from tests.faults.proxy import Proxy, Rule
from tests.servers import BUCKET, signed

LAKE = Path(sys.executable).with_name("lake")
FOR_GOOD = 10**6
EXPIRED = {
    "s3": (400, "ExpiredToken", "the session token has expired"),
    "gs": (401, "Invalid Credentials", "gcloud auth application-default login"),
    "az": (403, "AuthenticationFailed", "the credentials are not taken"),
}
MOMENTS = {
    "it uploads": (r"raw/.*\.(csv|parquet)", ("PUT", "POST")),
    "it commits": (r"_lake/log/0*2\.json", ("PUT", "POST")),
    "DuckDB reads what is raw": (r"raw/.*\.parquet", ("GET", "HEAD")),
    "DuckDB reads what was built just now": (r"curated/.*\.parquet", ("GET", "HEAD")),
}


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "n.csv"
    path.write_text("n\n1\n2\n")
    return path


@pytest.fixture
def lk(store: Store, csv: Path) -> Lake:
    """A lake in any store, in which `raw.n` has one version."""
    made = lake.init(store.url)
    made.land(csv, dataset="raw.n")
    return made


def run(*words: str | Path, at: Path | None = None) -> "subprocess.CompletedProcess[str]":
    command = [str(LAKE), *map(str, words)]
    return subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)


def error(*words: str | Path) -> str:
    """Run `lake`, which fails, and return the one line that it says."""
    done = run(*words)
    assert done.returncode == 1, done
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def data_key(lk: Lake) -> str:
    """Return the key of the rows of `raw.n`."""
    (file,) = lk.state.data_files("raw.n")
    return file.key


@pytest.mark.parametrize("moment", list(MOMENTS))
def test_credentials_that_end_in_a_walk_stop_it_and_the_same_command_goes_on(
    proxied: tuple[Proxy, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    proxy, store = proxied
    root = example.make(tmp_path / "project", store.url)
    Project(root).init()
    monkeypatch.setenv("LAKE_CACHE", "")
    status, word, hint = EXPIRED[store.url[:2]]
    where, methods = MOMENTS[moment]
    proxy.fail(Rule("answer", where, methods, times=FOR_GOOD, status=status, word=word))
    done = run("elt", at=root)
    assert done.returncode == 1, done
    (line, *_) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert hint in line
    assert store.url in line
    assert "Traceback" not in done.stderr
    proxy.fail()
    assert run("elt", at=root).returncode == 0
    assert violations(root, is_again=False) == []


def test_a_reader_s_credentials_land_nothing_and_say_what_to_ask_for(
    minio: Mapping[str, str], csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in minio.items():
        monkeypatch.setenv(name, value)
    lk = lake.init(f"s3://{BUCKET}/{uuid.uuid4().hex}")
    become(policy("reader", lk.url), monkeypatch)
    line = error("land", csv, "--as", "raw.n", "--lake", lk.url)
    assert lk.url in line
    assert "lake init --policy" in line
    assert lk.refresh() == 0


def become(allowed: str, patch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Go on with credentials of a session, of which the secret key and the token are returned."""
    sts = boto3.client("sts", region_name="us-east-1")
    role = "arn:aws:iam::000000000000:role/any"
    asked = {"RoleArn": role, "RoleSessionName": "any", "Policy": allowed}
    held = sts.assume_role(**asked)["Credentials"]
    patch.setenv("AWS_ACCESS_KEY_ID", held["AccessKeyId"])
    patch.setenv("AWS_SECRET_ACCESS_KEY", held["SecretAccessKey"])
    patch.setenv("AWS_SESSION_TOKEN", held["SessionToken"])
    return held["SecretAccessKey"], held["SessionToken"]


def test_a_signature_that_only_reads_or_has_ended_is_told_and_not_shown(
    azurite: Mapping[str, str], csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = azurite["AZURE_STORAGE_CONNECTION_STRING"]
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", whole)
    lk = lake.init(f"az://{BUCKET}/{uuid.uuid4().hex}")
    lk.land(csv, dataset="raw.n")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", signed(whole, "rl"))
    assert run("sql", "FROM raw.n", "--format", "csv", "--lake", lk.url).stdout == "n\n1\n2\n"
    refused = error("land", csv, "--as", "raw.m", "--lake", lk.url)
    ended_at = -timedelta(hours=1)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", signed(whole, "rl", lasts=ended_at))
    ended = error("land", csv, "--as", "raw.m", "--lake", lk.url)
    for line in (refused, ended):
        assert lk.url in line
        assert "sig" not in line.replace("signature", "")
    assert "lake init --policy" in refused
    assert "have ended" in ended
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", whole)
    assert run("land", csv, "--as", "raw.m", "--lake", lk.url).returncode == 0


def test_a_bucket_in_another_region_is_found_there(
    csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with servers.running("minio", MINIO_SITE_REGION="eu-central-1") as told:
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_REGION", "ap-south-1")
        lk = lake.init(f"s3://{BUCKET}/elsewhere")
        lk.land(csv, dataset="raw.n")
        assert lake.open(lk.url).sql("FROM raw.n").fetchall() == [(1,), (2,)]


@pytest.mark.parametrize("proxied", ["minio"], indirect=True)
def test_a_region_that_nobody_tells_is_asked_for(proxied: tuple[Proxy, Store]) -> None:
    proxy, store = proxied
    word = "AuthorizationHeaderMalformed"
    proxy.fail(Rule("answer", "", times=FOR_GOOD, status=400, word=word))
    with pytest.raises(StoreUnavailable, match="another region: set AWS_REGION to its own"):
        lake.init(store.url)


def test_a_clock_that_is_an_hour_off_publishes_nothing(lk: Lake, csv: Path) -> None:
    csv.write_text("n\n3\n")
    lk.log.clock = lambda: datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(ClockSkewed, match="nothing was published; set the clock and run"):
        lk.land(csv, dataset="raw.n")
    assert lake.open(lk.url).commit == 1
    lk.log.clock = lambda: datetime.now(UTC)
    assert lk.land(csv, dataset="raw.n").version == 2


def test_signatures_of_a_clock_that_is_an_hour_off_say_so(
    s3: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(remove_tzinfo: bool = True) -> datetime:
        now = datetime.now(UTC) - timedelta(hours=1)
        return now.replace(tzinfo=None) if remove_tzinfo else now

    monkeypatch.setattr(botocore.auth, "get_current_datetime", late)
    with pytest.raises(StoreRefused, match="this host's clock is too far off: set it, then"):
        lake.init(s3.url)


@pytest.mark.parametrize("proxied", ["minio"], indirect=True)
def test_credentials_that_end_behind_the_head_make_no_older_lake(
    proxied: tuple[Proxy, Store], csv: Path
) -> None:
    proxy, store = proxied
    lk = lake.init(store.url)
    lk.land(csv, dataset="raw.n")
    proxy.fail(Rule("answer", "_lake/log/0*2", times=FOR_GOOD, status=400, word="ExpiredToken"))
    with pytest.raises(StoreRefused, match="the session token has expired"):
        lake.open(store.url)


@pytest.mark.parametrize("proxied", ["minio"], indirect=True)
def test_what_verify_may_not_read_is_no_damage(proxied: tuple[Proxy, Store], csv: Path) -> None:
    proxy, store = proxied
    lk = lake.init(store.url)
    lk.land(csv, dataset="raw.n")
    proxy.fail(Rule("answer", "raw/n/", ("GET",), times=FOR_GOOD, status=403, word="AccessDenied"))
    done = run("--lake", store.url, "verify")
    assert done.returncode == 1
    assert done.stdout.count("unreadable  raw/n/") == done.stdout.count("may not do that")
    (line,) = done.stderr.splitlines()
    assert line.endswith(f" that cannot be read in {lk.url}: mend what is said of them")


def test_an_object_that_somebody_deleted_is_named(lk: Lake, store: Store) -> None:
    key = data_key(lk)
    store.delete(key)
    assert [found.key for found in verify(lk).damage] == [key]
    with pytest.raises(FileDamaged, match=f"{key} is missing in .*restore it from a copy"):
        lake.open(lk.url).sql("FROM raw.n").fetchall()


def test_an_object_that_somebody_swapped_is_named(lk: Lake, store: Store) -> None:
    key = data_key(lk)
    data = bytearray(store.get(key))
    data[len(data) // 2] ^= 1
    store.put(key, bytes(data))
    assert [found.key for found in verify(lk).damage] == [key]


def test_an_object_that_somebody_swapped_for_another_table_is_no_answer(
    lk: Lake, store: Store, tmp_path: Path
) -> None:
    lk.sql("SELECT range AS n FROM range(9)").write_parquet(str(tmp_path / "other.parquet"))
    store.put(data_key(lk), (tmp_path / "other.parquet").read_bytes())
    with pytest.raises(FileDamaged, match=r"the log says .*restore it from a copy"):
        lake.open(lk.url).sql("FROM raw.n").fetchall()


def test_an_archived_blob_is_named_with_what_brings_it_back(
    azure: Store, csv: Path, tmp_path: Path
) -> None:
    lk = lake.init(azure.url)
    lk.land(csv, dataset="raw.n")
    archive(azure, [listed.key for listed in azure.list("raw/n/")])
    told = "lies in an archive tier: rehydrate it first"
    for ask in (lambda: lk.sql("FROM raw.n").fetchall(), lambda: lk.get("raw.n", tmp_path / "o")):
        with pytest.raises(StoreRefused, match=f"raw/n/.*{told}"):
            ask()


def archive(store: Store, keys: list[str]) -> None:
    name = store.url.removeprefix(f"az://{BUCKET}/")
    said = os.environ["AZURE_STORAGE_CONNECTION_STRING"]
    with ContainerClient.from_connection_string(said, BUCKET) as container:
        for key in keys:
            container.get_blob_client(f"{name}/{key}").set_standard_blob_tier("Archive")


@pytest.mark.parametrize("proxied", ["minio"], indirect=True)
def test_an_archived_object_is_named_with_what_brings_it_back(
    proxied: tuple[Proxy, Store], csv: Path, tmp_path: Path
) -> None:
    proxy, store = proxied
    lk = lake.init(store.url)
    lk.land(csv, dataset="raw.n")
    word = "InvalidObjectState"
    proxy.fail(Rule("answer", "raw/n/", ("GET",), times=FOR_GOOD, status=403, word=word))
    told = "lies in an archive tier: restore it first"
    for ask in (lambda: lk.sql("FROM raw.n").fetchall(), lambda: lk.get("raw.n", tmp_path / "o")):
        with pytest.raises(StoreRefused, match=f"raw/n/.*{told}"):
            ask()


@pytest.mark.parametrize("proxied", ["minio", "azurite"], indirect=True)
def test_no_word_no_file_and_no_run_holds_a_secret_whatever_fails(
    proxied: tuple[Proxy, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, store = proxied
    if store.url.startswith("s3"):
        secrets = become(policy("writer", store.url), monkeypatch)
    else:
        whole = signed(os.environ["AZURE_STORAGE_CONNECTION_STRING"], "rawdl")
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", whole)
        signature = whole.partition("sig=")[2]
        secrets = (signature, unquote(signature))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    root = example.make(tmp_path / "project", store.url)
    Project(root).init()
    status, word, _ = EXPIRED[store.url[:2]]
    said = []
    for where, verb in (("raw/.*zones", "elt"), ("raw/.*trips", "verify"), ("_lake/", "doctor")):
        proxy.fail(Rule("answer", where, times=FOR_GOOD, status=status, word=word))
        said.append(run(verb, at=root))
    proxy.fail(Rule("answer", "curated/", times=FOR_GOOD, status=status, word=word))
    flow = [sys.executable, "-m", "lake_flows.elt"]
    said.append(subprocess.run(flow, cwd=root, capture_output=True, text=True, check=False))
    assert [done.returncode for done in said] == [1] * len(said)
    proxy.fail()
    assert run("elt", at=root).returncode == 0
    written = {"said": "".join(done.stdout + done.stderr for done in said).encode()}
    written |= {listed.key: store.get(listed.key) for listed in store.list()}
    written |= {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert any(name.endswith("prefect.db") for name in written)
    for name, data in written.items():
        assert not any(secret.encode() in data for secret in secrets), name
