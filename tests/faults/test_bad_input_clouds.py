"""Buckets that are not there, credentials that do not fit, keys that need encoding."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import boto3
import pytest

import lake
from lake.operations.verify import verify
from storage_backends import Store
from tests.faults.proxy import Proxy, Rule
from tests.servers import BUCKET, addresses

LAKE = Path(sys.executable).with_name("lake")
SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_CONNECTION_STRING")
NAMES = ["a b", "1+1=2", "100%", "#&;", "quote'\"", "Zürich 🚕"]
CLOUDS = {"s3": "minio", "gs": "fake_gcs", "az": "azurite"}


def said(*words: str, **surroundings: str) -> str:
    """Run `lake`, which fails, and return the one line that it says; that holds no secret."""
    env = {**os.environ, "CLEARLAKE_ANSWER_S": "2", **surroundings}
    done = subprocess.run([LAKE, *words], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert not [name for name in SECRETS if env.get(name) and env[name] in line]
    return line


@pytest.mark.parametrize(
    ("scheme", "command"),
    [
        ("s3", "aws s3 mb s3://not-there"),
        ("gs", "gcloud storage buckets create gs://not-there"),
        ("az", "az storage container create"),
    ],
)
@pytest.mark.parametrize("verb", ["init", "ls"])
def test_a_bucket_that_is_not_there_is_told_with_the_command_that_makes_it(
    request: pytest.FixtureRequest, scheme: str, command: str, verb: str
) -> None:
    told: Mapping[str, str] = request.getfixturevalue(CLOUDS[scheme])
    url = f"{scheme}://not-there/a"
    line = said(*(["init", url] if verb == "init" else ["ls", "--lake", url]), **told)
    assert "not-there" in line
    assert command in line


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("AWS_ACCESS_KEY_ID", "nobody", "AWS_ACCESS_KEY_ID"),
        ("AWS_SECRET_ACCESS_KEY", "not-the-word-of-anybody", "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_keys_that_do_not_fit_are_named_and_not_shown(
    minio: Mapping[str, str], name: str, value: str, hint: str
) -> None:
    line = said("init", f"s3://{BUCKET}/a", **{**minio, name: value})
    assert hint in line
    assert f"s3://{BUCKET}/a" in line


def test_without_credentials_that_is_said(minio: Mapping[str, str]) -> None:
    told = {"AWS_ENDPOINT_URL": minio["AWS_ENDPOINT_URL"], "AWS_EC2_METADATA_DISABLED": "true"}
    assert "there are no credentials" in said("init", f"s3://{BUCKET}/a", **told)


def test_an_endpoint_that_nothing_listens_at_is_told(minio: Mapping[str, str]) -> None:
    line = said(
        "ls", "--lake", f"s3://{BUCKET}/a", **{**minio, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    )
    assert "AWS_ENDPOINT_URL" in line


class _Portal(BaseHTTPRequestHandler):
    """What a network's portal does before one has logged in: it answers anything with a page."""

    status = 200

    def _page(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        is_sent_on = self.status == 302 and self.path != "/login"
        self.send_response(self.status if is_sent_on or self.status != 302 else 200)
        if is_sent_on:
            self.send_header("Location", f"http://{self.headers['Host']}/login")
        page = b"<html><body>Log in to the portal</body></html>"
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _page

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(params=[200, 302, 404])
def portal(request: pytest.FixtureRequest) -> Iterator[str]:
    handler = type("Portal", (_Portal,), {"status": request.param})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("scheme", "setting"),
    [
        ("s3", "AWS_ENDPOINT_URL"),
        ("gs", "STORAGE_EMULATOR_HOST"),
        ("az", "AZURE_STORAGE_CONNECTION_STRING"),
    ],
)
@pytest.mark.parametrize("verb", ["init", "ls", "doctor"])
def test_a_web_page_in_place_of_a_store_is_no_lake_and_no_empty_one(
    request: pytest.FixtureRequest, scheme: str, setting: str, verb: str, portal: str
) -> None:
    told: Mapping[str, str] = request.getfixturevalue(CLOUDS[scheme])
    (address,) = addresses(told)
    there = {name: value.replace(address, portal) for name, value in told.items()}
    url = f"{scheme}://{BUCKET}/a"
    if verb == "doctor":
        env = {**os.environ, **there, "CLEARLAKE_ANSWER_S": "2"}
        words = ["--lake", url, "--json", verb]
        done = subprocess.run([LAKE, *words], env=env, capture_output=True, text=True, check=False)
        found = {one["tried"]: one for one in json.loads(done.stdout)}
        assert done.returncode == 1, done
        for tried in ("lake", "write", "read", "list", "create-only", "absent key"):
            assert not found[tried]["ok"]
        assert setting in found["write"]["found"]
    else:
        line = said(*(["init", url] if verb == "init" else ["ls", "--lake", url]), **there)
        assert url in line
        assert setting in line


def test_a_bucket_with_dots_in_its_name_is_one(s3: Store, tmp_path: Path) -> None:
    name = f"a.b.{uuid.uuid4().hex[:8]}"
    boto3.client("s3").create_bucket(Bucket=name)
    lk = lake.init(f"s3://{name}/")
    (tmp_path / "n.csv").write_text("n\n1\n")
    lk.land(tmp_path / "n.csv", dataset="raw.n")
    assert lake.open(f"s3://{name}").sql("FROM raw.n").fetchall() == [(1,)]


def test_slashes_behind_a_prefix_name_the_same_lake(store: Store) -> None:
    made = lake.init(f"{store.url}/")
    assert made.url == store.url
    assert lake.open(f"{store.url}//").url == store.url


@pytest.mark.parametrize("name", NAMES)
def test_keys_that_need_encoding_land_and_are_read(store: Store, tmp_path: Path, name: str) -> None:
    lk = lake.init(store.url)
    path = tmp_path / f"{name}.parquet"
    lk.sql("SELECT 7 AS n").write_parquet(str(tmp_path / "made.parquet"))
    (tmp_path / "made.parquet").rename(path)
    lk.land(path, dataset="raw.n", partition={"where": name})
    lk = lake.open(store.url)
    assert lk.sql('SELECT n, "where" FROM raw.n').fetchall() == [(7, name)]
    (given,) = lk.get("raw.n", tmp_path / "out")
    assert given.read_bytes() == path.read_bytes()
    assert not verify(lk).damage


def test_rights_that_end_in_the_middle_stop_a_landing_and_the_next_completes_it(
    proxied: tuple[Proxy, Store], tmp_path: Path
) -> None:
    proxy, store = proxied
    lk = lake.init(store.url)
    (tmp_path / "n.csv").write_text("n\n1\n")
    proxy.fail(Rule("403", r"\.(csv|parquet|json)", times=10**6, first=2))
    line = said("land", str(tmp_path / "n.csv"), "--as", "raw.n", "--lake", store.url)
    assert store.url in line
    proxy.fail()
    assert lk.land(tmp_path / "n.csv", dataset="raw.n").outcome == "landed"
    assert lake.open(store.url).sql("FROM raw.n").fetchall() == [(1,)]
