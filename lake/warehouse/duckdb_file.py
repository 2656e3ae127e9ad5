"""Open a DuckDB file as a warehouse, and say in one line why it cannot be opened."""

import contextlib
import os
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from lake.errors import InvalidConfig, LakeError, WarehouseLocked
from lake.query.sql import identifier
from lake.warehouse import ledger
from lake.warehouse.reader import first_line
from lake.words import cause

# DuckDB tells these apart by its texts only: the exception has no fields.
_LOCKED = re.compile(r"Could not set lock on file")
_HOLDER = re.compile(r"held in (.+) \(PID (\d+)\)")
_TOO_NEW = re.compile(r"version number (\d+), but we can only read versions")

# Two processes cannot both have the file open, so a lock of this process is enough to keep two
# threads from making the ledger at the same time.
_preparing = threading.Lock()


@dataclass(frozen=True, slots=True)
class DuckDBFile:
    """A warehouse that is one DuckDB file. `url` is how its owner wrote it, for messages."""

    url: str
    path: Path


@contextlib.contextmanager
def writing(
    file: DuckDBFile, *, hook: Callable[[str], None]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open `file` for a load; it and its ledger are made if they are not there.

    `hook` is called with every statement, before it and after it. Closing rolls back what was
    not committed.

    Raises:
        WarehouseLocked: it is open elsewhere; the message names the program. Safe to retry.
        InvalidConfig: it is no DuckDB file, or cannot be made or written.
    """
    _refuse_bad_place(file)
    if not file.path.exists():
        create(file)
    with contextlib.closing(_connect(file, file.path)) as connection:
        with _preparing:
            for statement in ledger.create(ledger_home(connection)):
                hook(statement)
                connection.execute(statement)
                hook(statement)
        yield connection


@contextlib.contextmanager
def reading(file: DuckDBFile) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """Open `file` to look at its ledger; None if there is no file. Others may read meanwhile.

    Raises:
        WarehouseLocked, InvalidConfig: as for `writing`.
    """
    _refuse_bad_place(file)
    if not file.path.exists():
        yield None
        return
    with contextlib.closing(_connect_to_read(file)) as connection:
        yield connection


def ledger_home(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the ledger's schema, quoted, with its dot.

    With the catalog's name: `marts.x` alone is ambiguous in a file that is called `marts.duckdb`,
    and `temp.x` would be a table of the connection.
    """
    return schema_home(connection, "")


def schema_home(connection: duckdb.DuckDBPyConnection, schema: str) -> str:
    """Return a schema of the file (`""`: the default one), quoted, with its dot."""
    found = connection.execute("SELECT current_database()").fetchall()
    return f"{identifier(found[0][0])}.{identifier(schema or 'main')}."


def _connect_to_read(file: DuckDBFile) -> duckdb.DuckDBPyConnection:
    try:
        return duckdb.connect(file.path, read_only=True)
    except duckdb.ConnectionException:  # this process has it open for writing: join that
        return _connect(file, file.path)
    except duckdb.Error as exc:
        raise _cannot_open(file, exc) from exc


def _connect(file: DuckDBFile, path: Path) -> duckdb.DuckDBPyConnection:
    try:
        return duckdb.connect(path)
    except duckdb.Error as exc:
        raise _cannot_open(file, exc) from exc


def create(file: DuckDBFile, *, link: Callable[[Path, Path], None] = os.link) -> None:
    """Make the file whole or not at all: a kill must leave none that cannot be opened.

    Raises:
        InvalidConfig: it cannot be made there, such as where a file system has no hard links.
    """
    draft = file.path.with_name(f".{file.path.name}.{uuid.uuid4().hex}")
    try:
        _connect(file, draft).close()
        link(draft, file.path)
    except FileExistsError:
        pass  # somebody else was faster, which is as good
    except OSError as exc:
        # A rename could replace the file of somebody who was faster, rows and all.
        raise InvalidConfig(
            f"warehouse {file.url} cannot be made in {file.path.parent}, which takes no hard links"
            f" ({cause(exc)}): name a file on another disk in the warehouse's url, or make this"
            " one with DuckDB once, empty"
        ) from exc
    finally:
        draft.unlink(missing_ok=True)


def _refuse_bad_place(file: DuckDBFile) -> None:
    if not file.path.parent.is_dir():
        raise InvalidConfig(
            f"warehouse {file.url} cannot be opened: there is no folder {file.path.parent}; make"
            " it, or correct the warehouse's url"
        )
    if file.path.is_dir():
        raise InvalidConfig(
            f"warehouse {file.url} cannot be opened: {file.path} is a folder; name a file in the"
            " warehouse's url"
        )


def _cannot_open(file: DuckDBFile, exc: duckdb.Error) -> LakeError:
    text = str(exc)
    if isinstance(exc, (duckdb.ConnectionException, duckdb.BinderException)):
        return WarehouseLocked(
            f"warehouse {file.url} is already open in this process (PID {os.getpid()}) in another"
            " way: close that connection, then try again"
        )
    if _LOCKED.search(text):
        holder = _HOLDER.search(text)
        where = f"in {holder[1]} (PID {holder[2]})" if holder else "elsewhere"
        return WarehouseLocked(
            f"warehouse {file.url} is open {where}: close it there, then try again"
        )
    if newer := _TOO_NEW.search(text):
        return InvalidConfig(
            f"warehouse {file.url} was written by a newer DuckDB (storage version {newer[1]}), and"
            f" this is DuckDB {duckdb.__version__}: upgrade clearlake, or name another file"
        )
    return InvalidConfig(
        f"warehouse {file.url} cannot be opened: {first_line(exc)}; put it right, or name another"
        " file in the warehouse's url"
    )
