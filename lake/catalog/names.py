"""What datasets are and were called: a rename leaves the files and old commits as they are."""

from typing import Literal

from lake.catalog import fold
from lake.catalog.base import ParquetBase
from lake.catalog.entries import Change, Declare, Rename
from lake.catalog.state import State
from lake.query.sql import literal


def kind_of(name: str) -> Literal["source", "model"]:
    """Return what declares a dataset: a `source` or a `model`."""
    return "source" if name.startswith("raw.") else "model"


def former_name(head: State, name: str, commit: int) -> str:
    """Return what the dataset that is called `name` at the head was called at a commit."""
    for number, old, new in reversed(head.renamed):
        if number > commit and new == name:
            name = old
    return name


def renamed_to(state: State, name: str) -> tuple[int, str] | None:
    """Return in which commit a name was given up last, and for which; None if it never was."""
    found = [(number, new) for number, old, new in state.renamed if old == name]
    return found[-1] if found else None


def rename(state: State, old: str, new: str) -> list[Change]:
    """Return what gives a dataset another name; what is declared of it goes along.

    What is declared under the new name already stays as it is.
    """
    kind, was, is_now = kind_of(old), old.partition(".")[2], new.partition(".")[2]
    text = state.declared(kind).get(was, "")
    changes: list[Change] = [Rename(old, new)]
    if text and is_now not in state.declared(kind):
        changes.append(Declare(kind, is_now, text))
    return [*changes, *([Declare(kind, was, "")] if text else [])]


def as_called(head: State, state: State, name: str) -> State:
    """Let a former state call a dataset as the head does: `name` finds it in both."""
    former = former_name(head, name, state.commit)
    if former == name or name in state.datasets or former not in state.datasets:
        return state
    state = state.fork()
    fold.apply_changes(state, rename(state, former, name), {})
    return state


def was_used(state: State, name: str) -> bool:
    """Tell whether any commit up to the state's knew a dataset of this name."""
    if name in state.datasets or renamed_to(state, name):
        return True
    if any(event.dataset == name for event in state.events):
        return True
    if not isinstance(state.base, ParquetBase):
        return False
    return bool(state.base.rows(f"SELECT 1 FROM history WHERE dataset = {literal(name)} LIMIT 1"))
