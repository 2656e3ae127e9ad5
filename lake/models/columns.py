"""Columns: which ones a model reads of an input, and what it puts out."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import duckdb
from sqlglot import exp

from lake.errors import BuildFailed, LakeError, ModelInvalid
from lake.models.inputs import Input
from lake.models.parse import Model
from lake.models.rewrite import edits, rewrite
from lake.models.syntax import Statement, invalid, one_line, tokens, tree

_DESCRIBE = "DESCRIBE "


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """A column of a model's result. `type` is DuckDB's text; `"NULL"` (with quotes) is untyped."""

    name: str
    type: str


def columns_read(model: Model, item: Input, available: Collection[str]) -> tuple[str, ...] | None:
    """Return the columns of an input that a model may read, in the order of `available`.

    `None` means all of them. It may name too many, never too few: every word of the SELECT that is
    a column's name counts.
    """
    if _reads_all(model.select, item):
        return None
    words = {token.text.lower() for token in tokens(model.text, model.path)}
    return tuple(name for name in available if name.lower() in words)


def _reads_all(select: Statement, item: Input) -> bool:
    top = tree(select)
    if top.find(exp.Pivot, exp.PositionalColumn) or any(
        _by_name(join) for join in top.find_all(exp.Join)
    ):
        return True
    return any(_expanded(top, item, place.node) for place in item.references)


def _by_name(join: exp.Join) -> bool:
    return str(join.args.get("method") or "").upper() in ("NATURAL", "POSITIONAL")


def _expanded(top: exp.Expr, item: Input, table: exp.Table) -> bool:
    """Tell whether the columns of one table are used by their number, by `*` or as one row."""
    alias = table.args.get("alias")
    if isinstance(alias, exp.TableAlias) and alias.args.get("columns"):
        return True
    name = table.alias_or_name.lower()
    home = table.find_ancestor(exp.Select)
    stars = [
        star
        for star in top.find_all(exp.Star, exp.Columns)
        if not isinstance(star.parent, exp.Count)
    ]
    if any(_star_of(star, name) and star.find_ancestor(exp.Select) is home for star in stars):
        return True
    rows = {name, item.dataset, item.dataset.partition(".")[2]}
    return any(column.sql().replace('"', "").lower() in rows for column in top.find_all(exp.Column))


def _star_of(star: exp.Expr, name: str) -> bool:
    holder = star.parent
    qualifier = holder.table if isinstance(holder, exp.Column) else ""
    return qualifier.lower() in ("", name)


def output_columns(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    found: Sequence[Input],
    relations: Mapping[str, str],
) -> tuple[OutputColumn, ...]:
    """Bind a model's SELECT and return the columns of its result; no row is read.

    Raises:
        ModelInvalid: DuckDB refuses it (an unknown column, a wrong type); line and column are those
            of the model's file.
        BuildFailed: an input's file cannot be read.
    """
    places = [place for item in found for place in item.references]
    sql = rewrite(model.select, places, relations)
    try:
        names = [row[0] for row in _bound(connection, f"{_DESCRIBE}{sql}\n")]
    except duckdb.Error as exc:
        changed = edits(model.select, places, relations)
        raise _translated(model.select, sql, changed, exc) from exc
    aliases = [f"c{number}" for number in range(len(names))]
    types = ", ".join(f"typeof(s.{alias})" for alias in aliases)
    # DESCRIBE says INTEGER of an untyped NULL; typeof says "NULL", but of a row only.
    row = connection.execute(
        f"SELECT {types} FROM (SELECT 1) LEFT JOIN"
        f" (SELECT * FROM ({sql}\n) LIMIT 0) AS s({', '.join(aliases)}) ON true"
    ).fetchone()
    return tuple(OutputColumn(name, kind) for name, kind in zip(names, row or (), strict=True))


def _bound(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[str, ...]]:
    connection.execute("SET errors_as_json = true")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.execute("RESET errors_as_json")


def _translated(
    select: Statement, sql: str, changed: list[tuple[int, int, str]], exc: duckdb.Error
) -> LakeError:
    kind, _, text = str(exc).partition(": ")
    try:
        said = json.loads(text)
    except ValueError:
        said = {"exception_message": f"{kind}: {text}"}
    message = one_line(said["exception_message"])
    if isinstance(exc, duckdb.OperationalError):
        return BuildFailed(f"{select.path}: its inputs cannot be read: {message}")
    if "position" not in said:
        return ModelInvalid(f"{select.path}: {message}")
    # The binder counts bytes, and the file is counted in characters.
    before = sql.encode()[: max(int(said["position"]) - len(_DESCRIBE), 0)].decode(errors="ignore")
    place = _before_edits(select.start + len(before), changed)
    return invalid(select.path, select.text, place, message)


def _before_edits(place: int, changed: list[tuple[int, int, str]]) -> int:
    """Return the offset in the file of an offset in the rewritten text."""
    for start, end, new in changed:
        if place < start:
            break
        if place < start + len(new):
            return start
        place += (end - start) - len(new)
    return place
