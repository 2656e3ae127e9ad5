"""Values that PostgreSQL has no place for: NUL in a text; NUL, NaN and infinity within `jsonb`."""

from collections.abc import Iterator, Mapping

from lake.errors import LoadRefused
from lake.query.sql import identifier
from lake.warehouse.postgres_types import JSON
from lake.warehouse.rows import shown
from lake.warehouse.warehouse import Source

# In JSON an even number of backslashes before the sign are backslashes themselves.
_NUL = r"(^|[^\\])(\\\\)*\\u0000"
_STRING = r'"([^"\\]|\\.)*"'


def refuse_untaken(source: Source, held: Mapping[str, str]) -> None:
    """Name the first column with a value that no column of PostgreSQL takes, if there is one.

    Args:
        source: what was to be loaded.
        held: by published columns, the types of the table's.

    Raises:
        LoadRefused: there is one; with its partition, how many rows have such, and what to write.
    """
    for partition in source.load.partitions:
        for name, condition, what in _untaken(source, held):
            query = f"SELECT count(*) FROM (\n{partition.select}\n) WHERE {condition}"
            count = source.read(query)[0][0]
            if count:
                raise LoadRefused(
                    f"column {name} of {shown(source, partition.partition)} holds {what[0]} in"
                    f" {count} rows, which {what[1]}: nothing was changed; {what[2]}"
                )


def _untaken(
    source: Source, held: Mapping[str, str]
) -> Iterator[tuple[str, str, tuple[str, str, str]]]:
    """Give columns, the condition of a value that is not taken, and what to say of it."""
    for name, type_ in source.load.columns:
        column = identifier(name)
        if held[name] == JSON:
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
