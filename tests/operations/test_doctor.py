import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import boto3
import pytest

from lake import init
from lake.errors import StoreUnavailable
from lake.operations.doctor import doctor
from storage_backends import Listed, Store, open_store
from tests import servers
from tests.stores import HookedStore


class Overwriting(HookedStore):
    """A store whose create-only write is none."""

    def put_new(self, key: str, data: bytes) -> None:
        self.inner.put(key, data)


class Late(HookedStore):
    """A store in whose time it is an hour earlier."""

    def now(self) -> datetime:
        return self.inner.now() - timedelta(hours=1)


class Undeleting(HookedStore):
    """A store that deletes nothing."""

    def delete(self, key: str) -> None:
        pass


class Forbidding(HookedStore):
    """A store that does not tell an absent key from one that may not be read."""

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        try:
            return super().get(key, start=start, length=length)
        except FileNotFoundError:
            raise PermissionError(f"403 for {key}") from None


class Lagging(HookedStore):
    """A store whose listings miss what is new."""

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[Listed]:
        return iter([*self.inner.list(prefix, after=after)][:-1])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    init(str(tmp_path / "lake"))
    return open_store(str(tmp_path / "lake"))


def _failed(store: Store) -> dict[str, str]:
    return {finding.tried: finding.found for finding in doctor(store) if not finding.ok}


def test_a_sound_store_passes_and_keeps_nothing(store: Store) -> None:
    before = [item.key for item in store.list()]
    assert _failed(store) == {}
    assert [item.key for item in store.list()] == before


def test_a_store_that_overwrites_would_lose_commits(store: Store) -> None:
    assert _failed(Overwriting(store)) == {
        "create-only": "16 of 16 writers were told that they created one key: commits would be"
        " lost; use a store with create-only writes",
        "lost answer": "the same bytes were created twice: use a store with create-only writes",
    }


def test_a_clock_that_is_off_is_named(store: Store) -> None:
    assert _failed(Late(store)) == {"clock": "this host is +3600 s off the store: set its clock"}


def test_a_store_that_does_not_delete_is_named(store: Store) -> None:
    assert _failed(Undeleting(store)) == {
        "delete": "10 objects are still there after they were deleted"
    }


def test_a_key_that_may_not_be_read_is_never_absent(store: Store) -> None:
    assert list(_failed(Forbidding(store))) == ["log", "absent key"]


def test_a_listing_that_lags_is_named(store: Store) -> None:
    assert _failed(Lagging(store))["list"] == ("2 of 3 new objects are listed: listings lag behind")


@pytest.mark.parametrize("bucket", ["s3", "gcs", "azure"])
def test_a_bucket_passes_and_says_what_it_keeps(
    bucket: str, request: pytest.FixtureRequest
) -> None:
    store: Store = request.getfixturevalue(bucket)
    init(store.url)
    found = {finding.tried: finding for finding in doctor(store)}
    assert [name for name, finding in found.items() if not finding.ok] == []
    assert found["protection"].found == "versioning off, object lock off"
    assert found["lost answer"].found == "resolved by what stands at the key"


def test_versioning_and_locks_of_a_bucket_are_told(s3: Store) -> None:
    client = boto3.client("s3")
    name = f"kept-{uuid.uuid4().hex}"
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    assert open_store(f"s3://{name}").protection() == (
        "versioning on, object lock on: `lake gc` can delete nothing before the lock ends"
    )


@pytest.fixture
def rclone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An S3 that ignores `If-None-Match`."""
    (tmp_path / "served" / "clearlake").mkdir(parents=True)
    port = servers.free_port()
    options = ["--auth-key", "key,secret", "--addr", f"127.0.0.1:{port}"]
    program = Path(sys.executable).with_name("rclone")
    command = [str(program), "serve", "s3", *options, str(tmp_path / "served")]
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    with served(command, port):
        yield open_store("s3://clearlake/a lake")


@pytest.fixture
def gcp_emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A Cloud Storage that ignores `ifGenerationMatch=0`."""
    port = servers.free_port()
    url = f"http://127.0.0.1:{port}"
    program = Path(sys.executable).with_name("gcp-storage-emulator")
    options = ["--host=127.0.0.1", f"--port={port}", "--in-memory", "--default-bucket=clearlake"]
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
    with served([str(program), "start", *options], port):
        yield open_store("gs://clearlake/a lake")


@contextmanager
def served(command: list[str], port: int) -> Iterator[None]:
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until and server.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert server.poll() is None
            threading.Event().wait(0.05)
        yield
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.parametrize("bucket", ["rclone", "gcp_emulator"])
def test_a_server_that_ignores_create_only_is_refused(
    bucket: str, request: pytest.FixtureRequest
) -> None:
    store: Store = request.getfixturevalue(bucket)
    with pytest.raises(StoreUnavailable, match="lets a key be created twice"):
        init(store.url)
    assert list(store.list()) == []
    found = _failed(store)
    assert "create-only" in found
    assert "use a store with create-only writes" in found["lost answer"]
