"""Many SELECTs of DuckDB through one COPY."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from lake.warehouse.postgres_copy import _joined, copy
from storage_backends import extensions
from tests.warehouse.places import Place

ROOT = Path(__file__).resolve().parents[2]
COPY = "COPY t FROM STDIN (FORMAT binary)"


@pytest.fixture
def reader() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        extensions.load(connection, "postgres_scanner", extra="postgres")
        yield connection


@pytest.fixture
def server(postgres_warehouse: Place) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
    with closing(psycopg.connect(postgres_warehouse.url, autocommit=True)) as connection:
        connection.execute("CREATE TABLE t (n BIGINT CHECK (n < 1000000))")
        yield connection


@pytest.mark.parametrize("size", [1, 2, 3, 18, 19, 20, 21, 22, 1000])
def test_streams_are_joined_however_they_are_cut(size: int) -> None:
    header, trailer = b"H" * 19, b"\xff\xff"
    rows = (b"abc", b"", b"defgh" * 10)
    blocks = [
        (number, whole[start : start + size])
        for number, whole in enumerate(header + row + trailer for row in rows)
        for start in range(0, len(whole), size)
    ]
    assert b"".join(_joined(blocks)) == header + b"".join(rows) + trailer


BROKEN_OFF = """
import sys, duckdb, psycopg
from lake.postgres_server import parse_server
from lake.warehouse.postgres_connect import connect
from lake.warehouse.postgres_copy import copy
from storage_backends import extensions
url = sys.argv[1]
def selects(pid):
    yield "SELECT i FROM range(100000) r(i)"
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
    yield "SELECT i FROM range(900000) r(i)"
with connect(parse_server(url, whose="the test")) as server, duckdb.connect() as reader:
    extensions.load(reader, "postgres_scanner", extra="postgres")
    try:
        copy(reader, selects(server.info.backend_pid), server, "COPY t FROM STDIN (FORMAT binary)")
    except psycopg.OperationalError:
        print("broke off")
"""


def test_a_server_that_is_lost_is_told_once(
    postgres_warehouse: Place, server: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    command = [sys.executable, "-c", BROKEN_OFF, postgres_warehouse.url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("broke off\n", "")


def test_every_select_is_counted_on_its_own(
    reader: duckdb.DuckDBPyConnection, server: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    selects = [f"SELECT i FROM range({rows}) r(i)" for rows in (3, 0, 200_000, 1)]
    assert copy(reader, selects, server, COPY) == [3, 0, 200_000, 1]
    found = server.execute("SELECT count(*), sum(n)::bigint FROM t").fetchone()
    assert found == (200_004, 3 + 200_000 * 199_999 // 2)


def test_a_server_that_refuses_a_row_takes_none_and_can_be_asked_again(
    reader: duckdb.DuckDBPyConnection, server: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    selects = ["SELECT i + 900000 FROM range(500000) r(i)"] * 3
    with pytest.raises(psycopg.errors.CheckViolation):
        copy(reader, selects, server, COPY)
    assert server.execute("SELECT count(*) FROM t").fetchone() == (0,)
    assert copy(reader, ["SELECT 1::BIGINT"], server, COPY) == [1]


@pytest.mark.parametrize("pause_s", [0, 0.5])
def test_ctrl_c_in_the_middle_ends_it(
    reader: duckdb.DuckDBPyConnection,
    server: "psycopg.Connection[tuple[Any, ...]]",
    pause_s: float,
) -> None:
    def selects() -> Iterator[str]:
        yield "SELECT i FROM range(900000) r(i)"
        threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT)).start()
        threading.Event().wait(pause_s)  # until it was heard: between two statements
        yield "SELECT max(hash(i)) % 2 FROM range(100000000000) r(i)"

    # Whoever runs the tests may have been started with Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            copy(reader, selects(), server, COPY)
    finally:
        signal.signal(signal.SIGINT, before)
    assert server.execute("SELECT count(*) FROM t").fetchone() == (0,)
