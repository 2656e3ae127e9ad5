"""A file created in a bucket, create-only: in one request, or in parts, several at once."""

import math
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from botocore import exceptions as boto

from storage_backends.ranges import PART_BYTES, TOGETHER
from storage_backends.s3_errors import status

_WHOLE_BYTES = 2 * PART_BYTES
_MOST_PARTS = 10_000
_MARK = "clearlake-upload"


def upload(client: Any, path: Path, at: dict[str, str], encryption: dict[str, str]) -> None:
    """Create the object `at` (Bucket, Key) from the file at `path`.

    The SDK sends a request again where the answer was lost, and is then told that the key is taken:
    by which upload, a mark on the object says. At most `TOGETHER` parts are in memory.

    Raises:
        ClientError, BotoCoreError: the SDK's own; the parts that were sent are taken back.
    """
    mark = {_MARK: uuid.uuid4().hex}
    with path.open("rb", buffering=0) as file, _unless_mine(client, at, mark):
        byte_count = os.fstat(file.fileno()).st_size
        if byte_count <= _WHOLE_BYTES:
            body = file.read()
            answer = client.put_object(
                **at, **encryption, Body=body, Metadata=mark, IfNoneMatch="*"
            )
            if "ETag" not in answer and not _is_marked(client, at, mark):
                raise boto.HTTPClientError(error="the answer names no object")
        else:
            made = client.create_multipart_upload(
                **at, **encryption, Metadata=mark, ChecksumAlgorithm="CRC32"
            )
            parted = at | {"UploadId": made["UploadId"]}
            with _taken_back(client, parted):
                parts = _send(client, file.fileno(), byte_count, parted)
                client.complete_multipart_upload(
                    **parted, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
                )


def _send(client: Any, file: int, byte_count: int, at: dict[str, str]) -> list[dict[str, Any]]:
    size = max(PART_BYTES, math.ceil(byte_count / _MOST_PARTS))

    def send(number: int) -> dict[str, Any]:
        body = os.pread(file, size, (number - 1) * size)
        answer = client.upload_part(**at, PartNumber=number, Body=body, ChecksumAlgorithm="CRC32")
        return {name: answer[name] for name in ("ETag", "ChecksumCRC32") if name in answer} | {
            "PartNumber": number
        }

    with ThreadPoolExecutor(TOGETHER) as pool:
        sent = [pool.submit(send, number) for number in range(1, math.ceil(byte_count / size) + 1)]
        try:
            return [part.result() for part in sent]
        finally:
            for part in sent:
                part.cancel()


@contextmanager
def _taken_back(client: Any, parted: dict[str, str]) -> Iterator[None]:
    """Take back what was sent of an upload that fails: they cost money, and no listing has them."""
    try:
        yield
    except BaseException:
        with suppress(boto.ClientError, boto.BotoCoreError):
            client.abort_multipart_upload(**parted)
        raise


@contextmanager
def _unless_mine(client: Any, at: dict[str, str], mark: dict[str, str]) -> Iterator[None]:
    try:
        yield
    except boto.ClientError as exc:
        if status(exc) not in (404, 412) or not _is_marked(client, at, mark):
            raise


def _is_marked(client: Any, at: dict[str, str], mark: dict[str, str]) -> bool:
    try:
        return bool(client.head_object(**at).get("Metadata") == mark)
    except (boto.ClientError, boto.BotoCoreError):
        return False
