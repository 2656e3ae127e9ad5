"""`catalog.duckdb`: the lake's views in a file that any DuckDB of any language opens.

It is derived: it may be stale or missing, and is made anew after a commit.
"""

import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lake import layout
from lake.catalog.log import Log
from lake.catalog.state import State
from lake.errors import InvalidConfig, StoreUnavailable
from lake.query import beside, meta
from lake.query.connect import readable, select
from lake.query.sql import identifier, literal, qualified
from lake.words import cause

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STORAGE = "v1.0.0"
"""The oldest DuckDB that reads the file."""
MANY_FILES = 20_000
REST = timedelta(minutes=1)


def refresh(log: Log, state: State) -> None:
    """Write the lake's own `catalog.duckdb`; a store that refuses it is no error.

    Where that takes long, because the lake is large, one process does it at most once a minute.
    """
    now = log.clock()
    if log.catalog_rests_until and now < log.catalog_rests_until:
        return
    with tempfile.TemporaryDirectory(prefix="clearlake-") as scratch:
        try:
            path = write_file(log, state, Path(scratch) / layout.CATALOG)
            log.store.put(layout.CATALOG, path.read_bytes())
        except (OSError, ValueError):
            return
    log.cache.put(layout.CATALOG, str(state.commit).encode())
    # By size, not by the clock: on a busy machine a small lake's file would stay behind, too.
    if _is_large(state):
        log.catalog_rests_until = now + REST


def is_behind(log: Log, state: State) -> bool:
    """Tell whether the lake's `catalog.duckdb` is not of the state's commit, or not there.

    In a bucket it is fetched once, and the cache remembers what it was found to be; that of a large
    lake is left to the next commit.
    """
    if state.commit == 0:
        return False
    if log.store.url.startswith("file:"):
        return _commit_of(log.store.data_url(layout.CATALOG)) != state.commit
    said = str(state.commit).encode()
    if _is_large(state) or log.cache.get(layout.CATALOG) == said:
        return False
    with tempfile.TemporaryDirectory(prefix="clearlake-") as scratch:
        path = Path(scratch) / layout.CATALOG
        try:
            log.store.download(layout.CATALOG, path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        if _commit_of(str(path)) != state.commit:
            return True
    log.cache.put(layout.CATALOG, said)
    return False


def _is_large(state: State) -> bool:
    return sum(dataset.files for dataset in state.datasets.values()) > MANY_FILES


def _commit_of(path: str) -> int | None:
    """Return which commit a catalog file is of; None if it is none."""
    import duckdb

    try:
        with duckdb.connect() as connection:
            connection.execute(f"ATTACH {literal(path)} AS made (READ_ONLY)")
            found = connection.execute("SELECT max(commit) FROM made.meta.commits").fetchone()
    except duckdb.Error:
        return None
    return int(found[0] or 0) if found else None


def write_file(log: Log, state: State, path: Path) -> Path:
    """Write a DuckDB file with a view per dataset and the metadata tables, in place of `path`.

    Raises:
        InvalidConfig: `path` is there, and is something else.
        StoreUnavailable: the file cannot be written.
    """
    import duckdb

    if path.exists() and _commit_of(str(path)) is None:
        raise InvalidConfig(f"{path} is there and is no lake's catalog: choose another name")
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with duckdb.connect() as connection:
            _fill(connection, log, state, part)
        part.replace(path)
    except (OSError, duckdb.Error) as exc:
        raise StoreUnavailable(f"cannot write {path}: {cause(exc)}; choose another place") from exc
    finally:
        with suppress(OSError):
            part.unlink()
    return path


def _fill(connection: "DuckDBPyConnection", log: Log, state: State, path: Path) -> None:
    log.store.let_read(connection)
    meta.make(connection, state)
    views = {qualified(name): select(log, state, name) for name in readable(state)}
    for name in beside.names(state):
        dataset, kind = beside.split(name)
        views[beside.qualified(name)] = beside.select(connection, log, state, dataset, kind)
    connection.execute(
        f"ATTACH {literal(str(path))} AS made (STORAGE_VERSION {literal(STORAGE)}); USE made"
    )
    connection.execute("BEGIN")  # one wait for the disk instead of one per view
    for zone in (*layout.ZONES, "meta"):
        connection.execute(f"CREATE SCHEMA {zone}")
    for name, rows in views.items():
        connection.execute(f"CREATE VIEW {name} AS {rows}")
    for name in meta.TABLES:
        # Tables, for DuckDB before 1.2 finds nothing that a view of an attached file names.
        table = f"meta.{identifier(name)}"
        connection.execute(f"CREATE TABLE {table} AS FROM memory.{table}")
    connection.execute("COMMIT; USE memory; DETACH made")
