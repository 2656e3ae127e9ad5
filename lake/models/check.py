"""Checks, run: each is a query that must return no rows."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Literal, TypeAlias

import duckdb

from lake.errors import ModelInvalid
from lake.models.checks import Check, Value
from lake.models.inputs import Reference, references
from lake.models.rewrite import rewrite
from lake.models.syntax import Statement, one_line, statement, valueless
from lake.query.sql import identifier, literal, qualified


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """What a check found: how many rows failed, and the first of them, in order."""

    name: str
    failed: int
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    severity: Literal["error", "warn"] = "error"


@dataclass(frozen=True, slots=True)
class Sight:
    """What a check sees: the rows to check, the other datasets, the time.

    `relation` and the values of `others` are quoted SQL that can stand after FROM; a dataset that
    `others` lacks is looked for under its own name. `now` is aware.
    """

    relation: str
    dataset: str
    now: datetime
    others: Mapping[str, str]


def check_inputs(check: Check, dataset: str, known: Collection[str]) -> tuple[str, ...]:
    """Return the other datasets that a check of `dataset` looks at.

    Raises:
        ModelInvalid: one of them does not exist.
    """
    if check.kind == "references":
        if check.to[0] not in known and check.to[0] != dataset:
            raise ModelInvalid(
                f"{check.path}: check {check.name!r}: there is no dataset {check.to[0]!r}"
            )
        return tuple(name for name in (check.to[0],) if name != dataset)
    if check.kind != "sql":
        return ()
    _, places = _places(check, dataset, {*known, dataset})
    return tuple(dict.fromkeys(place.dataset for place in places if place.dataset != dataset))


def query(check: Check, sight: Sight) -> str:
    """Return SQL whose rows are what fails.

    Its columns: all of the failing row; for `unique` the key and `count`; for `row_count` `count`;
    for `fresh` `newest` and `oldest_allowed`, in UTC.
    """
    return _QUERIES[check.kind](check, sight)


def run_check(
    connection: duckdb.DuckDBPyConnection, check: Check, sight: Sight, *, limit: int = 5
) -> CheckOutcome:
    """Run one check and count what fails; the first `limit` rows are kept, in their order.

    Raises:
        ModelInvalid: DuckDB refuses the check's query.
        duckdb.IOException, duckdb.OutOfMemoryException: it could not read what the check asks of.
    """
    sql = query(check, sight)
    try:
        counted = connection.execute(f"SELECT count(*) FROM ({sql}\n)").fetchone()
        failed = int(counted[0]) if counted else 0
        if not failed:
            return CheckOutcome(check.name, 0, severity=check.severity)
        cursor = connection.execute(f"SELECT * FROM ({sql}\n) ORDER BY ALL LIMIT {literal(limit)}")
        columns = tuple(item[0] for item in cursor.description or ())
        return CheckOutcome(check.name, failed, columns, tuple(cursor.fetchall()), check.severity)
    except (duckdb.IOException, duckdb.OutOfMemoryException):
        raise  # of what is read and where, not of how it is asked
    except duckdb.Error as exc:
        what, todo = f"{check.path}: check {check.name!r} cannot run", "correct it in the header"
        raise ModelInvalid(f"{what}: {one_line(str(exc))}; {todo}").told_as(
            f"{what}: {valueless(exc)}; {todo}"
        ) from exc


def _not_null(check: Check, sight: Sight) -> str:
    nulls = " OR ".join(f"{identifier(name)} IS NULL" for name in check.columns)
    return f"SELECT * FROM {sight.relation} WHERE {nulls}"


def _unique(check: Check, sight: Sight) -> str:
    keys = ", ".join(identifier(name) for name in check.columns)
    filled = " AND ".join(f"{identifier(name)} IS NOT NULL" for name in check.columns)
    return (
        f"SELECT {keys}, count(*) AS count FROM {sight.relation} WHERE {filled}"
        f" GROUP BY {keys} HAVING count(*) > 1"
    )


def _accepted_values(check: Check, sight: Sight) -> str:
    values = ", ".join(_literal(value) for value in check.values)
    return f"SELECT * FROM {sight.relation} WHERE {identifier(check.columns[0])} NOT IN ({values})"


def _between(check: Check, sight: Sight) -> str:
    return f"SELECT * FROM {sight.relation} WHERE {_outside(check, identifier(check.columns[0]))}"


def _row_count(check: Check, sight: Sight) -> str:
    counted = f"SELECT count(*) AS count FROM {sight.relation}"
    return f"SELECT count FROM ({counted}) WHERE {_outside(check, 'count')}"


def _outside(check: Check, expression: str) -> str:
    bounds = [(check.min, "<"), (check.max, ">")]
    return " OR ".join(f"{expression} {sign} {_literal(b)}" for b, sign in bounds if b is not None)


def _references(check: Check, sight: Sight) -> str:
    dataset, column = check.to
    other = sight.relation if dataset == sight.dataset else _relation(sight, dataset)
    mine, theirs = identifier(check.columns[0]), identifier(column)
    return (
        f"SELECT r.* FROM {sight.relation} AS r WHERE r.{mine} IS NOT NULL"
        f" AND NOT EXISTS (SELECT 1 FROM {other} AS t WHERE t.{theirs} = r.{mine})"
    )


def _relation(sight: Sight, dataset: str) -> str:
    return sight.others.get(dataset) or qualified(dataset)


def _fresh(check: Check, sight: Sight) -> str:
    oldest = sight.now.astimezone(UTC) - check.within
    limit = f"TIMESTAMP {literal(oldest.replace(tzinfo=None).isoformat(sep=' '))}"
    # Microseconds compare alike for dates, zoned and unzoned times, whatever the session's zone.
    newest = f"make_timestamp(epoch_us(max({identifier(check.columns[0])})))"
    found = f"SELECT {newest} AS newest, {limit} AS oldest_allowed FROM {sight.relation}"
    return f"SELECT * FROM ({found}) WHERE newest IS NULL OR newest < oldest_allowed"


def _sql(check: Check, sight: Sight) -> str:
    select, places = _places(check, sight.dataset, {sight.dataset, *sight.others})
    return rewrite(select, places, {**sight.others, sight.dataset: sight.relation})


def _places(
    check: Check, dataset: str, known: Collection[str]
) -> tuple[Statement, Sequence[Reference]]:
    select = statement(check.sql, path=f"{check.path}: check {check.name!r}")
    return select, references(select, known, prefer=dataset)


def _literal(value: Value) -> str:
    if isinstance(value, datetime):
        kind = "TIMESTAMPTZ" if value.tzinfo else "TIMESTAMP"
        return f"{kind} {literal(value.isoformat(sep=' '))}"
    if isinstance(value, date):
        return f"DATE {literal(value.isoformat())}"
    if isinstance(value, time):
        return f"TIME {literal(value.isoformat())}"
    return literal(value)


_Query: TypeAlias = Callable[[Check, Sight], str]
_QUERIES: Mapping[str, _Query] = {
    "not_null": _not_null,
    "unique": _unique,
    "accepted_values": _accepted_values,
    "between": _between,
    "row_count": _row_count,
    "references": _references,
    "fresh": _fresh,
    "sql": _sql,
}
