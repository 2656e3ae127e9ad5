"""A container of Azure Blob Storage, or of Azurite, as a store.

`AZURE_STORAGE_CONNECTION_STRING` says all; else `AZURE_STORAGE_ACCOUNT` names the account, with
`AZURE_STORAGE_KEY`, `AZURE_STORAGE_SAS_TOKEN` or Azure's own chain of credentials (a service
principal's variables, a managed identity, `az login`). `CLEARLAKE_AZURE_ENCRYPTION_SCOPE` is passed
on with everything that is written.
"""

import errno
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import requests
from azure.core import MatchConditions
from azure.core import exceptions as core
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import ContainerClient, ContentSettings, ExponentialRetry

from storage_backends import azure_account, azure_upload, connection, extensions, keys, level
from storage_backends.asking import asking
from storage_backends.azure_errors import SETTING, translated
from storage_backends.patience import CONNECT_S, answer_s
from storage_backends.ranges import fetch_in_parts
from storage_backends.store import Listed, foreign

_CHAIN = "env;workload_identity;managed_identity;cli"
"""Of DuckDB's credentials, what `DefaultAzureCredential` tries, in its order."""


def open_store(bucket: str, prefix: str) -> "AzureStore":
    """Return the store at `az://container/prefix`; nothing is asked."""
    return AzureStore(bucket, prefix)


class AzureStore:
    """The objects of `container` whose names begin with `prefix/`."""

    def __init__(self, container: str, prefix: str) -> None:
        self._container = container
        self._root = f"{prefix}/" if prefix else ""
        self._making = Lock()
        self._said: tuple[datetime, float] | None = None

    @property
    def url(self) -> str:
        return f"az://{self._container}/{self._root}".rstrip("/")

    def put_new(self, key: str, data: bytes) -> None:
        with self._asking(key):
            self._write(self._once, key, data, overwrite=False)

    def put(self, key: str, data: bytes) -> None:
        with self._asking(key):
            self._write(self._client, key, data, overwrite=True)

    def upload(self, path: Path, key: str) -> None:
        """Create `key` from the file at `path`; a large one in blocks, several at once."""
        with self._asking(key):
            azure_upload.upload(self._blob(key), path, self._encryption)

    def scratch(self) -> Path | None:
        return None

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        keys.check_range(key, start, length)
        if length == 0:
            self.size(key)
            return b""
        with self._asking(key, is_read=True):
            try:
                answer = self._blob(key).download_blob(
                    offset=start, length=length, max_concurrency=1
                )
                found: bytes = answer.readall()
            except core.HttpResponseError as exc:
                if exc.status_code == 416:
                    return b""
                raise
        if start == 0 and len(found) == answer.properties.size:
            md5 = hashlib.md5(found, usedforsecurity=False).digest()
            self._same(key, answer.properties, md5)
        return found

    def download(self, key: str, path: Path) -> None:
        """Write an object's bytes to a new file at `path`: ranges of one state of it, in parallel.

        On failure, another checksum than the object's included, there is no file.
        """
        with self._asking(key, is_read=True):
            blob = self._blob(key)
            properties = blob.get_blob_properties()

            def read(start: int, length: int) -> Iterator[bytes]:
                pinned = {"etag": properties.etag, "match_condition": MatchConditions.IfNotModified}
                yield blob.download_blob(start, length, max_concurrency=1, **pinned).readall()

            fetch_in_parts(read, properties.size, path)
        try:
            if properties.content_settings.content_md5:
                with path.open("rb") as file:
                    md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
                self._same(key, properties, md5.digest())
        except BaseException:
            path.unlink()
            raise

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[Listed]:
        """Give every object below `prefix` and behind `after`, by key; see `Store`.

        The empty objects that stand for folders are none.
        """
        keys.check_prefix(prefix)
        return self._listed(prefix, after)

    def children(self, prefix: str = "", *, after: str = "", limit: int) -> tuple[Listed, ...]:
        keys.check_folder(prefix)
        pages = self._client.walk_blobs(
            name_starts_with=self._root + prefix,
            results_per_page=min(limit + 2, 5000),
            start_from=self._root + level.start_of(prefix, after) if after else None,
        ).by_page()
        return level.gathered(self._levels(prefix, pages), prefix, after, limit)

    def size(self, key: str) -> int:
        with self._asking(key):
            return int(self._blob(key).get_blob_properties().size)

    def delete(self, key: str) -> None:
        try:
            with self._asking(key):
                self._blob(key).delete_blob()
        except FileNotFoundError:
            return

    def now(self) -> datetime:
        if self._said is None:
            with self._asking(""):
                found = self._client.list_blobs(self._root or None, results_per_page=1)
                next(iter(found), None)
        said, at = self._said or (datetime.now(UTC), time.monotonic())
        return said + timedelta(seconds=time.monotonic() - at)

    def data_url(self, key: str) -> str:
        keys.check(key)
        return f"az://{self._container}/{self._root}{key}"

    def protection(self) -> str:
        with self._asking(""):
            found = self._client.get_container_properties()
        lock = found.has_immutability_policy or found.has_legal_hold
        versioning = bool(found.immutable_storage_with_versioning_enabled)
        return keys.protection(versioning=versioning, lock=bool(lock))

    def let_read(self, connection: Any) -> None:
        """Give DuckDB what this store's own client has; where that is a chain, the same one."""
        extensions.load(connection, "azure", extra="azure")
        name, scope = f"clearlake_{self._container}", f"az://{self._container}/"
        if said := self._connection_string:
            extensions.secret(connection, name, TYPE="azure", SCOPE=scope, CONNECTION_STRING=said)
        else:
            extensions.secret(
                connection,
                name,
                TYPE="azure",
                PROVIDER="credential_chain",
                SCOPE=scope,
                ACCOUNT_NAME=azure_account.account(self.url),
                CHAIN=_CHAIN,
            )

    @cached_property
    def _connection_string(self) -> str:
        return azure_account.connection_string(self.url)

    @cached_property
    def _client(self) -> ContainerClient:
        return self._made(
            # Connections are asked for again below.
            ExponentialRetry(initial_backoff=0, increment_base=2, retry_total=4, retry_connect=0)
        )

    @cached_property
    def _once(self) -> ContainerClient:
        """A client that sends a request once: a retry of a commit would answer itself."""
        return self._made(ExponentialRetry(retry_total=0))

    def _made(self, retry: ExponentialRetry) -> ContainerClient:
        session = requests.Session()
        connection.prepare(session)
        how: dict[str, Any] = {
            "retry_policy": retry,
            "raw_response_hook": self._hear,
            "transport": RequestsTransport(
                session=session,
                session_owner=False,
                connection_timeout=CONNECT_S,
                read_timeout=answer_s(),
            ),
        }
        if said := self._connection_string:
            try:
                return ContainerClient.from_connection_string(said, self._container, **how)
            except ValueError as exc:
                raise azure_account.malformed(self.url) from exc
        from azure.identity import DefaultAzureCredential

        return ContainerClient(
            f"https://{azure_account.account(self.url)}.blob.core.windows.net",
            self._container,
            credential=DefaultAzureCredential(),
            **how,
        )

    def _hear(self, response: Any) -> None:
        """Note the time; and take no web page of a portal for an answer of Azure's."""
        answer = response.http_response
        is_theirs = any(name.lower().startswith("x-ms-") for name in answer.headers)
        if answer.status_code < 500 and not is_theirs:
            raise foreign(self.url, "Azure", SETTING)
        if said := response.http_response.headers.get("Date", ""):
            self._said = parsedate_to_datetime(said).astimezone(UTC), time.monotonic()

    @property
    def _encryption(self) -> dict[str, str]:
        scope = os.environ.get("CLEARLAKE_AZURE_ENCRYPTION_SCOPE")
        return {"encryption_scope": scope} if scope else {}

    def _blob(self, key: str) -> Any:
        keys.check(key)
        return self._client.get_blob_client(self._root + key)

    def _write(self, client: ContainerClient, key: str, data: bytes, *, overwrite: bool) -> None:
        keys.check(key)
        blob = client.get_blob_client(self._root + key)
        kind = ContentSettings(content_type=keys.media_type(key))
        how: dict[str, Any] = {**self._encryption, "overwrite": overwrite, "validate_content": True}
        how["content_settings"] = kind
        blob.upload_blob(data, length=len(data), **how)

    def _same(self, key: str, properties: Any, md5: bytes) -> None:
        kept = properties.content_settings.content_md5
        if kept and bytes(kept) != md5:
            text = f"{self.url}: {key} came with another checksum than it was stored with:"
            raise ConnectionError(errno.EIO, f"{text} try again", key)

    def _listed(self, prefix: str, after: str) -> Iterator[Listed]:
        pages = self._client.list_blobs(
            name_starts_with=self._root + prefix,
            include=["metadata"],
            results_per_page=5000,
            start_from=self._root + after if after else None,
        ).by_page()
        while True:
            with self._asking(prefix):
                page = next(pages, None)
                blobs = None if page is None else list(page)
            if blobs is None:  # an empty page may have one behind it
                return
            for blob in blobs:
                key = blob.name.removeprefix(self._root)
                is_folder = key.endswith("/") or "hdi_isfolder" in (blob.metadata or {})
                if key > after and not is_folder:
                    yield Listed(key, blob.size)

    def _levels(self, prefix: str, pages: Iterator[Any]) -> Iterator[tuple[Listed, ...]]:
        while True:
            with self._asking(prefix):
                page = next(pages, None)
                blobs = None if page is None else list(page)
            if blobs is None:
                return
            named = [(one.name.removeprefix(self._root), one) for one in blobs]
            yield tuple(Listed(key, 0 if key.endswith("/") else one.size) for key, one in named)

    def _asking(self, key: str, *, is_read: bool = False) -> AbstractContextManager[None]:
        def told(exc: Exception) -> OSError:
            return translated(exc, url=self.url, container=self._container, key=key)

        return asking((core.AzureError,), told, url=self.url, key=key, is_read=is_read)
