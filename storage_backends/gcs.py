"""A bucket of Google Cloud Storage, or of an emulator, as a store.

Credentials are the application default ones; `STORAGE_EMULATOR_HOST` names an emulator, which is
asked without any. `CLEARLAKE_GCS_KMS_KEY` is the key that everything is encrypted with.
"""

import errno
import os
import time
import uuid
import weakref
from base64 import b64encode
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO
from urllib.parse import quote

import google_crc32c
import urllib3
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.auth.transport.requests import Request
from google.cloud.storage import Client
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.cloud.storage.retry import DEFAULT_RETRY

from storage_backends import connection as connections
from storage_backends import extensions, keys, level
from storage_backends.asking import asking
from storage_backends.gcs_errors import (
    SDK,
    SETTING,
    may_be_the_bucket,
    no_credentials,
    translated,
)
from storage_backends.patience import CONNECT_S, answer_s
from storage_backends.ranges import fetch_in_parts
from storage_backends.store import Listed, foreign, no_endpoint, unheard


def _may_pass(exc: Exception) -> bool:
    """Tell whether to ask again; connections that never came about were asked for again by now."""
    # What the SDK itself holds for worth it has no public name.
    return not connections.is_unreached(exc) and DEFAULT_RETRY._predicate(exc)


_AGAIN = DEFAULT_RETRY.with_predicate(_may_pass).with_delay(initial=0.2, multiplier=2, maximum=5)
_CHUNK_BYTES = 16 << 20
_FRESH_S = 600
_MARK = "clearlake-upload"
_RAISED = (*SDK, urllib3.exceptions.HTTPError, DataCorruption, InvalidResponse)


def open_store(bucket: str, prefix: str) -> "GcsStore":
    """Return the store at `gs://bucket/prefix`; nothing is asked."""
    return GcsStore(bucket, prefix)


class GcsStore:
    """The objects of `bucket` whose names begin with `prefix/`."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self._name = bucket
        self._root = f"{prefix}/" if prefix else ""
        self._making = Lock()
        self._said: tuple[datetime, float] | None = None

    @property
    def url(self) -> str:
        return f"gs://{self._name}/{self._root}".rstrip("/")

    def put_new(self, key: str, data: bytes) -> None:
        blob = self._blob(key)
        with self._asking(key):
            _send(blob, BytesIO(data), len(data), if_generation_match=0, retry=None)
        if not blob.generation:
            raise unheard(self.url, key)

    def put(self, key: str, data: bytes) -> None:
        blob = self._blob(key)
        with self._asking(key):
            kind = keys.media_type(key)
            _send(blob, BytesIO(data), len(data), kind, retry=_again())
        if not blob.generation:
            raise unheard(self.url, key)

    def upload(self, path: Path, key: str) -> None:
        """Create `key` from the file at `path`; a large one goes in chunks, and is resumed.

        The SDK sends again where an answer was lost, and is then told that the key is taken: by
        which upload, a mark on the object says.
        """
        blob = self._blob(key)
        blob.metadata = {_MARK: uuid.uuid4().hex}
        with path.open("rb") as file, self._asking(key):
            byte_count = os.fstat(file.fileno()).st_size
            blob.chunk_size = _CHUNK_BYTES if byte_count > _CHUNK_BYTES else None
            try:
                _send(blob, file, byte_count, if_generation_match=0, retry=_again())
            except api.PreconditionFailed:
                if not self._is_marked(key, blob.metadata):
                    raise
            else:
                if not blob.generation and not self._is_marked(key, blob.metadata):
                    raise unheard(self.url, key)

    def scratch(self) -> Path | None:
        return None

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        keys.check_range(key, start, length)
        blob = self._blob(key)
        if length == 0:
            self.size(key)
            return b""
        with self._asking(key, is_read=True):
            try:
                return _read(blob, start, length)
            except api.RequestRangeNotSatisfiable:
                return b""

    def download(self, key: str, path: Path) -> None:
        """Write an object's bytes to a new file at `path`: ranges of one state of it, in parallel.

        On failure, another checksum than the object's included, there is no file.
        """
        blob = self._blob(key)
        with self._asking(key, is_read=True):
            blob.reload(timeout=_timeout(), retry=_again())

            def read(start: int, length: int) -> list[bytes]:
                pinned = {"if_generation_match": blob.generation}
                return [_read(self._blob(key), start, length, **pinned)]

            fetch_in_parts(read, blob.size, path)
        if blob.crc32c and _crc32c(path) != blob.crc32c:
            path.unlink()
            text = f"{self.url}: {key} came with another checksum than it was stored with:"
            raise ConnectionError(errno.EIO, f"{text} try again", key)

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[Listed]:
        """Give every object below `prefix` and behind `after`, by key; see `Store`.

        The empty objects that consoles make for folders are none.
        """
        keys.check_prefix(prefix)
        return self._listed(prefix, after)

    def children(self, prefix: str = "", *, after: str = "", limit: int) -> tuple[Listed, ...]:
        keys.check_folder(prefix)
        pages = self._client.list_blobs(
            self._name,
            prefix=self._root + prefix,
            delimiter="/",
            start_offset=self._root + level.start_of(prefix, after) if after else None,
            page_size=min(limit + 2, 1000),
            fields="items(name,size),prefixes,nextPageToken",
            timeout=_timeout(),
            retry=_again(),
        ).pages
        return level.gathered(self._levels(prefix, pages), prefix, after, limit)

    def size(self, key: str) -> int:
        blob = self._blob(key)
        with self._asking(key):
            blob.reload(timeout=_timeout(), retry=_again())
        return int(blob.size)

    def delete(self, key: str) -> None:
        try:
            with self._asking(key):
                self._blob(key).delete(timeout=_timeout(), retry=_again())
        except FileNotFoundError:
            return

    def now(self) -> datetime:
        if self._said is None:
            self._ask()
        said, at = self._said or (datetime.now(UTC), time.monotonic())
        return said + timedelta(seconds=time.monotonic() - at)

    def data_url(self, key: str) -> str:
        keys.check(key)
        return self._web + quote(self._root + key, safe="/=~")

    def protection(self) -> str:
        bucket = self._client.bucket(self._name)
        with self._asking(""):
            bucket.reload(timeout=_timeout(), retry=_again())
        lock = bool(bucket.retention_period or bucket.default_event_based_hold)
        return keys.protection(versioning=bool(bucket.versioning_enabled), lock=lock)

    def let_read(self, connection: Any) -> None:
        """Give DuckDB a token that is good for minutes at least; called again, a newer one."""
        extensions.load(connection, "httpfs", extra="gcs")
        name = f"clearlake_{self._name}"
        if token := self._token():
            extensions.secret(connection, name, TYPE="http", SCOPE=self._web, BEARER_TOKEN=token)

    @property
    def _web(self) -> str:
        base: str = self._client._connection.API_BASE_URL
        return f"{base.rstrip('/')}/{self._name}/"

    def _token(self) -> str:
        """Return a bearer token; an emulator needs none."""
        held = self._client._credentials
        with self._asking(""), self._making:
            if not hasattr(held, "refresh") or os.environ.get("STORAGE_EMULATOR_HOST"):
                return ""
            expiry = held.expiry.replace(tzinfo=UTC) if held.expiry else None
            is_short = expiry and expiry - datetime.now(UTC) < timedelta(seconds=_FRESH_S)
            if not held.valid or is_short:
                held.refresh(Request())
        return str(held.token or "")

    @cached_property
    def _client(self) -> Any:
        with self._asking(""), self._making:
            # Names of buckets in traces are not worth a request of each process.
            os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
            try:
                client = Client(project=None)  # of which objects need none
            except (auth.DefaultCredentialsError, ValueError, OSError) as exc:
                raise no_credentials(self.url) from exc
        if not connections.is_endpoint(client._connection.API_BASE_URL):
            raise no_endpoint(self.url, SETTING)
        # The session can be given, but then without credentials: those that the SDK found are
        # private, as is its session, and the address that it asks.
        session = client._http
        weakref.finalize(self, session.close)
        connections.prepare(session)
        session.hooks["response"] += [self._note_time, self._is_genuine]
        return client

    def _note_time(self, response: Any, *_: Any, **__: Any) -> None:
        if said := response.headers.get("Date", ""):
            self._said = parsedate_to_datetime(said), time.monotonic()

    def _is_genuine(self, response: Any, *_: Any, **__: Any) -> None:
        """Take no web page of a portal for an object; what is JSON must be so anyway."""
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        is_whole = response.status_code == 200 and (is_page or "alt=media" in response.url)
        if is_whole and "X-Goog-Hash" not in response.headers:
            response.close()
            raise foreign(self.url, "Google Cloud Storage", SETTING)

    def _blob(self, key: str) -> Any:
        keys.check(key)
        encryption = os.environ.get("CLEARLAKE_GCS_KMS_KEY") or None
        return self._client.bucket(self._name).blob(self._root + key, kms_key_name=encryption)

    def _is_marked(self, key: str, mark: dict[str, str]) -> bool:
        found = self._blob(key)
        try:
            found.reload(timeout=_timeout(), retry=_again())
        except _RAISED:
            return False
        return bool(found.metadata == mark)

    def _listed(self, prefix: str, after: str) -> Iterator[Listed]:
        pages = self._client.list_blobs(
            self._name,
            prefix=self._root + prefix,
            start_offset=self._root + after if after else None,
            fields="items(name,size),nextPageToken",
            timeout=_timeout(),
            retry=_again(),
        ).pages
        while True:
            with self._asking(prefix):
                page = next(pages, None)
            if page is None:
                return
            for blob in page:
                key = blob.name.removeprefix(self._root)
                if key > after and not key.endswith("/"):
                    yield Listed(key, blob.size)

    def _levels(self, prefix: str, pages: Iterator[Any]) -> Iterator[tuple[Listed, ...]]:
        while True:
            with self._asking(prefix):
                page = next(pages, None)
            if page is None:
                return
            yield (
                *(Listed(blob.name.removeprefix(self._root), blob.size) for blob in page),
                *(Listed(name.removeprefix(self._root), 0) for name in page.prefixes),
            )

    def _ask(self) -> None:
        """Ask for the first name: the cheapest question that whoever may list may ask."""
        with self._asking(""):
            found = self._client.list_blobs(
                self._name,
                prefix=self._root or None,
                max_results=1,
                timeout=_timeout(),
                retry=_again(),
            )
            next(iter(found), None)

    def _asking(self, key: str, *, is_read: bool = False) -> AbstractContextManager[None]:
        def told(exc: Exception) -> OSError:
            if isinstance(exc, api.NotFound) and key and may_be_the_bucket(exc):
                self._ask()
            return translated(exc, url=self.url, bucket=self._name, key=key)

        return asking(_RAISED, told, url=self.url, key=key, is_read=is_read)


def _timeout() -> tuple[float, float]:
    return CONNECT_S, answer_s()


def _again() -> Any:
    """Ask again for as long as one answer may take."""
    return _AGAIN.with_timeout(answer_s())


def _send(blob: Any, file: BinaryIO, byte_count: int, kind: str = keys.BYTES, **how: Any) -> None:
    blob.upload_from_file(
        file,
        size=byte_count,
        content_type=kind,
        checksum="crc32c",
        timeout=_timeout(),
        **how,
    )


def _read(blob: Any, start: int, length: int | None, **how: Any) -> bytes:
    """Return bytes as they are stored; the SDK holds whole ones against their checksum."""
    found: bytes = blob.download_as_bytes(
        start=start or None,
        end=None if length is None else start + length - 1,
        raw_download=True,
        timeout=_timeout(),
        retry=_again(),
        **how,
    )
    return found


def _crc32c(path: Path) -> str:
    """Return a file's CRC-32C as Cloud Storage writes it: base64 of big-endian bytes."""
    found = google_crc32c.Checksum()
    with path.open("rb", buffering=0) as file:
        while block := file.read(1 << 20):
            found.update(block)
    return b64encode(found.digest()).decode()
