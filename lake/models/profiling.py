"""The profile of a built partition, for pages that show columns; see `lake.profile.profile`."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from lake.catalog.state import State
from lake.models.project import Node
from lake.parquet.inspect import Inspected
from lake.profile.profile import LARGE_AS_LANDED, profile, profile_document
from lake.schema.admit import crowd
from lake.schema.join import spell

Built = tuple[Path, str, Inspected]
"""A Parquet file, its key in the lake, and what was seen of it."""


def built_profile(
    connection: duckdb.DuckDBPyConnection, state: State, node: Node, files: Sequence[Built]
) -> bytes:
    """Return the profile of what a model built; few rows are counted, for builds are many.

    A column that is called like a personal one of what the model reads is taken for that.
    """
    personal = _personal(state, node)
    return profile_document(
        [
            profile(
                path,
                key=key,
                name=node.dataset,
                inspected=seen,
                personal=frozenset(c.name for c in seen.schema if spell(c.name) in personal),
                at_most=LARGE_AS_LANDED,
                connection=connection,
            )
            for path, key, seen in files
        ]
    )


def _personal(state: State, node: Node) -> set[str]:
    return {
        spell(name)
        for one in node.inputs
        if one.dataset in state.datasets
        for name, column in crowd(state, one.dataset).declared.items()
        if column.personal
    }
