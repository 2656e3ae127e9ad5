"""Whatever interrupts a load into PostgreSQL: each published row is there once, in the end."""

import dataclasses
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from lake.config.period import Periods
from lake.errors import LakeError, StoreUnavailable, WarehouseLocked
from lake.warehouse.ledger import Overtaken
from lake.warehouse.load import TableLoad, load
from lake.warehouse.postgres import parse
from lake.warehouse.postgres_errors import server_errors
from tests.warehouse.cut import losing_the_answer_to
from tests.warehouse.killer import Kill, killer
from tests.warehouse.loads import Publish, later
from tests.warehouse.places import Place

EMPTIED = ("DROP SCHEMA IF EXISTS marts CASCADE", "DROP TABLE IF EXISTS _lake_tables, _lake_loads")


@pytest.fixture
def warehouse(postgres_warehouse: Place) -> Place:
    return postgres_warehouse


@pytest.fixture(scope="module")
def kill() -> Iterator[Kill]:
    with killer() as kill:
        yield kill


def held(warehouse: Place) -> list[tuple[Any, ...]]:
    """Return the table's rows and the ledger's without its times; none of what is not there."""
    queries = {
        "marts.daily": "SELECT d::text FROM marts.daily d ORDER BY 1",
        "_lake_tables": "SELECT table_name, lake, dataset, commit FROM _lake_tables",
        "_lake_loads": 'SELECT "partition", commit, content, "rows", removed FROM _lake_loads'
        " ORDER BY 1",
    }
    there = warehouse.run(*(f"SELECT to_regclass('{name}')::text" for name in queries))
    return warehouse.run(
        *(query for (found,), query in zip(there, queries.values(), strict=True) if found)
    )


@pytest.mark.parametrize("which", ["first", "later", "part", "rest"])
def test_a_load_that_was_killed_anywhere_is_completed(
    tmp_path: Path, warehouse: Place, publish: Publish, kill: Kill, which: str
) -> None:
    before_that, whole = publish(1, {"2024-01": [3], "2024-02": [5]}), later(publish)
    part = dataclasses.replace(whole, periods=Periods(since="2024-02"))
    job = {"first": before_that, "part": part}.get(which, whole)
    first = {"first": [], "rest": [before_that, part]}.get(which, [before_that])

    def start() -> None:
        warehouse.run(*EMPTIED)
        for one in first:
            load(warehouse.url, one, root=tmp_path)

    start()
    before = held(warehouse)
    load(warehouse.url, job, root=tmp_path)
    after, kills = held(warehouse), 0
    while True:
        start()
        status = kill(warehouse.url, job, tmp_path, kills)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        assert held(warehouse) in (before, after), f"half a load was left by kill {kills}"
        load(warehouse.url, job, root=tmp_path)
        assert held(warehouse) == after, f"kill {kills} was not completed"
        kills += 1
    assert kills >= 30
    if job is whole:
        assert held(warehouse)[:3] == [(f"(2024-01-0{n},3,2024-01,3)",) for n in (1, 2)] + [
            ("(2024-03-01,8,2024-03,8)",)
        ]


def test_a_lost_answer_to_commit_is_found_to_be_done(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    second, parts = publish(2, {"2024-01": [4, 5]}), urlsplit(warehouse.url)
    assert parts.hostname
    assert parts.port
    with losing_the_answer_to(b"COMMIT\0", parts.hostname, parts.port) as port:
        url = warehouse.url.replace(f":{parts.port}/", f":{port}/")
        with pytest.raises(
            StoreUnavailable, match=r"lost the server \(.*\): it is done whole or n"
        ):
            load(url, second, root=tmp_path)
    assert warehouse.run("SELECT trips FROM marts.daily ORDER BY 1") == [(4,), (5,)]
    again = load(warehouse.url, second, root=tmp_path)
    assert (again.loaded, again.unchanged, again.rows) == ((), 1, 2)


def test_a_server_lost_in_the_middle_leaves_nothing(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)

    def end_sessions(statement: str) -> None:
        if statement.startswith("COPY"):
            others = "pid <> pg_backend_pid() AND datname = current_database()"
            warehouse.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")

    second = publish(2, {"2024-01": [4]})
    with pytest.raises(StoreUnavailable, match=r"load again"):
        load(warehouse.url, second, root=tmp_path, statement_hook=end_sessions)
    assert warehouse.run("SELECT trips FROM marts.daily") == [(3,)]
    assert load(warehouse.url, second, root=tmp_path).rows == 1


def test_a_server_that_ends_idle_sessions_lets_a_load_read_on(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    database = warehouse.shown.rpartition("/")[2]
    warehouse.run(f"ALTER DATABASE {database} SET idle_in_transaction_session_timeout = 1")
    begun: list[str] = []

    def wait(statement: str) -> None:
        """Wait, once the transaction is under way, until another session like it was ended."""
        begun.append(statement)
        if begun.count(statement) == 2 and statement.startswith("BEGIN ISOLATION"):
            with closing(psycopg.connect(warehouse.url)) as other, suppress(psycopg.Error):
                while other.execute("SELECT 1").fetchone():
                    warehouse.run("SELECT 1")

    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path, statement_hook=wait)
    assert warehouse.run("SELECT trips FROM marts.daily") == [(3,)]


def test_a_session_that_was_ended_for_being_idle_may_try_again(warehouse: Place) -> None:
    # Which of two is read first is chance: why the server ends the session, or that it has.
    said = "(idle-in-transaction timeout|lost the server)"
    query = "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'"
    with closing(psycopg.connect(warehouse.url, autocommit=True)) as server:
        server.execute("SET SESSION idle_in_transaction_session_timeout = 1")
        server.execute("BEGIN")
        while (server.info.backend_pid,) in warehouse.run(query):
            pass
        with (
            pytest.raises(StoreUnavailable, match=said),
            server_errors(server, None, what="looking"),
        ):
            server.execute("SELECT 1")


def test_why_a_session_was_ended_is_told_where_it_is_read(warehouse: Place) -> None:
    why = "DO $$BEGIN RAISE 'idle' USING ERRCODE = 'idle_in_transaction_session_timeout'; END$$"
    with (
        closing(psycopg.connect(warehouse.url)) as server,
        pytest.raises(StoreUnavailable, match=r"^looking broke off \(idle\): nothing was changed"),
        server_errors(server, None, what="looking"),
    ):
        server.execute(why)


def test_a_deadlock_is_told_and_changes_nothing(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    second = publish(2, {"2024-01": [4]})
    with closing(psycopg.connect(warehouse.url)) as other:
        other.execute("SET deadlock_timeout = '1h'")
        other.execute("LOCK TABLE marts.daily")
        waiting = threading.Thread(
            target=other.execute, args=("SELECT 1 FROM _lake_tables FOR UPDATE",)
        )

        def meet(statement: str) -> None:
            if statement.startswith("LOCK TABLE") and not waiting.ident:
                waiting.start()

        with pytest.raises(WarehouseLocked) as locked:
            load(warehouse.url, second, root=tmp_path, statement_hook=meet)
        waiting.join()
    assert str(locked.value) == (
        f"loading curated.daily into marts.daily in {warehouse.shown} met somebody else's work"
        " (deadlock detected): nothing was changed; try again"
    )
    assert load(warehouse.url, second, root=tmp_path).rows == 1


def test_many_load_one_table_at_once_and_the_newest_stays(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    loads = [publish(n, {"2024-01": [n], "2024-02": [n, n]}) for n in range(1, 7)]
    failed: list[LakeError] = []
    start = threading.Barrier(len(loads))

    def run(one: TableLoad) -> None:
        start.wait()
        try:
            load(warehouse.url, one, root=tmp_path)
        except LakeError as exc:
            failed.append(exc)

    threads = [threading.Thread(target=run, args=(one,)) for one in loads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [error for error in failed if not isinstance(error, Overtaken)] == []
    assert warehouse.run("SELECT trips FROM marts.daily") == [(6,)] * 3


def test_two_first_loads_at_once_make_one_ledger(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    failed: list[LakeError] = []

    def load_another() -> None:
        try:
            load(warehouse.url, publish(1, {"2024-01": [5]}, table="other"), root=tmp_path)
        except LakeError as exc:
            failed.append(exc)

    beside = threading.Thread(target=load_another)
    said: list[str] = []

    def let_the_other_start(statement: str) -> None:
        said.append(statement)
        if statement.startswith("CREATE TABLE IF NOT EXISTS") and said.count(statement) == 2:
            if not beside.ident:
                beside.start()
            while beside.is_alive() and not warehouse.run(
                "SELECT 1 FROM pg_locks WHERE NOT granted"
            ):
                pass

    first = publish(1, {"2024-01": [3]})
    load(warehouse.url, first, root=tmp_path, statement_hook=let_the_other_start)
    beside.join()
    assert beside.ident
    assert failed == []
    assert warehouse.run("SELECT trips FROM marts.daily", "SELECT trips FROM other") == [(3,), (5,)]


def test_a_load_waits_for_somebody_elses_lock_and_not_for_ever(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    url = f"{warehouse.url}?options=-c%20statement_timeout%3D20s"
    hasty = dataclasses.replace(parse(url), patience_s=0.05)
    with closing(psycopg.connect(warehouse.url)) as other:
        other.execute("LOCK TABLE marts.daily IN ROW EXCLUSIVE MODE")
        with pytest.raises(WarehouseLocked, match="canceling statement due to lock timeout"):
            hasty.bring(publish(2, {"2024-01": [4]}), hook=lambda text: None, memory_limit=None)
    assert warehouse.run("SELECT trips FROM marts.daily") == [(3,)]


def test_loads_of_several_periods_at_once_come_to_the_whole(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    months = {f"2024-0{n}": [n, n] for n in range(1, 7)}
    whole = publish(1, months)
    start = threading.Barrier(len(months))

    def run(month: str) -> None:
        start.wait()
        load(
            warehouse.url, dataclasses.replace(whole, periods=Periods(month, month)), root=tmp_path
        )

    threads = [threading.Thread(target=run, args=(month,)) for month in months]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = warehouse.run("SELECT trips FROM marts.daily ORDER BY 1")
    assert found == [(n,) for n in range(1, 7) for _ in range(2)]
    assert load(warehouse.url, whole, root=tmp_path).loaded == ()


def test_a_slow_loader_of_an_older_commit_waits_and_then_gives_way(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [1], "2024-02": [1]}), root=tmp_path)
    older, newer = publish(2, {"2024-01": [2], "2024-02": [2]}), publish(3, {"2024-02": [3]})
    slow: list[LakeError] = []

    def load_older() -> None:
        try:
            load(warehouse.url, older, root=tmp_path)
        except LakeError as exc:
            slow.append(exc)

    behind = threading.Thread(target=load_older)

    def let_the_older_start(statement: str) -> None:
        if statement.startswith("COPY") and not behind.ident:
            behind.start()
            while not warehouse.run("SELECT 1 FROM pg_locks WHERE NOT granted"):
                pass

    load(warehouse.url, newer, root=tmp_path, statement_hook=let_the_older_start)
    behind.join()
    assert [type(error) for error in slow] == [Overtaken]
    assert warehouse.run("SELECT month, trips FROM marts.daily") == [("2024-02", 3)]


def test_somebody_who_writes_by_hand_waits_for_the_load(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [1]}), root=tmp_path)
    said: list[str] = []

    def write(statement: str) -> None:
        if statement.startswith("COPY"):
            try:
                with closing(psycopg.connect(warehouse.url)) as other:
                    assert other.execute("SELECT trips FROM marts.daily").fetchall() == [(1,)]
                    other.execute("SET lock_timeout = 50")
                    other.execute("DELETE FROM marts.daily")
            except psycopg.errors.LockNotAvailable:
                said.append("waited")

    load(warehouse.url, publish(2, {"2024-01": [2]}), root=tmp_path, statement_hook=write)
    assert said == ["waited", "waited"]
