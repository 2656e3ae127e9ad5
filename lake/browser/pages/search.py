"""Search: over the names, columns and descriptions of datasets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lake.browser.ask import Ask
from lake.browser.snapshot import Snapshot
from lake.query.describe import described
from lake.schema.admit import crowd

MOST = 100


@dataclass(frozen=True, slots=True)
class Hit:
    """A dataset that was found, and where: in its `name`, a `column`, or a `description`.

    Attributes:
        what: the column, or the text.
    """

    dataset: str
    where: str
    what: str
    description: str


@dataclass(frozen=True, slots=True)
class SearchPage:
    """What was found, names first; `total` may be more than are shown."""

    query: str
    total: int
    hits: Sequence[Hit]


@dataclass(frozen=True, slots=True)
class _Known:
    dataset: str
    description: str
    columns: tuple[tuple[str, str], ...]


def make(shot: Snapshot, ask: Ask) -> SearchPage:
    """Return what a query of words finds; every word must be in the same place."""
    query = ask.get("q").strip()[:200]
    words = query.casefold().split()
    index = shot.memo("search", lambda: list(_index(shot)))
    found = (
        sorted(_found(index, words), key=lambda pair: (pair[0], pair[1].dataset)) if words else []
    )
    return SearchPage(query, len(found), [hit for _, hit in found[:MOST]])


def _index(shot: Snapshot) -> Iterator[_Known]:
    state = shot.state()
    for name in sorted(state.datasets):
        said = described(state, name)
        columns = crowd(state, name).reconciled().columns
        told = tuple((one.name, said.columns.get(one.name, "")) for one in columns)
        yield _Known(name, said.description, told)


def _found(index: Sequence[_Known], words: Sequence[str]) -> Iterator[tuple[int, Hit]]:
    for one in index:
        if _has(one.dataset, words):
            exact = one.dataset.partition(".")[2] == " ".join(words)
            yield (0 if exact else 1), Hit(one.dataset, "name", one.dataset, one.description)
            continue
        column = next((name for name, _ in one.columns if _has(name, words)), "")
        if column:
            yield 2, Hit(one.dataset, "column", column, one.description)
            continue
        texts = (one.description, *(f"{name}: {text}" for name, text in one.columns if text))
        text = next((text for text in texts if _has(text, words)), "")
        if text:
            yield 3, Hit(one.dataset, "description", text, one.description)
        elif _has(" ".join((one.dataset, *(name for name, _ in one.columns), *texts)), words):
            yield 4, Hit(one.dataset, "name", one.dataset, one.description)


def _has(text: str, words: Sequence[str]) -> bool:
    folded = text.casefold()
    return all(word in folded for word in words)
