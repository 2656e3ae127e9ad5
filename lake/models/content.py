"""What a curated partition holds, as an id: the same rows in any order have the same one."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import duckdb

from lake.query.sql import identifier

if TYPE_CHECKING:
    from lake.models.columns import OutputColumn

ENGINE = f"duckdb-{duckdb.__version__}"


def content_id(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    """Return `duckdb-VERSION:HEX` of the names, types, row count and rows of a relation.

    Rows that are there twice count twice; their order does not count. DuckDB's hash changes between
    its versions: ids of two versions cannot be compared, and both sides are hashed again.

    Args:
        connection: any connection that can see the relation.
        relation: quoted SQL that can stand after FROM: a table, or a `read_parquet(…)`.
    """
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    columns = [(row[0], row[1]) for row in described]
    names = ", ".join(identifier(name) for name, _ in columns)
    # The inner hash mixes columns by XOR: hashed once more, values swapped between rows show.
    found = connection.execute(
        f"SELECT count(*), coalesce(sum(hash(hash({names}))), 0)::VARCHAR FROM {relation}"
    ).fetchone()
    return f"{ENGINE}:{_sha256([columns, found])}"


def same_engine(content: str) -> bool:
    """Tell whether an id can be compared with those that this process makes."""
    return content.startswith(f"{ENGINE}:")


def content_hex(content: str) -> str:
    """Return the hex digits of an id."""
    return content.rpartition(":")[2]


def build_key(
    canonical: str,
    *,
    config: Mapping[str, Any],
    inputs: Mapping[str, str],
    columns: "Mapping[str, Sequence[OutputColumn]]",
) -> str:
    """Return the key of a build: the same key means that there is nothing to run.

    Args:
        canonical: the model's SELECT (`lake.models.inputs.canonical`).
        config: what else decides the result: `partition_by`, `reads`, checks.
        inputs: the content of each input, by dataset.
        columns: of each input the columns that the model reads, with their reconciled types.
    """
    known = {name: [(c.name, c.type) for c in found] for name, found in columns.items()}
    return _sha256({"sql": canonical, "config": config, "inputs": inputs, "columns": known})


def _sha256(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return repr(value)
