"""Files hashed again on all cores; what was found sound is kept in mind until all are done."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lake.words import cause
from storage_backends import Store

PIECE = 4 << 20
Told = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Named:
    """A file as the log names it, and the receipt of its version."""

    key: str
    bytes: int
    sha256: str
    receipt: str


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not as the log says.

    `kind` is `missing`, `size`, `sha256`, `surplus`, `receipt`, `rejects`, `profile`, `log`,
    `checkpoint`, `schema` or `unreadable`.
    """

    kind: str
    key: str
    found: str


@dataclass(frozen=True, slots=True)
class Progress:
    """The files that were found sound so far, in a file on this machine; `None` keeps nothing.

    It is one line per file, written as soon as it is known, so that a kill loses none of them.
    """

    path: Path | None = None

    def done(self) -> frozenset[str]:
        """Return the lines of what was found sound; one that was cut off counts for nothing."""
        try:
            text = self.path.read_text(encoding="utf-8") if self.path else ""
        except (OSError, UnicodeDecodeError):
            return frozenset()
        return frozenset(line[:-1] for line in text.splitlines(keepends=True) if line[-1:] == "\n")

    def note(self, file: Named) -> None:
        """Keep in mind that a file is sound; where that cannot be written, it is hashed again."""
        if self.path:
            with suppress(OSError):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("a", encoding="utf-8") as out:
                    out.write(f"{_line(file)}\n")

    def forget(self) -> None:
        """Start anew."""
        if self.path:
            with suppress(OSError):
                self.path.unlink()


def _line(file: Named) -> str:
    return f"{file.sha256} {file.key}"


def left_over(files: Sequence[Named], progress: Progress) -> list[Named]:
    """Return the files that were not found sound before."""
    done = progress.done()
    return [file for file in files if _line(file) not in done]


def sample(files: Sequence[Named], share: float, seed: str) -> list[Named]:
    """Return about `share` of the files, at least one: the same ones for the same seed."""
    drawn = {file.key: _draw(seed, file.key) for file in files}
    chosen = [file for file in files if drawn[file.key] < share]
    return chosen or sorted(files, key=lambda file: drawn[file.key])[:1]


def _draw(seed: str, key: str) -> float:
    digest = hashlib.sha256(f"{seed}\n{key}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def check_files(
    store: Store, files: Sequence[Named], told: Told, progress: Progress
) -> Iterator[Damage]:
    """Hash every file, on all cores: reading and hashing leave the interpreter free.

    The largest come first, so that no core is left alone with one at the end.
    """
    largest_first = sorted(files, key=lambda file: -file.bytes)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        checked = pool.map(lambda file: _noted(store, file, told, progress), largest_first)
        found = {damage.key: damage for damage in checked if damage}
    yield from (found[file.key] for file in files if file.key in found)


def _noted(store: Store, file: Named, told: Told, progress: Progress) -> Damage | None:
    damage = _check_file(store, file, told)
    if not damage:
        progress.note(file)
    return damage


def _check_file(store: Store, file: Named, told: Told) -> Damage | None:
    digest, at = hashlib.sha256(), 0
    try:
        while piece := store.get(file.key, start=at, length=PIECE):
            digest.update(piece)
            at += len(piece)
            told(len(piece))
            if len(piece) < PIECE:
                break
    except FileNotFoundError:
        return Damage("missing", file.key, "there is no such object")
    except (OSError, ValueError) as exc:
        return Damage("unreadable", file.key, cause(exc))
    if at != file.bytes:
        return Damage("size", file.key, f"{at} bytes, the log says {file.bytes}")
    if digest.hexdigest() != file.sha256:
        return Damage("sha256", file.key, f"{digest.hexdigest()}, the log says {file.sha256}")
    return None
