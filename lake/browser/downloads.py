"""Bytes given as they are: streamed from the store, as nothing that a browser would run."""

import hashlib
from collections.abc import Iterator
from urllib.parse import quote

from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from lake import objects
from lake.browser import failures
from lake.browser.ask import Ask
from lake.browser.pages.stored import size_of
from lake.browser.previews import image_type
from lake.browser.snapshot import Snapshot
from lake.errors import FileDamaged
from storage_backends import Store

PIECE = 1 << 20
_MOST_OF_A_PICTURE = 32 << 20
_ALONE = "sandbox; default-src 'none'"


def picture(shot: Snapshot, ask: Ask) -> Response:
    """Answer with a picture: only where its own bytes say that it is one, and as nothing else."""
    key = ask.get("key")
    byte_count = size_of(shot, key)
    store = shot.lake.log.store
    media_type = image_type(objects.piece(store, key, 0, 16)) if byte_count else ""
    if not media_type or byte_count > _MOST_OF_A_PICTURE:
        text = "These bytes are no picture that is shown here."
        return failures.page(404, "No picture", text, ask)
    headers = {"Content-Security-Policy": _ALONE, "Cache-Control": "private, no-cache"}
    body = iterate_in_threadpool(objects.pieces(store, key, length=PIECE))
    return StreamingResponse(body, media_type=media_type, headers=headers)


def attached(
    request: Request, store: Store, key: str, name: str, byte_count: int, sha256: str = ""
) -> Response:
    """Return an answer that saves an object's bytes as a file called `name`.

    Args:
        request: of a HEAD, no bytes are read.
        store: where.
        key: of the object.
        name: anything; it is only told.
        byte_count: its size.
        sha256: what its bytes must be: others are never given to the end, so that no browser
            takes them for whole.
    """
    headers = saved_as(name) | {"Content-Length": str(byte_count)}
    if request.method == "HEAD":
        return Response(headers=headers, media_type="application/octet-stream")
    found = objects.pieces(store, key, length=PIECE)
    checked = _checked(found, key, sha256) if sha256 else found
    return StreamingResponse(
        iterate_in_threadpool(checked), headers=headers, media_type="application/octet-stream"
    )


def saved_as(name: str) -> dict[str, str]:
    """Return the headers of a file to be saved, and never shown."""
    plain = name.encode(errors="replace").decode().replace("\0", "")
    return {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(plain or 'data', safe='')}",
        "Content-Security-Policy": _ALONE,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }


def _checked(found: Iterator[bytes], key: str, sha256: str) -> Iterator[bytes]:
    """Give all but the last piece as it comes; the last once all of them are what they must be."""
    digest, held = hashlib.sha256(), b""
    for piece in found:
        digest.update(piece)
        if held:
            yield held
        held = piece
    if digest.hexdigest() != sha256:
        raise FileDamaged(f"{key} is not the file that the log names: restore it from a copy")
    if held:
        yield held
