"""A file created in a container, create-only: in one request, or in blocks, several at once."""

import hashlib
import math
import os
import uuid
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from azure.core import MatchConditions
from azure.core import exceptions as core
from azure.storage.blob import BlobBlock, ContentSettings

from storage_backends.ranges import PART_BYTES, TOGETHER

_WHOLE_BYTES = 2 * PART_BYTES
_MOST_BLOCKS = 50_000
_MARK = "clearlake_upload"


def upload(blob: Any, path: Path, encryption: dict[str, str]) -> None:
    """Create `blob` from the file at `path`; its MD5 is kept with it.

    The SDK sends a request again where the answer was lost, and is then told that the key is taken:
    by which upload, a mark on the object says. Blocks that were sent in vain Azure forgets within a
    week. At most `TOGETHER` blocks are in memory.

    Raises:
        AzureError: the SDK's own.
    """
    mark = uuid.uuid4().hex
    said: dict[str, Any] = {**encryption, "metadata": {_MARK: mark}}
    with path.open("rb", buffering=0) as file:
        byte_count = os.fstat(file.fileno()).st_size
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
        said["content_settings"] = ContentSettings(content_md5=bytearray(md5))
        try:
            if byte_count <= _WHOLE_BYTES:
                body = os.pread(file.fileno(), byte_count, 0)
                blob.upload_blob(
                    body, length=len(body), overwrite=False, validate_content=True, **said
                )
            else:
                blocks = _send(blob, file.fileno(), byte_count, mark)
                blob.commit_block_list(blocks, match_condition=MatchConditions.IfMissing, **said)
        except (core.ResourceExistsError, core.ResourceModifiedError):
            if not _is_marked(blob, mark):
                raise


def _send(blob: Any, file: int, byte_count: int, mark: str) -> list[BlobBlock]:
    size = max(PART_BYTES, math.ceil(byte_count / _MOST_BLOCKS))

    def send(number: int) -> BlobBlock:
        # Of one length, as Azure wants them, and never another upload's.
        name = b64encode(f"{mark}{number:06}".encode()).decode()
        body = os.pread(file, size, number * size)
        blob.stage_block(name, body, length=len(body), validate_content=True)
        return BlobBlock(block_id=name)

    with ThreadPoolExecutor(TOGETHER) as pool:
        sent = [pool.submit(send, number) for number in range(math.ceil(byte_count / size))]
        try:
            return [block.result() for block in sent]
        finally:
            for block in sent:
                block.cancel()


def _is_marked(blob: Any, mark: str) -> bool:
    try:
        return bool(blob.get_blob_properties().metadata.get(_MARK) == mark)
    except core.AzureError:
        return False
