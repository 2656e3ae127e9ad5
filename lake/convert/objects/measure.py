"""How wide, how high, how many pages: read by a process of its own, within limits.

A file from anywhere may be made to hang whoever opens it, to fill its memory or to crash it. So
Pillow and pypdf run in a child that has little memory and answers soon, or is ended: what it does
not say is not known.
"""

import json
import os
import resource
import subprocess
import sys
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from select import select
from threading import Lock
from types import TracebackType
from typing import Any, Self

MEMORY_BYTES = 290 << 20
ANSWER_S = 4.0
_START_S = 60.0
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "ICO", "JPEG2000", "AVIF", "PSD")


@dataclass(frozen=True, slots=True)
class Measured:
    """What a library read of an image or a PDF; None where it is not known."""

    width: int | None = None
    height: int | None = None
    pages: int | None = None


UNMEASURED = Measured()


class Measurer:
    """Measures files in a child process that is started when it is needed; use it in a `with`."""

    def __init__(self, *, answer_s: float = ANSWER_S) -> None:
        """Wait `answer_s` seconds for each answer, then end the child."""
        self._answer_s = answer_s
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = Lock()

    @property
    def pid(self) -> int | None:
        """The child's process id; None while there is none."""
        return self._child.pid if self._child else None

    def measure(self, path: Path, media: str) -> Measured:
        """Return what can be known of the image or PDF at `path`; never an error."""
        if not (media == "application/pdf" or media.startswith("image/")):
            return UNMEASURED
        with self._lock:
            said = self._ask(json.dumps([str(path.absolute()), media]))
        return Measured(**said) if said else UNMEASURED

    def _ask(self, question: str) -> dict[str, Any] | None:
        child = self._child = self._child or self._start()
        if child and child.stdin:
            try:
                child.stdin.write(question.encode() + b"\n")
                child.stdin.flush()
            except BrokenPipeError:
                pass
            if answer := _line(child, self._answer_s):
                said: dict[str, Any] = json.loads(answer)
                return said
        self.close()
        return None

    def _start(self) -> subprocess.Popen[bytes] | None:
        # -P: a `lake` folder of the user's must not stand before ours.
        command = [sys.executable, "-P", "-m", __name__]
        path = os.pathsep.join(filter(None, sys.path))
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._child = child
        return child if _line(child, _START_S) else None

    def close(self) -> None:
        """End the child, whatever it does."""
        child, self._child = self._child, None
        if child:
            child.kill()
            child.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _line(child: subprocess.Popen[bytes], wait_s: float) -> bytes:
    """Return the child's next line, or nothing if it ended or does not come in time."""
    if not child.stdout or not select([child.stdout], [], [], wait_s)[0]:
        return b""
    return child.stdout.readline()


def serve() -> None:
    """Answer one line with one line, until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    # Whatever a library prints must not be taken for an answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    warnings.simplefilter("ignore")
    answers.write("\n")
    answers.flush()
    for question in sys.stdin:
        path, media = json.loads(question)
        answers.write(json.dumps(asdict(_measured(Path(path), media))) + "\n")
        answers.flush()


def _measured(path: Path, media: str) -> Measured:
    """Measure in this process; what is caught is only what is common, all else ends the child."""
    try:
        return _pages(path) if media == "application/pdf" else _size(path)
    except (OSError, ValueError, SyntaxError, LookupError, TypeError, MemoryError, RecursionError):
        return UNMEASURED


def _size(path: Path) -> Measured:
    from PIL import Image

    try:
        # `open` reads the header only, and refuses one that announces a decompression bomb.
        with Image.open(path, formats=_FORMATS) as image:
            return Measured(width=image.width, height=image.height)
    except Image.DecompressionBombError:
        return UNMEASURED


def _pages(path: Path) -> Measured:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    with path.open("rb") as file:
        try:
            reader = PdfReader(file, strict=False)
            return UNMEASURED if reader.is_encrypted else Measured(pages=len(reader.pages))
        except PyPdfError:
            return UNMEASURED


if __name__ == "__main__":
    serve()
