"""Rows that other tables refer to: a load that replaces a row must not take theirs along.

A row that is deleted and comes back with the same key was gone for a moment, in which a foreign key
with ON DELETE CASCADE, SET NULL or SET DEFAULT deletes or changes what refers to it.
"""

from psycopg import errors

from lake.errors import LoadRefused
from lake.query.sql import literal
from lake.warehouse.warehouse import Table

_ACTIONS = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def delete(table: Table, condition: str) -> None:
    """Take rows out of the table, where that changes nothing in other tables.

    Raises:
        LoadRefused: it would, or another table's constraint keeps the rows.
    """
    actions = ", ".join(map(literal, _ACTIONS))
    found = table.run(
        "SELECT conname::text, conrelid::regclass::text, confdeltype::text FROM pg_constraint"
        f" WHERE contype = 'f' AND confrelid = {literal(table.name)}::regclass"
        f" AND confdeltype IN ({actions}) ORDER BY conname LIMIT 1"
    )
    if found and table.run(f"SELECT 1 FROM {table.name} WHERE {condition} LIMIT 1"):
        name, other, action = found[0]
        does = f"has ON DELETE {_ACTIONS[action]}, which would change rows of {other}"
        raise _refused(table, name, other, does)
    try:
        table.run(f"DELETE FROM {table.name} WHERE {condition}")
    except (errors.ForeignKeyViolation, errors.RestrictViolation) as exc:
        name, other = exc.diag.constraint_name, f"{exc.diag.schema_name}.{exc.diag.table_name}"
        raise _refused(table, name or "", other, "keeps rows that are replaced") from exc


def _refused(table: Table, name: str, other: str, does: str) -> LoadRefused:
    load = table.load
    return LoadRefused(
        f"constraint {name} of {other} refers to table {load.table} in {table.warehouse} and"
        f" {does}: nothing was changed; write merge_on into [warehouse.tables], drop the"
        " constraint, or make it ON DELETE NO ACTION DEFERRABLE INITIALLY DEFERRED"
    )
