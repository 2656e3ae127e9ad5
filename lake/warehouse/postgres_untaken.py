"""Values that PostgreSQL has no place for, or a table's column none.

NUL in a text; NUL, NaN and infinity within `jsonb`; a text that is too long for `varchar(n)`.
"""

from collections.abc import Iterator, Mapping

from lake.errors import LoadRefused
from lake.query.sql import identifier
from lake.warehouse.postgres_types import JSON, longest
from lake.warehouse.rows import shown, spelt
from lake.warehouse.warehouse import Table

# In JSON an even number of backslashes before the sign are backslashes themselves.
_NUL = r"(^|[^\\])(\\\\)*\\u0000"
_STRING = r'"([^"\\]|\\.)*"'


def refuse_untaken(table: Table, types: Mapping[str, str]) -> None:
    """Name the first column with a value that its column in PostgreSQL does not take, if any.

    Args:
        table: what was to be loaded.
        types: the columns of the table, or of what it was to be loaded into.

    Raises:
        LoadRefused: there is one; with its partition, how many rows have such, and what to write.
    """
    for partition in table.load.partitions:
        for name, condition, what in _untaken(table, types):
            query = f"SELECT count(*) FROM (\n{partition.select}\n) WHERE {condition}"
            count = table.read(query)[0][0]
            if count:
                raise LoadRefused(
                    f"column {name} of {shown(table, partition.partition)} holds {what[0]} in"
                    f" {count} rows, which {what[1]}: nothing was changed; {what[2]}"
                )


def _untaken(
    table: Table, types: Mapping[str, str]
) -> Iterator[tuple[str, str, tuple[str, str, str]]]:
    """Give columns, the condition of a value that is not taken, and what to say of it."""
    names = spelt(table, types)
    for name, type_ in table.load.columns:
        column, held = identifier(name), types[names[name]]
        if held == JSON:
            text = f"CAST(to_json({column}) AS VARCHAR)"
            bare = f"regexp_replace({text}, '{_STRING}', '\"\"', 'g')"
            nul = ("a NUL character", f"no {JSON} of PostgreSQL can", "take it out in the model")
            yield name, f"regexp_matches({text}, '{_NUL}')", nul
            infinite = (
                "NaN or infinity",
                f"no {JSON} of PostgreSQL can",
                "write NULL in its place in the model",
            )
            yield name, f"regexp_matches({bare}, 'NaN|Infinity')", infinite
        elif "VARCHAR" in type_ or type_.startswith("ENUM"):
            out = f"take it out in the model with replace({column}, chr(0), '')"
            nul = ("a NUL character", "no text of PostgreSQL can", out)
            yield name, f"contains(CAST({column} AS VARCHAR), chr(0))", nul
        if most := longest(held):
            long = (
                f"a text of more than {most} signs",
                "the table's column cannot",
                f"shorten it in the model, or run ALTER TABLE {table.name} ALTER COLUMN"
                f" {identifier(names[name])} TYPE text",
            )
            yield name, f"length(CAST({column} AS VARCHAR)) > {most}", long
