"""Settings of the clouds that are wrong: each is named, at once, and no secret is shown."""

import errno
import json
import re
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import duckdb
import pytest

import lake
from lake.catalog.get import get
from lake.cli import main
from lake.errors import StoreUnavailable
from storage_backends import Store, open_store
from tests.faults.proxy import Proxy, Rule
from tests.servers import BUCKET, addresses

CLOUDS = {"s3": "minio", "gs": "fake_gcs", "az": "azurite"}
SETTINGS = {
    "s3": "AWS_ENDPOINT_URL",
    "gs": "STORAGE_EMULATOR_HOST",
    "az": "AZURE_STORAGE_CONNECTION_STRING",
}
FOR_GOOD = 10**6


@pytest.fixture(params=list(CLOUDS))
def told(request: pytest.FixtureRequest) -> tuple[str, Mapping[str, str]]:
    """A scheme, and what the clients of its server are told."""
    return request.param, request.getfixturevalue(CLOUDS[request.param])


class Tell:
    """Settings of one process, and what the command says then."""

    def __init__(self, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch = patch
        self._capsys = capsys

    def line(self, scheme: str, told: Mapping[str, str], verb: str = "ls") -> str:
        """Return the one line that is said, and that the store itself refuses, too."""
        for name, value in told.items():
            self._patch.setenv(name, value)
        url = f"{scheme}://{BUCKET}/{uuid.uuid4().hex}"
        words = ["ls", "--lake", url] if verb == "ls" else ["init", url]
        assert main(words) == 1
        out, err = self._capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert url in err
        return err


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tell:
    return Tell(monkeypatch, capsys)


def elsewhere(told: Mapping[str, str], address: str) -> dict[str, str]:
    """Return the settings with another address in place of the server's."""
    (found,) = addresses(told)
    return {name: value.replace(found, address) for name, value in told.items()}


def test_a_patience_that_is_no_number_is_said_in_a_line(
    told: tuple[str, Mapping[str, str]], tell: Tell
) -> None:
    scheme, settings = told
    line = tell.line(scheme, {**settings, "CLEARLAKE_ANSWER_S": "abc"})
    assert "CLEARLAKE_ANSWER_S is 'abc': set it to seconds, such as 60" in line


@pytest.mark.parametrize(
    "address", ["127.0.0.1:9000", "http://[::1", "ftp://x", "http://127.0.0.1:99999"]
)
def test_an_endpoint_that_is_none_is_named(
    told: tuple[str, Mapping[str, str]], tell: Tell, address: str
) -> None:
    scheme, settings = told
    line = tell.line(scheme, elsewhere(settings, address))
    if scheme == "az":  # the setting holds the key, too
        assert "the BlobEndpoint in AZURE_STORAGE_CONNECTION_STRING is none" in line
    else:
        assert f"{SETTINGS[scheme]} is '{address}', which is no endpoint: write http://" in line


def test_https_where_the_server_speaks_http_is_told_as_that(
    told: tuple[str, Mapping[str, str]], tell: Tell
) -> None:
    scheme, settings = told
    (address,) = addresses(settings)
    line = tell.line(scheme, elsewhere(settings, address.replace("http:", "https:")))
    assert "does not speak TLS as it must: look at the certificates" in line
    assert f"at http:// or https:// in {SETTINGS[scheme]}" in line


@pytest.fixture(scope="session")
def connects() -> list[object]:
    """The addresses that this process connects to, as they come."""
    seen: list[object] = []

    def hear(event: str, args: tuple[object, ...]) -> None:
        if event == "socket.connect":
            seen.append(args[1])

    sys.addaudithook(hear)
    return seen


def test_a_server_that_is_down_is_asked_again_by_the_sdk_and_by_nobody_else(
    told: tuple[str, Mapping[str, str]],
    connects: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scheme, settings = told
    for name, value in elsewhere(settings, "http://127.0.0.1:9").items():
        monkeypatch.setenv(name, value)
    pauses: list[float] = []
    connects.clear()
    with pytest.raises(StoreUnavailable, match="cannot be reached: look at the network") as failed:
        get(open_store(f"{scheme}://{BUCKET}/x"), "a", pauses.append)
    assert isinstance(failed.value.__cause__, OSError)
    assert failed.value.__cause__.errno == errno.ECONNREFUSED
    assert pauses == []
    assert 2 <= len(connects) <= 5


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"AWS_PROFILE": "nosuch"}, "there is no profile 'nosuch': look at AWS_PROFILE"),
        ({"AWS_SESSION_TOKEN": "garbage"}, "the session token is not valid"),
        ({"AWS_CONFIG_FILE": __file__}, "a file of AWS's settings cannot be read"),
        ({"CLEARLAKE_S3_SSE": "bogus"}, "CLEARLAKE_S3_SSE can be one of AES256, aws:kms"),
        ({"CLEARLAKE_S3_SSE": "aws:kms"}, "NotImplemented, HTTP 501.: look at CLEARLAKE_S3_SSE"),
    ],
)
def test_a_setting_of_s3_that_is_wrong_is_named(
    minio: Mapping[str, str], tell: Tell, settings: dict[str, str], hint: str
) -> None:
    assert re.search(hint, tell.line("s3", {**minio, **settings}, "init"))


def test_a_bucket_whose_name_the_server_refuses_is_told_as_that(
    minio: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in minio.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(PermissionError, match="'UpperCase' can be no bucket's name"):
        open_store("s3://UpperCase/x").get("a")


@pytest.mark.parametrize("text", [None, "no JSON", json.dumps({"type": "service_account"})])
def test_a_file_of_google_s_that_holds_no_key_is_told(
    tell: Tell, tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "key.json"
    if text is not None:
        path.write_text(text)
    what = "is not there" if text is None else "holds no key that is good"
    line = tell.line("gs", {"GOOGLE_APPLICATION_CREDENTIALS": str(path)})
    assert f"the file that GOOGLE_APPLICATION_CREDENTIALS names {what}: `gcloud auth" in line


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"AZURE_STORAGE_ACCOUNT": "bad name/x"}, "AZURE_STORAGE_ACCOUNT can be no account's name"),
        (
            {"AZURE_STORAGE_ACCOUNT": "abc", "AZURE_STORAGE_KEY": "SECRET%%%"},
            "AZURE_STORAGE_KEY is no base64",
        ),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=abc;AccountKey=SECRET%%%"},
            "the AccountKey in AZURE_STORAGE_CONNECTION_STRING is no base64",
        ),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=a/SECRET;AccountKey=abcd"},
            "the AccountName in AZURE_STORAGE_CONNECTION_STRING can be no account's name",
        ),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": "SECRET"},
            "AZURE_STORAGE_CONNECTION_STRING is none: copy it",
        ),
    ],
)
def test_a_setting_of_azure_that_can_be_none_is_named_and_not_shown(
    tell: Tell, settings: dict[str, str], hint: str
) -> None:
    line = tell.line("az", settings)
    assert hint in line
    assert "SECRET" not in line


def test_another_account_s_key_is_looked_at_first(azurite: Mapping[str, str], tell: Tell) -> None:
    whole = azurite["AZURE_STORAGE_CONNECTION_STRING"]
    wrong = re.sub("AccountKey=[^;]*", "AccountKey=abcd", whole)
    line = tell.line("az", {"AZURE_STORAGE_CONNECTION_STRING": wrong})
    assert "and look at the account's key (AuthorizationFailure, HTTP 403)" in line


@contextmanager
def page(status: int) -> Iterator[str]:
    """Run a web server that is no store: it sends on to itself, or answers with a page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Location", self.path)
            self.send_header("Content-Type", "text/html; charset=UTF-8")
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("status", [302, 403])
def test_what_is_no_server_of_google_s_is_told_as_that(tell: Tell, status: int) -> None:
    with page(status) as address:
        line = tell.line("gs", {"STORAGE_EMULATOR_HOST": address})
    assert "answers what no Google Cloud Storage does: look at STORAGE_EMULATOR_HOST" in line


@pytest.mark.parametrize(
    ("proxied", "status", "word", "hint"),
    [
        ("minio", 409, "ConditionalRequestConflict", "another request for the same key"),
        ("minio", 503, "SlowDown", "asks for fewer requests"),
        ("fake_gcs", 429, "rateLimitExceeded", "one write a second of each object"),
    ],
    indirect=["proxied"],
)
def test_a_store_that_is_busy_is_told_as_that_and_may_be_asked_again(
    proxied: tuple[Proxy, Store], status: int, word: str, hint: str
) -> None:
    proxy, store = proxied
    proxy.fail(Rule("answer", "busy", times=FOR_GOOD, status=status, word=word))
    with pytest.raises(ConnectionError, match=f"{hint}.*: try again"):
        store.put_new("busy", b"")
    proxy.fail()
    store.put_new("busy", b"")


def test_an_endpoint_of_a_profile_is_duckdb_s_too(
    minio: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = minio["AWS_ENDPOINT_URL"]
    (tmp_path / "config").write_text(f"[profile p]\nendpoint_url = {address}\n")
    rest = {name: value for name, value in minio.items() if name != "AWS_ENDPOINT_URL"}
    for name, value in {**rest, "AWS_CONFIG_FILE": str(tmp_path / "config")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_PROFILE", "p")
    lk = lake.init(f"s3://{BUCKET}/{uuid.uuid4().hex}")
    (tmp_path / "n.csv").write_text("n\n1\n")
    lk.land(tmp_path / "n.csv", dataset="raw.n")
    assert lake.open(lk.url).sql("FROM raw.n").fetchall() == [(1,)]


def test_an_endpoint_with_a_path_is_duckdb_s_too(
    s3: Store, minio: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # To the server the path is a bucket, and ours a folder in it.
    outer = f"outer-{uuid.uuid4().hex}"
    boto3.client("s3").create_bucket(Bucket=outer)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"{minio['AWS_ENDPOINT_URL']}/{outer}/")
    duckdb.sql(f"COPY (SELECT 7 AS n) TO '{tmp_path}/n.parquet'")
    inner = open_store("s3://inner/x")
    inner.put("n.parquet", (tmp_path / "n.parquet").read_bytes())
    with duckdb.connect() as con:
        inner.let_read(con)
        assert con.sql(f"FROM '{inner.data_url('n.parquet')}'").fetchall() == [(7,)]


def test_a_login_of_azure_s_is_looked_for_where_the_sdk_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "abc")
    with duckdb.connect() as con:
        open_store("az://abc/x").let_read(con)
        (secret,) = con.sql("SELECT secret_string FROM duckdb_secrets()").fetchall()[0]
    assert "chain=env;workload_identity;managed_identity;cli" in secret


def test_questions_without_a_key_stay_within_the_prefix(proxied: tuple[Proxy, Store]) -> None:
    proxy, store = proxied
    name = store.url.split("/")[3]
    store.now()
    with pytest.raises(FileNotFoundError):
        store.size("not-there")
    asked = [seen.path for seen in proxy.journal()]
    assert asked
    assert all(name in path for path in asked)
