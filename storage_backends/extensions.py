"""DuckDB's extensions, out of wheels: nothing is downloaded at run time."""

from functools import cache
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import Any

from storage_backends.patience import answer_s


def load(connection: Any, name: str, *, extra: str) -> None:
    """Load the extension `name` into a DuckDB connection, which checks its signature.

    Raises:
        ImportError: its wheel is missing; the message holds the command that installs it.
    """
    file = _file(name)
    if not file:
        raise ImportError(
            f"DuckDB's extension {name} is not installed: pip install 'clearlake[{extra}]'",
            name=name,
        )
    connection.execute(f"LOAD {quoted(file)}")
    if name == "httpfs":
        connection.execute(f"SET http_timeout = {ceil(answer_s())}")
        # What a lake names is never changed, so its size need not be asked for again.
        connection.execute("SET enable_http_metadata_cache = true")


@cache
def _file(name: str) -> str:
    """Return where the extension lies; `""`: nowhere. Asked before every statement, found once."""
    spec = find_spec(f"duckdb_extension_{name}")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    files = [file for folder in folders for file in Path(folder).rglob(f"{name}.duckdb_extension")]
    return str(files[0]) if files else ""


def secret(connection: Any, name: str, **settings: str | bool) -> None:
    """Make, or make anew, a secret of this connection's DuckDB; what is empty is left out."""
    said = ", ".join(
        f"{key} {quoted(value) if isinstance(value, str) else str(value).lower()}"
        for key, value in settings.items()
        if value != ""
    )
    name = name.replace('"', '""')
    connection.execute(f'CREATE OR REPLACE SECRET "{name}" ({said})')


def quoted(text: str) -> str:
    """Return `text` as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"
