import contextlib
import dataclasses
import errno
import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from lake.errors import InvalidConfig, WarehouseLocked
from lake.warehouse.duckdb_file import DuckDBFile, create
from lake.warehouse.load import TableLoad, TableLoaded, describe, holds, load
from tests.warehouse.loads import Publish

URL = "duckdb:///w.duckdb"


@contextlib.contextmanager
def opened_elsewhere(path: Path) -> Iterator[int]:
    """Have another process hold `path` open; give its PID."""
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        yield process.pid
        process.communicate("\n")


def test_who_has_the_file_open_is_named(tmp_path: Path, publish: Publish) -> None:
    months = publish(1, {"2024-01": [3]})
    with opened_elsewhere(tmp_path / "w.duckdb") as pid:
        program = Path(sys.executable).resolve()
        message = (
            f"warehouse duckdb:///w.duckdb is open in {program} (PID {pid}): close it there, then"
            " try again"
        )
        with pytest.raises(WarehouseLocked, match=f"^{re.escape(message)}$"):
            load(URL, months, root=tmp_path)
        with pytest.raises(WarehouseLocked, match=f"^{re.escape(message)}$"):
            holds(URL, "0b5e", "marts.daily", root=tmp_path)
    assert load(URL, months, root=tmp_path).rows == 1


def test_a_connection_of_this_process_is_named(tmp_path: Path, publish: Publish) -> None:
    months = publish(1, {"2024-01": [3]})
    load(URL, months, root=tmp_path)
    message = (
        f"warehouse duckdb:///w.duckdb is already open in this process (PID {os.getpid()}) in"
        " another way: close that connection, then try again"
    )
    with (
        duckdb.connect(tmp_path / "w.duckdb", read_only=True),
        pytest.raises(WarehouseLocked, match=f"^{re.escape(message)}$"),
    ):
        load(URL, months, root=tmp_path)


def test_a_file_that_is_attached_in_this_process_is_named(tmp_path: Path, publish: Publish) -> None:
    load(URL, publish(1, {"2024-01": [3]}), root=tmp_path)
    with duckdb.connect() as other:
        other.execute(f"ATTACH '{tmp_path / 'w.duckdb'}' AS elsewhere")
        with pytest.raises(WarehouseLocked, match=r"^warehouse .* is already open in this process"):
            load(URL, publish(2, {"2024-01": [4]}), root=tmp_path)


def test_the_ledger_can_be_read_while_this_process_writes(tmp_path: Path, publish: Publish) -> None:
    load(URL, publish(1, {"2024-01": [3]}), root=tmp_path)
    with duckdb.connect(tmp_path / "w.duckdb"):
        assert list(holds(URL, "0b5e", "marts.daily", root=tmp_path)) == ["month=2024-01"]
        assert len(describe(URL, root=tmp_path)) == 1


def written(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def written_by_a_newer_duckdb(path: Path) -> None:
    """Put storage version 200 into the file's header, and the checksum right."""
    duckdb.connect(path).close()
    data = bytearray(path.read_bytes())
    checksum = struct.unpack_from("<Q", data)[0] ^ _hash_of_start(data)
    struct.pack_into("<Q", data, 12, 200)
    struct.pack_into("<Q", data, 0, checksum ^ _hash_of_start(data))
    path.write_bytes(data)


def _hash_of_start(data: bytearray) -> int:
    """Return what the words around the version add to the checksum (DuckDB's `checksum.cpp`)."""
    one, two = struct.unpack_from("<QQ", data, 8)
    factor, mask = 0xBF58476D1CE4E5B9, (1 << 64) - 1
    return int((one * factor & mask) ^ (two * factor & mask))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda path: written(path, b"hello" * 9000),
            'cannot be opened: The file "{path}" exists, but it is not a valid DuckDB database'
            " file; put it right, or name another file in the warehouse's url",
        ),
        (
            lambda path: written(path, b""),
            'cannot be opened: The file "{path}" exists, but it is not a valid DuckDB database'
            " file; put it right, or name another file in the warehouse's url",
        ),
        (
            written_by_a_newer_duckdb,
            "was written by a newer DuckDB (storage version 200), and this is DuckDB"
            f" {duckdb.__version__}: upgrade clearlake, or name another file",
        ),
        (
            Path.mkdir,
            "cannot be opened: {path} is a folder; name a file in the warehouse's url",
        ),
    ],
    ids=["no DuckDB file", "empty", "newer", "folder"],
)
def test_what_is_no_warehouse_is_refused_in_one_line(
    tmp_path: Path, publish: Publish, make: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "w.duckdb"
    make(path)
    whole = f"warehouse duckdb:///w.duckdb {message.format(path=path)}"
    with pytest.raises(InvalidConfig, match=f"^{re.escape(whole)}$"):
        load(URL, publish(1, {"2024-01": [3]}), root=tmp_path)
    with pytest.raises(InvalidConfig, match=f"^{re.escape(whole)}$"):
        describe(URL, root=tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, publish: Publish) -> None:
    message = (
        f"warehouse duckdb:///no/w.duckdb cannot be opened: there is no folder {tmp_path / 'no'};"
        " make it, or correct the warehouse's url"
    )
    with pytest.raises(InvalidConfig, match=f"^{re.escape(message)}$"):
        load("duckdb:///no/w.duckdb", publish(1, {"2024-01": [3]}), root=tmp_path)


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """Give a folder, and be somebody whom permissions bind."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        was = os.geteuid()
        yield Path(folder)
        os.seteuid(was)
        Path(folder).chmod(0o755)


def become_nobody() -> None:
    if os.geteuid() == 0:
        os.seteuid(65534)


def test_a_read_only_file_is_named(as_nobody: Path, publish: Publish) -> None:
    months = publish(1, {"2024-01": [3]})
    load(URL, months, root=as_nobody)
    (as_nobody / "w.duckdb").chmod(0o444)
    become_nobody()
    message = (
        "warehouse duckdb:///w.duckdb cannot be opened: Cannot open file"
        f' "{as_nobody}/w.duckdb": Permission denied; put it right, or name another file in the'
        " warehouse's url"
    )
    with pytest.raises(InvalidConfig, match=f"^{re.escape(message)}$"):
        load(URL, months, root=as_nobody)
    assert list(holds(URL, "0b5e", "marts.daily", root=as_nobody)) == ["month=2024-01"]


def test_a_read_only_folder_is_named(as_nobody: Path, publish: Publish) -> None:
    months = publish(1, {"2024-01": [3]})
    as_nobody.chmod(0o555)
    become_nobody()
    with pytest.raises(InvalidConfig, match=r"^warehouse duckdb:///w.duckdb cannot be opened: .*"):
        load(URL, months, root=as_nobody)
    assert not list(as_nobody.iterdir())


def test_a_new_file_leaves_nothing_beside_it(tmp_path: Path, publish: Publish) -> None:
    folder = tmp_path / "warehouse"
    folder.mkdir()
    load(URL, publish(1, {"2024-01": [3]}), root=folder)
    assert [path.name for path in folder.iterdir()] == ["w.duckdb"]


@pytest.mark.parametrize("first", [True, False], ids=["new table", "table that is there"])
def test_the_second_of_two_loads_of_one_table_is_told_to_retry(
    tmp_path: Path, publish: Publish, first: bool
) -> None:
    older, newer = publish(2, {"2024-01": [4]}), publish(3, {"2024-01": [5]})
    load(
        URL, publish(1, {"2024-01": [3]}, table="other" if first else "marts.daily"), root=tmp_path
    )
    met: list[WarehouseLocked] = []

    def run_newer_meanwhile(statement: str) -> None:
        if statement.startswith("INSERT INTO") and "SELECT" in statement and not met:
            with pytest.raises(WarehouseLocked, match="met another load") as refused:
                load(URL, newer, root=tmp_path)
            met.append(refused.value)

    done = load(URL, older, root=tmp_path, statement_hook=run_newer_meanwhile)
    assert done.rows == 1
    assert str(met[0]).startswith(
        "loading curated.daily into marts.daily in duckdb:///w.duckdb met another load ("
    )
    assert str(met[0]).endswith("): nothing was changed; try again")
    assert load(URL, newer, root=tmp_path).loaded == ("month=2024-01",)


def test_many_threads_load_one_table_and_the_newest_stays(tmp_path: Path, publish: Publish) -> None:
    loads = [publish(n, {"2024-01": [n], "2024-02": [n, n]}) for n in range(1, 9)]
    outcomes: list[TableLoaded | BaseException] = []
    start = threading.Barrier(len(loads))

    def run(one: TableLoad) -> None:
        start.wait()
        try:
            outcomes.append(load(URL, one, root=tmp_path))
        except (WarehouseLocked, ValueError) as exc:
            outcomes.append(exc)

    threads = [threading.Thread(target=run, args=(one,)) for one in loads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == len(loads)
    load(URL, publish(9, {"2024-01": [9], "2024-02": [9, 9]}), root=tmp_path)
    with duckdb.connect(tmp_path / "w.duckdb") as connection:
        assert connection.execute("SELECT trips FROM marts.daily").fetchall() == [(9,)] * 3


def test_threads_load_different_tables_beside_each_other(tmp_path: Path, publish: Publish) -> None:
    loads = [publish(1, {"2024-01": [n]}, table=f"t{n}") for n in range(6)]
    outcomes: list[TableLoaded] = []
    start = threading.Barrier(len(loads))

    def run(one: TableLoad) -> None:
        start.wait()
        outcomes.append(load(URL, one, root=tmp_path))

    threads = [threading.Thread(target=run, args=(one,)) for one in loads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done.table for done in outcomes) == [f"t{n}" for n in range(6)]
    assert [held.table for held in describe(URL, root=tmp_path)] == [f"t{n}" for n in range(6)]


def test_a_disk_without_hard_links_is_named(tmp_path: Path) -> None:
    def refuse(draft: Path, path: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(draft), None, str(path))

    file = DuckDBFile(URL, tmp_path / "w.duckdb")
    message = f"cannot be made in {re.escape(str(tmp_path))}, which takes no hard links"
    with pytest.raises(InvalidConfig, match=message):
        create(file, link=refuse)
    assert list(tmp_path.iterdir()) == []


def test_a_file_named_like_the_schema_is_no_ambiguity(tmp_path: Path, publish: Publish) -> None:
    for commit in (1, 2):
        done = load("duckdb:///marts.duckdb", publish(commit, {"2024-01": [commit]}), root=tmp_path)
        assert done.rows == 1


def test_a_load_within_a_memory_limit_streams(tmp_path: Path, publish: Publish) -> None:
    base = publish(1, {"2024-01": [3]}, columns=(("i", "BIGINT"), ("t", "VARCHAR")))
    select = "SELECT i, repeat(CAST(hash(i) AS VARCHAR), 8) AS t FROM range(1000000) r(i)"
    big = dataclasses.replace(base.partitions[0], partition="", select=select, rows=1_000_000)
    big_load = dataclasses.replace(base, partitions=(big,))
    assert load(URL, big_load, root=tmp_path, memory_limit="150MB").rows == 1_000_000


def test_looking_makes_no_file(tmp_path: Path) -> None:
    assert holds(URL, "0b5e", "marts.daily", root=tmp_path) == {}
    assert describe(URL, root=tmp_path) == ()
    assert not list(tmp_path.iterdir())
