"""The metadata tables: the schema `meta` of every connection of ours."""

from collections.abc import Iterator
from typing import Any

from lake.catalog import tables
from lake.catalog.state import State
from lake.query.describe import described
from lake.query.sql import literal
from lake.schema.admit import crowd

TABLES = ("commits", "datasets", "versions", "files", "columns", "checks", "loads", "drift")

_VERSIONS = """
WITH every AS (
  SELECT dataset, partition, version, commit, any_value(landed_at)::TIMESTAMPTZ AS landed_at,
    any_value(action) AS action, any_value(version_rows) AS rows,
    coalesce(any_value(rejected), 0) AS rejected, any_value(version_bytes) AS bytes,
    any_value(version_files) AS files, any_value(content) AS sha256, any_value(source) AS source,
    any_value(run) AS run, coalesce(any_value(held), '') AS reason
  FROM meta._history GROUP BY dataset, partition, version, commit)
SELECT * EXCLUDE (reason),
  reason = '' AND action NOT IN ('remove', 'drop') AND version = max(version)
    FILTER (WHERE reason = '') OVER (PARTITION BY dataset, partition) AS current,
  reason <> '' AS held
FROM every ORDER BY commit, dataset, partition
"""
_FILES = """
SELECT dataset, partition, version, key, bytes, rows, sha256, schema AS schema_id,
  commit AS added_in, removed_in
FROM meta._history WHERE key IS NOT NULL ORDER BY added_in, dataset, partition, key
"""
_COMMITS = """
SELECT commit, id, committed_at::TIMESTAMPTZ AS committed_at, author, message, changes
FROM meta._commits ORDER BY commit
"""
_NOTES = """
SELECT c.commit, c.committed_at::TIMESTAMPTZ AS moment, n.note FROM meta._commits c,
  (SELECT unnest(from_json(c.notes, '["JSON"]')) AS note) n
"""
_CHECKS = """
SELECT note->>'dataset' AS dataset, note->>'scope' AS partition, note->>'name' AS "check",
  coalesce((note->>'failed')::BIGINT, 0) AS failed,
  coalesce(note->>'severity', 'error') AS severity,
  coalesce((note->>'failed')::BIGINT, 0) = 0 AS passed, commit, moment AS checked_at
FROM meta._notes WHERE note->>'note' = 'check' ORDER BY commit, dataset, "check"
"""
_LOADS = """
SELECT note->>'dataset' AS dataset, note->>'table' AS "table", note->>'warehouse' AS warehouse,
  (note->>'loaded')::BIGINT AS partitions, (note->>'removed')::BIGINT AS removed,
  (note->>'rows')::BIGINT AS rows, (note->>'of')::BIGINT AS loaded_commit, commit,
  moment AS loaded_at
FROM meta._notes WHERE note->>'note' = 'load' ORDER BY commit, dataset
"""
_DRIFT = """
SELECT note->>'dataset' AS dataset, note->>'partition' AS partition, note->>'column' AS "column",
  note->>'was' AS former_type, note->>'is' AS type, note->>'rule' AS rule, commit,
  moment AS drifted_at
FROM meta._notes WHERE note->>'note' = 'drift' ORDER BY commit, dataset, "column"
"""
_DATASETS = {
    "dataset": "VARCHAR",
    "description": "VARCHAR",
    "owner": "VARCHAR",
    "partitions": "BIGINT",
    "versions": "BIGINT",
    "files": "BIGINT",
    "rows": "BIGINT",
    "bytes": "BIGINT",
    "changed_at": "TIMESTAMPTZ",
    "changed_in": "BIGINT",
}
_COLUMNS = {
    "dataset": "VARCHAR",
    "column": "VARCHAR",
    "type": "VARCHAR",
    "file_column": "VARCHAR",
    "file_type": "VARCHAR",
    "schema_id": "VARCHAR",
    "rule": "VARCHAR",
}
_COLUMNS_VIEW = """
SELECT c.dataset, c."column", c.type, c.file_column, c.file_type,
  min_by(f.partition || '@v' || f.version, (f.added_in, f.partition)) AS first_version,
  max_by(f.partition || '@v' || f.version, (f.added_in, f.partition)) AS last_version, c.rule
FROM meta._columns c LEFT JOIN meta.files f
  ON f.dataset = c.dataset AND f.schema_id = c.schema_id AND f.removed_in IS NULL
GROUP BY c.dataset, c."column", c.type, c.file_column, c.file_type, c.rule
ORDER BY c.dataset, c."column", first_version
"""


def make(connection: Any, state: State) -> None:
    """Make the metadata tables of a state in a connection, as views in the schema `meta`."""
    connection.execute("CREATE SCHEMA IF NOT EXISTS meta")
    tables.history(connection, state)
    tables.commits(connection, state)
    tables.load(connection, "_datasets", _DATASETS, _dataset_rows(state))
    tables.load(connection, "_columns", _COLUMNS, _column_rows(state))
    connection.execute(f"CREATE OR REPLACE VIEW meta._notes AS {_NOTES}")
    for name, select in (
        ("commits", _COMMITS),
        ("datasets", "SELECT * FROM meta._datasets ORDER BY dataset"),
        ("versions", _VERSIONS),
        ("files", _FILES),
        ("columns", _COLUMNS_VIEW),
        ("checks", _CHECKS),
        ("loads", _LOADS),
        ("drift", _DRIFT),
    ):
        connection.execute(f"CREATE OR REPLACE VIEW meta.{name} AS {select}")


def _dataset_rows(state: State) -> Iterator[dict[str, Any]]:
    for name, dataset in sorted(state.datasets.items()):
        words = described(state, name)
        known = {
            column: getattr(dataset, column) for column in _DATASETS if hasattr(dataset, column)
        }
        yield {
            **known,
            "dataset": name,
            "description": words.description,
            "owner": words.owner,
            "changed_at": dataset.changed_at or None,
        }


def _column_rows(state: State) -> Iterator[dict[str, Any]]:
    for name in sorted(state.datasets):
        for column in crowd(state, name).reconciled().columns:
            of = {"dataset": name, "column": column.name, "type": column.type, "rule": column.rule}
            for schema_id, part in column.parts.items():
                if part:
                    yield {
                        **of,
                        "schema_id": schema_id,
                        "file_column": part.name,
                        "file_type": part.type,
                    }
            if not column.parts:
                yield of


def version_commit(state: State, dataset: str, partition: str, version: int) -> int | None:
    """Return the commit in which a version of a partition was made, or None."""
    for event in state.events:
        if (event.dataset, event.partition, event.version) == (dataset, partition, version):
            return event.commit
    connection = tables.connect()
    tables.history(connection, state)
    found = connection.execute(
        f"SELECT min(commit) FROM meta._history WHERE dataset = {literal(dataset)}"
        f" AND partition = {literal(partition)} AND version = {version}"
    ).fetchone()
    return int(found[0]) if found and found[0] else None


def rows(state: State, select: str) -> list[dict[str, Any]]:
    """Return what a SELECT over the metadata tables gives, as a dict per row."""
    connection = tables.connect()
    make(connection, state)
    found = connection.execute(select)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
