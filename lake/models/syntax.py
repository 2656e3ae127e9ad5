"""One SELECT in a file: found, parsed, and pointed at by line and column.

DuckDB's parser says whether the text is one SELECT and where it breaks; sqlglot gives the tree that
inputs are found in. Offsets count characters from the start of the whole file.
"""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import duckdb
import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import ParseError

from lake.errors import ModelInvalid
from lake.query.sql import literal

TEXTS = (
    TokenType.STRING,
    TokenType.HEREDOC_STRING,
    TokenType.BYTE_STRING,
    TokenType.RAW_STRING,
    TokenType.NATIONAL_STRING,
    TokenType.UNICODE_STRING,
    TokenType.HEX_STRING,
    TokenType.BIT_STRING,
)

_OF_SQL = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.IOException,
    duckdb.OutOfMemoryException,
    duckdb.ParserException,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """The SELECT at `text[start:end]` of a file, without the semicolon and comments after it."""

    path: str
    text: str
    start: int
    end: int

    @property
    def sql(self) -> str:
        """The SELECT as it was written."""
        return self.text[self.start : self.end]


def statement(text: str, *, path: str) -> Statement:
    """Return the one SELECT that `text` holds.

    Raises:
        ModelInvalid: it holds none, several, or something else; line and column are named.
    """
    _refuse_what_duckdb_refuses(text, path)
    found = [token for token in tokens(text, path) if token.token_type != TokenType.SEMICOLON]
    if not found:
        raise invalid(path, text, len(text), "it holds no SELECT: write one under the header")
    result = Statement(path, text, found[0].start, found[-1].end + 1)
    if not isinstance(tree(result), (exp.Select, exp.SetOperation, exp.Subquery)):
        raise _no_select(result)
    if (placeholder := tree(result).find(exp.Placeholder, exp.Parameter)) is not None:
        raise invalid(path, text, offset(result, placeholder), "a model takes no parameters")
    return result


def _refuse_what_duckdb_refuses(text: str, path: str) -> None:
    if "\0" in text:
        raise invalid(path, text, text.index("\0"), "a NUL character is here: take it out")
    answer = json.loads(_one(f"SELECT json_serialize_sql({literal(text)}::VARCHAR)"))
    if answer["error"] and "only select" in answer["error_message"].lower():
        raise _not_one_select(text, path)
    if answer["error"]:
        place = int(answer.get("position", len(text)))
        raise invalid(path, text, place, one_line(answer["error_message"]))
    if len(answer["statements"]) > 1:
        raise _not_one_select(text, path)


def _not_one_select(text: str, path: str) -> ModelInvalid:
    found = tokens(text, path)
    semicolons = [i for i, t in enumerate(found) if t.token_type == TokenType.SEMICOLON]
    second = next((found[i + 1] for i in semicolons if i + 1 < len(found)), None)
    if second is not None and second.token_type != TokenType.SEMICOLON:
        return invalid(
            path, text, second.start, "a model is one SELECT: a second statement starts here"
        )
    return _no_select(Statement(path, text, found[0].start, found[-1].end + 1))


def _no_select(found: Statement) -> ModelInvalid:
    word = found.sql.split(None, 1)[0].upper()
    return invalid(found.path, found.text, found.start, f"a model is one SELECT, this is {word}")


@functools.lru_cache(maxsize=256)
def tokens(text: str, path: str) -> Sequence[Token]:
    """Return the tokens of `text`, without comments."""
    return tuple(sqlglot.tokenize(text, dialect="duckdb"))


@functools.lru_cache(maxsize=256)
def tree(found: Statement) -> exp.Expr:
    """Return the parse tree. It is shared: never change it."""
    try:
        parsed = sqlglot.parse(found.text, dialect="duckdb")
    except ParseError as exc:
        error = exc.errors[0]
        raise ModelInvalid(
            f"{found.path}:{error.get('line')}:{error.get('col')}: inputs cannot be found here:"
            f" {one_line(str(error.get('description')))}; write this part in a simpler form"
        ) from exc
    trees = [item for item in parsed if isinstance(item, exp.Expr)]
    if not trees:
        raise invalid(found.path, found.text, found.start, "a model is one SELECT, this is empty")
    return trees[0]


def offset(found: Statement, node: exp.Expr) -> int:
    """Return where `node` starts; the statement's start where the tree does not know."""
    starts = [item.meta["start"] for item in node.walk() if "start" in item.meta]
    return min(starts, default=found.start)


def span(node: exp.Expr) -> tuple[int, int]:
    """Return the offsets of a name: from its first character to after its last."""
    return node.meta["start"], node.meta["end"] + 1


def invalid(path: str, text: str, place: int, message: str) -> ModelInvalid:
    """Return the error that points at one character of a model's file."""
    line, column = position(text, place)
    return ModelInvalid(f"{path}:{line}:{column}: {message}")


def position(text: str, place: int) -> tuple[int, int]:
    """Return the line and the column of an offset; both count from 1."""
    before = text[:place]
    return before.count("\n") + 1, place - (before.rfind("\n") + 1) + 1


def one_line(message: str) -> str:
    """Return the part of DuckDB's or sqlglot's message that is not a picture of the query."""
    text = message.split("\nLINE ")[0]
    return " ".join(text.split())


def valueless(exc: duckdb.Error) -> str:
    """Return what DuckDB says where that quotes SQL only, else just what kind of error it is."""
    if not isinstance(exc, _OF_SQL):
        return f"{type(exc).__name__} (run `lake transform` to read which value it met)"
    text = one_line(str(exc))
    return text.partition("Error: ")[2] or text


@functools.cache
def aggregates() -> frozenset[str]:
    """Return the names of DuckDB's aggregate functions, and of its macros over them."""
    names = {name for name, _ in _functions("aggregate")}
    while more := {name for name, body in _functions("macro") if names & _called(body)} - names:
        names |= more
    return frozenset(names)


def _called(body: str | None) -> set[str]:
    found = sqlglot.tokenize(body or "", dialect="duckdb")
    return {a.text.lower() for a, b in pairwise(found) if b.token_type == TokenType.L_PAREN}


@functools.cache
def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config={"threads": 1})


def _functions(kind: str) -> list[tuple[str, str | None]]:
    # No bound parameters: DuckDB imports pandas for them, which takes a second.
    sql = "SELECT function_name, macro_definition FROM duckdb_functions()"
    return _engine().cursor().execute(f"{sql} WHERE function_type = {literal(kind)}").fetchall()


def _one(sql: str) -> str:
    row = _engine().cursor().execute(sql).fetchone()
    return str(row[0]) if row else ""
