"""Why a version is held, in words: both files, the column, both types, and what to declare."""

from lake.catalog.state import State
from lake.errors import SchemaConflict
from lake.landing.order import Staged


def explain(state: State, one: Staged, conflict: SchemaConflict) -> str:
    """Return one sentence about two files whose columns no rule joins."""
    found = conflict.conflict
    sides = [
        f"{_file(state, one, schema)} has {kind}"
        for schema, kind in (
            (found.left_schema, found.left_type),
            (found.right_schema, found.right_type),
        )
    ]
    return (
        f"column {found.column!r} cannot be read together: {', '.join(dict.fromkeys(sides))}"
        f" ({found.why}); declare its type or another name for it in [sources.{_name(one)}.columns]"
    )


def _name(one: Staged) -> str:
    return one.dataset.partition(".")[2]


def _file(state: State, one: Staged, schema: str) -> str:
    """Return the key of a file of this schema: of the new version, else of the dataset."""
    for file in one.files:
        if file.schema == schema:
            return file.key
    for known in state.data_files(one.dataset):
        if known.schema == schema:
            return known.key
    return f"a file of schema {schema}"
