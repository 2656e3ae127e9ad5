"""`catalog.duckdb`: the lake's views in a file that any DuckDB of any language opens.

It is derived: it may be stale or missing, and is made anew after a commit.
"""

import tempfile
from pathlib import Path

from lake import layout
from lake.catalog.log import Log
from lake.catalog.state import State
from lake.errors import StoreUnavailable
from lake.query import meta
from lake.query.connect import readable, select
from lake.query.sql import literal, qualified

STORAGE = "v1.0.0"
"""The oldest DuckDB that reads the file."""


def refresh(log: Log, state: State) -> None:
    """Write the lake's own `catalog.duckdb`; a store that refuses it is no error."""
    with tempfile.TemporaryDirectory(prefix="clearlake-") as scratch:
        try:
            path = write_file(log, state, Path(scratch) / layout.CATALOG)
            log.store.put(layout.CATALOG, path.read_bytes())
        except OSError:
            return


def write_file(log: Log, state: State, path: Path) -> Path:
    """Write a DuckDB file with a view per dataset and the metadata tables, in place of `path`.

    Raises:
        StoreUnavailable: the file cannot be written.
    """
    import duckdb

    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        connection = duckdb.connect()
        connection.execute(
            f"ATTACH {literal(str(part))} AS made (STORAGE_VERSION {literal(STORAGE)})"
        )
        connection.execute("USE made")
        _fill(connection, log, state)
        connection.close()
        part.replace(path)
    except (OSError, duckdb.IOException) as exc:
        raise StoreUnavailable(f"cannot write {path}: {exc}; choose another place") from exc
    finally:
        part.unlink(missing_ok=True)
    return path


def _fill(connection: "object", log: Log, state: State) -> None:
    import duckdb

    assert isinstance(connection, duckdb.DuckDBPyConnection)
    for zone in layout.ZONES:
        connection.execute(f"CREATE SCHEMA {zone}")
    for name in readable(state):
        connection.execute(f"CREATE VIEW {qualified(name)} AS {select(log, state, name)}")
    meta.make(connection, state)
