"""The lake explained in files, without a server: a README.md and an index.html per dataset.

Whoever has only a bucket's console, or a folder, reads there what the datasets are, how they
changed and how they do, as of one commit. All links lead to other such files.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from markupsafe import Markup

from lake import layout
from lake.browser.ask import Ask, dataset_path
from lake.browser.pages import checks, columns, dataset, versions
from lake.browser.pages import lake as lakes
from lake.browser.pictures import lineage
from lake.browser.render import asset, environment
from lake.browser.snapshot import Snapshot
from lake.browser.words import seen
from lake.errors import InvalidConfig, unavailable

STYLE = f"{layout.PAGES}lake.css"
MARK = b"<!-- written by clearlake -->"
_DATASET = re.compile(r"/(raw|curated)/([a-z0-9_]+)")
# What begins something in Markdown: `_` does not within a word.
_MARKDOWN = re.compile(r"[\\`*\[\]|~<>&]|^[#+-]|(?<![^\W_])_|_(?![^\W_])")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_ROOM = 10**6
"""So many datasets a zone lists on its page, which is one file."""


@dataclass(frozen=True, slots=True)
class Still(Ask):
    """What a file is asked for: its links lead to other files.

    Attributes:
        up: from the file's folder to the top.
        name: of the files that links lead to: `README.md` or `index.html`.
    """

    up: str = ""
    file: str = "index.html"

    def link(self, path: str, **query: object) -> str:
        """Return the relative address of a dataset's or the lake's file; `""`: there is none."""
        if path == "/":
            return f"{self.up}{self.file}"
        found = _DATASET.fullmatch(path)
        return f"{self.up}{found[1]}/{found[2]}/{self.file}" if found else ""


def files(shot: Snapshot, now: datetime) -> Iterator[tuple[str, bytes]]:
    """Give every file, by its key below the lake's root."""
    yield STYLE, asset("lake.css").partition(b"}")[2]  # without the font, which lies elsewhere
    names = sorted(shot.lake.state.datasets)
    for name in layout.PAGE_NAMES:
        ask = Still("/", {}, now, up="", file=name)
        page = lakes.make(shot, replace(ask, query={"attention": "all"}), per_page=_ROOM)
        yield name, _rendered(f"lake.{name}", ask, shot, page=page)
    for one in names:
        yield from _of_dataset(shot, one, now)


def _of_dataset(shot: Snapshot, name: str, now: datetime) -> Iterator[tuple[str, bytes]]:
    path = dataset_path(name)
    ask = Still(path, {}, now, places={"dataset": name}, up="../../")
    found = dataset.make(shot, ask)
    documents = {
        "page": found,
        "columns": columns.make(shot, ask),
        "versions": versions.make(shot, ask),
        "checks": checks.make(shot, ask),
        "called": {one.id: one.name for one in found.lineage.nodes},
    }
    for file in layout.PAGE_NAMES:
        own = replace(ask, file=file)
        body = _rendered(f"dataset.{file}", own, shot, picture=_picture(own, found), **documents)
        yield f"{path[1:]}/{file}", body


def _picture(ask: Still, page: dataset.DatasetPage) -> Markup:
    """Return the lineage; what has no file of its own leads nowhere else."""
    boxes = [
        lineage.Box(
            one.id,
            one.name,
            one.text,
            ask.link(one.path) or "#lineage",
            one.id == page.head.name,
            one.is_bad,
        )
        for one in page.lineage.nodes
    ]
    return lineage.drawn(boxes, page.lineage.arrows)


def _rendered(template: str, ask: Still, shot: Snapshot, **values: object) -> bytes:
    found = environment().get_template(f"still/{template}")
    text = found.render(ask=ask, shot=shot, md=markdown, code=code, utc=utc, **values)
    return MARK + b"\n" + text.encode(errors="replace")


def markdown(text: object) -> Markup:
    """Return a text as Markdown that is nothing but this text, on one line."""
    flat = " ".join(seen(" ".join(str(text).split())).split())
    return Markup(_MARKDOWN.sub(_harmless, flat))


def _harmless(found: re.Match[str]) -> str:
    return _ENTITIES.get(found[0]) or f"\\{found[0]}"


def code(text: str) -> Markup:
    """Return lines of code as Markdown, indented: nothing in them means anything else there."""
    return Markup("\n".join(f"    {seen(line)}" for line in text.split("\n")))


def utc(value: datetime | str | None) -> str:
    """Return a time as a file tells it: exactly."""
    if not value:
        return "never"
    at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def write_folder(shot: Snapshot, folder: Path, now: datetime) -> int:
    """Write all files below a folder, in place of the former; return how many.

    Raises:
        InvalidConfig: it cannot be written, or a file of somebody else's is there.
    """
    count = 0
    try:
        for key, data in files(shot, now):
            path = folder / key
            _is_ours(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            count += 1
        for key in gone(shot):
            path = folder / key
            if path.is_file() and MARK in path.read_bytes():
                path.unlink()
    except OSError as exc:
        raise InvalidConfig(
            f"{folder} cannot be written ({exc.strerror}): name another folder for --static"
        ) from exc
    return count


def _is_ours(path: Path) -> None:
    if path.suffix != ".css" and path.is_file() and MARK not in path.read_bytes():
        raise InvalidConfig(
            f"{path} is there already and was not written by this: name an empty folder for"
            " --static"
        )


def gone(shot: Snapshot) -> Iterator[str]:
    """Give the keys of files about datasets that are there no longer."""
    ever = shot.rows("SELECT DISTINCT dataset FROM every_version")
    for name in sorted({row["dataset"] for row in ever} - shot.lake.state.datasets.keys()):
        for file in layout.PAGE_NAMES:
            yield f"{dataset_path(name)[1:]}/{file}"


def write_lake(shot: Snapshot, now: datetime) -> int:
    """Write all files into the lake itself, in place of the former; return how many.

    They are beside the versions: no commit names them, and what is collected are versions only.

    Raises:
        StoreUnavailable, StoreRefused: they cannot be written.
    """
    store, count = shot.lake.log.store, 0
    try:
        for key, data in files(shot, now):
            store.put(key, data)
            count += 1
        for key in gone(shot):
            store.delete(key)
    except OSError as exc:
        text = f"{shot.lake.url}: its pages cannot be written; {count} were, so run the same again"
        raise unavailable(text, exc) from exc
    return count
