"""What became of a dataset that is not there under a name, as far as the log knows."""

from dataclasses import dataclass

from lake.browser.ask import Ask, dataset_path
from lake.browser.snapshot import Snapshot
from lake.catalog.names import former_name, renamed_to
from lake.query.sql import literal


@dataclass(frozen=True, slots=True)
class Way:
    """A link, and what it leads to."""

    text: str
    link: str


@dataclass(frozen=True, slots=True)
class Former:
    """What became of a dataset; without a text, nothing is known."""

    text: str = ""
    ways: tuple[Way, ...] = ()


NOTHING = Former()


def former(shot: Snapshot, head: Snapshot, ask: Ask, name: str) -> Former:
    """Return what became of `name`, which the lake at a commit has not."""
    state = shot.lake.state
    if moved := renamed_to(state, name):
        number, new = moved
        text = f"{name} was renamed to {new} in commit {number}."
        return Former(text, (_now(ask, new), *_before(ask, number, name)))
    if number := _dropped_in(shot, name):
        return Former(f"{name} was dropped in commit {number}.", _before(ask, number, name))
    old = former_name(head.lake.state, name, shot.commit)
    if old in state.datasets:
        text = f"{name} was called {old} at commit {shot.commit}."
        return Former(text, (_now(ask, old),))
    return NOTHING


def _dropped_in(shot: Snapshot, name: str) -> int:
    """Return the commit that took a dataset away; 0: none did."""
    (found,) = shot.rows(
        "SELECT coalesce(max(commit), 0) AS n FROM every_version"
        f" WHERE dataset = {literal(name.replace(chr(0), ''))} AND action = 'drop'"
    )
    return int(found["n"])


def _now(ask: Ask, name: str) -> Way:
    return Way(name, ask.link(dataset_path(name)))


def _before(ask: Ask, number: int, name: str) -> tuple[Way, ...]:
    as_it_was = f"{dataset_path(name)}?at={number - 1}"
    return (
        Way(f"Commit {number}", ask.link(f"/commits/{number}")),
        Way(f"{name} as it was at commit {number - 1}", as_it_was),
    )
