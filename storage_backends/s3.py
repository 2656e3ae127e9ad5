"""A bucket of S3, or of what speaks its protocol (MinIO, R2, LocalStack …), as a store.

Credentials, region and endpoint come from boto3's own chain: `AWS_PROFILE`, `AWS_ACCESS_KEY_ID`,
`AWS_REGION`, `AWS_ENDPOINT_URL` and so on. `CLEARLAKE_S3_SSE` (`AES256`, `aws:kms`) and
`CLEARLAKE_S3_SSE_KMS_KEY_ID` are passed on with everything that is written.
"""

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache, cached_property
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
import urllib3
from botocore import exceptions as boto
from botocore.config import Config
from botocore.loaders import create_loader

from storage_backends import extensions, keys, level, s3_upload
from storage_backends.asking import asking
from storage_backends.patience import CONNECT_S, answer_s
from storage_backends.ranges import PART_BYTES, TOGETHER, fetch_in_parts
from storage_backends.s3_errors import SETTING, code, translated
from storage_backends.store import Listed, foreign, misset, unheard

_TRIES = 4
_CLIENT_TRIES = 5
_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu")
_ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse")
_RAISED = (boto.ClientError, boto.BotoCoreError, urllib3.exceptions.HTTPError)
_RANGE_BYTES = 64 << 20
_BLOCK_BYTES = 256 << 10
_TOGETHER = min(TOGETHER, 2 * (os.cpu_count() or 1))
"""More threads, which take block by block, would wait for each other and not for the network."""


@cache
def _models() -> Any:
    return create_loader()


def open_store(bucket: str, prefix: str) -> "S3Store":
    """Return the store at `s3://bucket/prefix`; nothing is asked."""
    return S3Store(bucket, prefix)


class S3Store:
    """The objects of `bucket` whose keys begin with `prefix/`."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket = bucket
        self._root = f"{prefix}/" if prefix else ""
        self._making = Lock()
        self._said: tuple[datetime, float] | None = None

    @property
    def url(self) -> str:
        return f"s3://{self._bucket}/{self._root}".rstrip("/")

    def put_new(self, key: str, data: bytes) -> None:
        keys.check(key)
        with self._asking(key):
            answer = self._once.put_object(
                **self._at(key), **self._encryption, Body=data, IfNoneMatch="*"
            )
        self._heard(answer, key)

    def put(self, key: str, data: bytes) -> None:
        keys.check(key)
        with self._asking(key):
            answer = self._client.put_object(
                **self._at(key), **self._encryption, Body=data, ContentType=keys.media_type(key)
            )
        self._heard(answer, key)

    def upload(self, path: Path, key: str) -> None:
        """Create `key` from the file at `path`; a large one in parts, several at once."""
        keys.check(key)
        with self._asking(key):
            s3_upload.upload(self._client, path, self._at(key), self._encryption)

    def scratch(self) -> Path | None:
        return None

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        keys.check(key)
        keys.check_range(key, start, length)
        if length == 0:
            self.size(key)
            return b""
        if start == 0 and length is None:
            return self._read(key)[0]
        end = "" if length is None else str(start + length - 1)
        return self._read(key, Range=f"bytes={start}-{end}")[0]

    def download(self, key: str, path: Path) -> None:
        """Write an object's bytes to a new file at `path`: ranges of one state of it, in parallel.

        On failure there is no file.
        """
        keys.check(key)
        first, answer = self._read(key, Range=f"bytes=0-{PART_BYTES - 1}")
        byte_count = int(answer.get("ContentRange", "/0").rpartition("/")[2])

        def read(start: int, length: int) -> Iterator[bytes]:
            return self._blocks(key, start, start + length, answer["ETag"])

        each = max(PART_BYTES, min(_RANGE_BYTES, byte_count // TOGETHER))
        fetch_in_parts(read, byte_count, path, first=first, part_bytes=each, together=_TOGETHER)

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[Listed]:
        """Give every object below `prefix` and behind `after`, by key; see `Store`.

        The empty objects that consoles make for folders are none.
        """
        keys.check_prefix(prefix)
        return self._listed(prefix, after)

    def children(self, prefix: str = "", *, after: str = "", limit: int) -> tuple[Listed, ...]:
        keys.check_folder(prefix)
        asked: dict[str, Any] = {"Delimiter": "/", "Prefix": self._root + prefix}
        if after:
            asked["StartAfter"] = self._root + level.start_of(prefix, after)
        asked["PaginationConfig"] = {"PageSize": min(limit + 1, 1000)}
        return level.gathered(self._levels(prefix, asked), prefix, after, limit)

    def size(self, key: str) -> int:
        keys.check(key)
        with self._asking(key):
            try:
                answer = self._client.head_object(**self._at(key))
                return int(self._genuine(answer, "ETag")["ContentLength"])
            except boto.ClientError as exc:
                if code(exc) == "404":  # an answer to HEAD has no text, so a bucket may be meant
                    self._list_one()
                raise

    def delete(self, key: str) -> None:
        keys.check(key)
        with self._asking(key):
            self._client.delete_object(**self._at(key))

    def now(self) -> datetime:
        if self._said is None:
            with self._asking(""):
                self._list_one()
        said, at = self._said or (datetime.now(UTC), time.monotonic())
        return said + timedelta(seconds=time.monotonic() - at)

    def data_url(self, key: str) -> str:
        keys.check(key)
        return f"s3://{self._bucket}/{self._root}{key}"

    def protection(self) -> str:
        at = {"Bucket": self._bucket}
        with self._asking(""):
            kept = self._client.get_bucket_versioning(**at).get("Status", "off")
            try:
                found = self._client.get_object_lock_configuration(**at)
            except boto.ClientError as exc:
                if "ObjectLockConfigurationNotFound" not in code(exc):
                    raise
                found = {}
        lock = found.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled", "off")
        return keys.protection(versioning=kept == "Enabled", lock=lock == "Enabled")

    def let_read(self, connection: Any) -> None:
        """Give DuckDB the credentials as they are now; called again, the renewed ones."""
        extensions.load(connection, "httpfs", extra="s3")
        endpoint = urlsplit(self._client.meta.endpoint_url)
        is_aws = (endpoint.hostname or "").endswith(_AWS)
        with self._asking(""):
            held = self._session.get_credentials()
            found = held.get_frozen_credentials() if held else None
        extensions.secret(
            connection,
            f"clearlake_{self._bucket}",
            TYPE="s3",
            SCOPE=f"s3://{self._bucket}/",
            KEY_ID=found.access_key if found else "",
            SECRET=found.secret_key if found else "",
            SESSION_TOKEN=(found.token or "") if found else "",
            REGION=self._client.meta.region_name or "",
            ENDPOINT="" if is_aws else f"{endpoint.netloc}{endpoint.path}".rstrip("/"),
            # The host of a bucket with a dot has no certificate; boto3, too, decides like this.
            URL_STYLE="path" if "." in self._bucket or not is_aws else "vhost",
            USE_SSL=endpoint.scheme == "https",
        )

    @cached_property
    def _session(self) -> Any:
        session = botocore.session.Session()
        # Its models of the protocol are 100 ms to read, so a process does that once.
        session.register_component("data_loader", _models())
        return boto3.session.Session(botocore_session=session)

    @cached_property
    def _client(self) -> Any:
        return self._made(tries=_CLIENT_TRIES)

    @cached_property
    def _once(self) -> Any:
        """A client that sends a request once: a retry of a commit would answer itself."""
        return self._made(tries=1)

    def _made(self, *, tries: int) -> Any:
        config = Config(
            connect_timeout=CONNECT_S,
            read_timeout=answer_s(),
            max_pool_connections=64,
            retries={"mode": "standard", "total_max_attempts": tries},
            s3={
                "addressing_style": "path" if "." in self._bucket else "auto",
                # As over TLS: each body goes with a CRC-32, and the log has its SHA-256.
                "payload_signing_enabled": False,
            },
        )
        # Making clients is the one thing that a session does not share; what is set wrong is told
        # as a ValueError.
        with self._making, self._asking("", raised=(*_RAISED, ValueError)):
            client = self._session.client("s3", config=config)
        if tries > 1:
            client.meta.events.register_first("needs-retry.s3", _soon_again)
        client.meta.events.register("before-parse.s3", self._refuse_pages)
        client.meta.events.register("after-call.s3", self._note_time)
        return client

    def _note_time(self, http_response: Any, **_: Any) -> None:
        said = http_response.headers.get("Date", "") if http_response is not None else ""
        if said:
            self._said = parsedate_to_datetime(said).astimezone(UTC), time.monotonic()

    def _refuse_pages(self, response_dict: dict[str, Any], **_: Any) -> None:
        """Take no web page for S3's word: the SDK would ask without end where one redirects.

        An object may be a page, too, but each object has an ETag.
        """
        headers = response_dict["headers"]
        is_page = headers.get("Content-Type", "").startswith("text/html")
        if is_page and "ETag" not in headers and response_dict["status_code"] < 500:
            raise foreign(self.url, "S3", SETTING)

    @cached_property
    def _encryption(self) -> dict[str, str]:
        names = {
            "ServerSideEncryption": "CLEARLAKE_S3_SSE",
            "SSEKMSKeyId": "CLEARLAKE_S3_SSE_KMS_KEY_ID",
        }
        said = {key: os.environ[name] for key, name in names.items() if os.environ.get(name)}
        if said.get("ServerSideEncryption", "AES256") not in _ENCRYPTIONS:
            allowed = ", ".join(_ENCRYPTIONS)
            raise misset(self.url, f"CLEARLAKE_S3_SSE can be one of {allowed}: set one, or none")
        return said

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._root + key}

    def _list_one(self) -> None:
        """Ask for the first key: the cheapest question that whoever may list may ask."""
        self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._root, MaxKeys=1)

    def _genuine(self, answer: dict[str, Any], field: str) -> dict[str, Any]:
        """Take no web page for an answer of S3's, which always has this field."""
        if field not in answer:
            raise foreign(self.url, "S3", SETTING)
        return answer

    def _object(self, key: str, **asked: str) -> dict[str, Any]:
        return self._genuine(self._client.get_object(**self._at(key), **asked), "ETag")

    def _heard(self, answer: dict[str, Any], key: str) -> None:
        """Take no answer without an object for one: it may be an error behind a 200."""
        if "ETag" not in answer:
            raise unheard(self.url, key)

    def _read(self, key: str, **asked: str) -> tuple[bytes, dict[str, Any]]:
        """Return bytes, as many as were announced, and the answer that they came with.

        The SDK asks again until an answer begins; one that breaks off is asked for again here.
        """
        with self._asking(key, is_read=True):
            for left in reversed(range(_TRIES)):
                try:
                    answer = self._object(key, **asked)
                    return answer["Body"].read(), answer
                except boto.ClientError as exc:
                    if code(exc) == "InvalidRange":
                        return b"", {}
                    raise
                except (boto.HTTPClientError, boto.IncompleteReadError, boto.FlexibleChecksumError):
                    if not left:
                        raise
        raise AssertionError("unreachable")

    def _blocks(self, key: str, start: int, end: int, etag: str) -> Iterator[bytes]:
        """Give a range of one state of an object; where it breaks off, it is gone on with.

        Blocks that stay in the processor's cache take half the time of whole parts.
        """
        with self._asking(key, is_read=True):
            for left in reversed(range(_TRIES)):
                if start >= end:
                    return
                wanted = f"bytes={start}-{end - 1}"
                answer = self._object(key, Range=wanted, IfMatch=etag)
                try:
                    while block := answer["Body"].read(_BLOCK_BYTES):
                        yield block
                        start += len(block)
                except (boto.HTTPClientError, boto.IncompleteReadError):
                    if not left:
                        raise

    def _listed(self, prefix: str, after: str) -> Iterator[Listed]:
        last = prefix.rpartition("/")[2]
        # MinIO refuses these as a path that leads out, though other keys begin so.
        broad = prefix.removesuffix(last) if last in (".", "..") else prefix
        asked = {"Bucket": self._bucket, "Prefix": self._root + broad}
        if after:
            asked["StartAfter"] = self._root + after
        pages = None
        while True:
            with self._asking(prefix):
                pages = pages or iter(self._pages(asked))
                page = next(pages, None)
            if page is None:
                return
            for item in self._genuine(page, "IsTruncated").get("Contents", ()):
                key = item["Key"].removeprefix(self._root)
                if key > after and key.startswith(prefix) and not key.endswith("/"):
                    yield Listed(key, item["Size"])

    def _levels(self, prefix: str, asked: dict[str, Any]) -> Iterator[tuple[Listed, ...]]:
        with self._asking(prefix):
            pages = iter(self._pages({"Bucket": self._bucket, **asked}))
        while True:
            with self._asking(prefix):
                page = next(pages, None)
            if page is None:
                return
            objects = self._genuine(page, "IsTruncated").get("Contents", ())
            folders = page.get("CommonPrefixes", ())
            yield (
                *(Listed(item["Key"].removeprefix(self._root), item["Size"]) for item in objects),
                *(Listed(item["Prefix"].removeprefix(self._root), 0) for item in folders),
            )

    def _pages(self, asked: dict[str, Any]) -> Any:
        return self._client.get_paginator("list_objects_v2").paginate(**asked)

    def _asking(
        self, key: str, *, is_read: bool = False, raised: tuple[type[Exception], ...] = _RAISED
    ) -> AbstractContextManager[None]:
        def told(exc: Exception) -> OSError:
            return translated(exc, url=self.url, bucket=self._bucket, key=key)

        return asking(raised, told, url=self.url, key=key, is_read=is_read)


def _soon_again(attempts: int, caught_exception: Exception | None, **_: Any) -> float | None:
    """Return in how many seconds to ask again where no connection came about: 1 s in all.

    The SDK's own pauses grow to 8 s, which is for servers that are too busy.
    """
    is_unreached = isinstance(caught_exception, (boto.EndpointConnectionError, boto.SSLError))
    return 0.1 * attempts if is_unreached and attempts < _CLIENT_TRIES else None
