"""What PostgreSQL says of a load that failed, in one line: what, why, and what to do."""

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import errors

from lake.errors import LakeError, LoadRefused, StoreUnavailable, WarehouseLocked
from lake.postgres_server import said_by
from lake.query.sql import identifier, literal
from lake.warehouse import ledger
from lake.warehouse.ledger import TableLoad
from lake.warehouse.postgres_table import default_schema

_LATER = (
    errors.DeadlockDetected,
    errors.LockNotAvailable,
    errors.SerializationFailure,
)
_RIGHTS = "SELECT, INSERT, UPDATE, DELETE"
# By their classes: connection, resources, operator's hand, the system's own trouble; and a
# session that was ended as it had nothing to say for a while.
_UNAVAILABLE = ("08", "25P03", "53", "57", "58", "XX")


@contextlib.contextmanager
def server_errors(
    server: "psycopg.Connection[tuple[Any, ...]]", load: TableLoad | None, *, what: str
) -> Iterator[None]:
    """Translate what the server, or the way to it, raises inside.

    Raises:
        WarehouseLocked: somebody else was in the way. Safe to retry.
        StoreUnavailable: the server is gone, full or stopping. Safe to retry: the ledger tells
            whether a COMMIT came through whose answer was lost.
        LoadRefused: what is to be written is not taken. A retry is no use.
    """
    try:
        yield
    except errors.InsufficientPrivilege as exc:
        raise _forbidden(server, load, exc, what) from exc
    except psycopg.Error as exc:
        raise _told(exc, what) from exc


def _told(exc: psycopg.Error, what: str) -> LakeError:
    said, code = said_by(exc), exc.sqlstate or ""
    if isinstance(exc, _LATER):
        return WarehouseLocked(
            f"{what} met somebody else's work ({said}): nothing was changed; try again"
        )
    if isinstance(exc, errors.ReadOnlySqlTransaction):
        return LoadRefused(
            f"{what} is refused, as the server takes no changes ({said}): name the primary in the"
            " warehouse's url, or a role that may write"
        )
    if not code and isinstance(exc, (psycopg.OperationalError, psycopg.InterfaceError)):
        return StoreUnavailable(
            f"{what} lost the server ({said}): it is done whole or not at all; load again, which"
            " finds out and completes it"
        )
    if code.startswith(_UNAVAILABLE):
        return StoreUnavailable(
            f"{what} broke off ({said}): nothing was changed; put that right, then load again"
        )
    return LoadRefused(f"{what} failed ({said}): nothing was changed; put that right, then load")


def _forbidden(
    server: "psycopg.Connection[tuple[Any, ...]]",
    load: TableLoad | None,
    exc: psycopg.Error,
    what: str,
) -> LoadRefused:
    said = said_by(exc)
    advice = "let somebody who may grant it that right"
    with contextlib.suppress(psycopg.Error):
        server.rollback()
        advice = _advice(server, load)
    return LoadRefused(
        f"{what} is refused ({said}): nothing was changed; {advice}, then load again"
    )


def _advice(server: "psycopg.Connection[tuple[Any, ...]]", load: TableLoad | None) -> str:
    """Return the statement that gives this role the right that it lacks."""
    here, (role,) = default_schema(server), _one(server, "SELECT current_user")
    if closed := _closed_ledger(server, here):
        return f"let its owner run: GRANT {_RIGHTS} ON {closed} TO {identifier(role)}"
    schema, name = ledger.table_name(load.table) if load else ("", "")
    me = identifier(role)
    table = f"{identifier(schema or here)}.{identifier(name)}"
    owner = _one(
        server,
        "SELECT r.rolname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner"
        f" WHERE c.oid = to_regclass({literal(table)})",
    )
    if owner and owner[0] != role:
        return (
            f"it is {owner[0]}'s table, so let a superuser run: ALTER TABLE {table} OWNER TO {me}"
        )
    if hidden := _hidden(server, load, here):
        return hidden
    if schema and not _one(server, f"SELECT 1 FROM pg_namespace WHERE nspname = {literal(schema)}"):
        return (
            f"there is no schema {schema}, so let somebody who may run: CREATE SCHEMA"
            f" {identifier(schema)} AUTHORIZATION {me}"
        )
    both = ", ".join(identifier(one) for one in dict.fromkeys((here, schema or here)))
    return f"let somebody who may run: GRANT USAGE, CREATE ON SCHEMA {both} TO {me}"


def _hidden(
    server: "psycopg.Connection[tuple[Any, ...]]", load: TableLoad | None, here: str
) -> str:
    """Return what to do about a policy that hides rows of a table from this role; else nothing."""
    schema, name = ledger.table_name(load.table) if load else ("", "")
    names = [(here, one) for one in (ledger.TABLES, ledger.LOADS, ledger.WRITERS)]
    ours = ", ".join(
        f"({literal(one)}, {literal(other)})" for one, other in [*names, (schema or here, name)]
    )
    found = _one(
        server,
        "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), current_user,"
        " pg_has_role(c.relowner, 'USAGE') FROM pg_class c JOIN pg_namespace n"
        " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND row_security_active(c.oid)"
        + (f" AND (n.nspname, c.relname) IN ({ours})" if load else "")
        + " ORDER BY 1 LIMIT 1",
    )
    if not found:
        return ""
    table, role, is_own = found
    bypass = f"let a superuser run: ALTER ROLE {identifier(role)} BYPASSRLS"
    own = f"run ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, or " if is_own else ""
    return f"row security hides rows of {table} from this role, so {own}{bypass}"


def _closed_ledger(server: "psycopg.Connection[tuple[Any, ...]]", schema: str) -> str:
    """Return the tables of the ledger that this role may not read and write, quoted."""
    names = ", ".join(literal(one) for one in (ledger.TABLES, ledger.LOADS, ledger.WRITERS))
    rights = " AND ".join(f"has_table_privilege(c.oid, '{one}')" for one in _RIGHTS.split(", "))
    query = (
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE"
        f" n.nspname = {literal(schema)} AND c.relname IN ({names}) AND NOT ({rights})"
        " ORDER BY c.relname"
    )
    found = server.execute(query.encode())
    return ", ".join(f"{identifier(schema)}.{identifier(name)}" for (name,) in found)


def _one(server: "psycopg.Connection[tuple[Any, ...]]", query: str) -> tuple[Any, ...]:
    return server.execute(query.encode()).fetchone() or ()
