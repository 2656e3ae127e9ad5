"""Whatever interrupts a load into BigQuery: each published row is there once, in the end."""

import dataclasses
import json
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lake.errors import LakeError, LoadRefused, StoreUnavailable, WarehouseLocked
from lake.warehouse.bigquery import BigQueryWarehouse, parse
from lake.warehouse.ledger import Overtaken
from lake.warehouse.load import TableLoad, TableLoaded, describe, load, reconcile
from tests.warehouse.bigquery_server import Fault, Request, Server
from tests.warehouse.killer import Kill, killer
from tests.warehouse.loads import Publish, later
from tests.warehouse.places import Place

Rows = list[tuple[Any, ...]]
HELD = {
    "daily": "FROM marts.daily ORDER BY ALL",
    "_lake_tables": "SELECT table_name, lake, dataset, commit FROM _lake_tables WHERE commit > 0",
    "_lake_loads": "SELECT * EXCLUDE loaded_at FROM _lake_loads ORDER BY ALL",
}


@pytest.fixture
def warehouse(bigquery_warehouse: Place) -> Place:
    return bigquery_warehouse


@pytest.fixture(scope="module")
def kill(bigquery_server: Server) -> Iterator[Kill]:
    with killer("lake.warehouse.bigquery") as kill:
        yield kill


def held(server: Server, project: str) -> Rows:
    """Return the table's rows and the ledger's without its times; none of what is not there."""
    run = server.engine.by_hand
    there = run(
        project, "lake", f"SELECT table_name FROM duckdb_tables() WHERE database_name = '{project}'"
    )
    names = {name for (name,) in there}
    rows = run(project, "lake", *(query for name, query in HELD.items() if name in names))
    # A column that was added before the transaction is NULL.
    return [row[:-1] if row[-1] is None else row for row in rows]


def fresh(server: Server) -> str:
    project = f"p-{uuid.uuid4().hex[:12]}"
    server.engine.attach(project, "lake")
    return project


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A load that is interrupted, from where, and how the dataset looks then and in the end."""

    server: Server
    root: Path
    job: TableLoad
    first: TableLoad | None

    def started(self) -> str:
        project = fresh(self.server)
        if self.first:
            load(f"bigquery://{project}/lake", self.first, root=self.root)
        return project

    def run(self, project: str) -> TableLoaded:
        return load(f"bigquery://{project}/lake", self.job, root=self.root)

    def held(self, project: str) -> Rows:
        return held(self.server, project)


@pytest.fixture(params=["a first load", "a later load"])
def sweep(
    request: pytest.FixtureRequest, bigquery_server: Server, tmp_path: Path, publish: Publish
) -> Sweep:
    first = publish(1, {"2024-01": [3], "2024-02": [5]})
    if request.param == "a first load":
        return Sweep(bigquery_server, tmp_path, first, None)
    return Sweep(bigquery_server, tmp_path, later(publish), first)


def test_a_load_that_was_killed_before_or_after_any_request_is_completed(
    sweep: Sweep, kill: Kill
) -> None:
    project = sweep.started()
    before = sweep.held(project)
    sweep.run(project)
    after, kills = sweep.held(project), 0
    while True:
        project = sweep.started()
        # The hook is called before a request and after it; nothing happens in between two.
        status = kill(f"bigquery://{project}/lake", sweep.job, sweep.root, 2 * kills)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        rows = sweep.held(project)
        assert (rows or before) in (before, after), f"half a load was left by kill {kills}"
        sweep.run(project)
        assert sweep.held(project) == after, f"kill {kills} was not completed"
        kills += 1
    assert kills >= 16


@pytest.mark.parametrize("fault", ["lost", "unavailable"])
def test_any_request_may_fail_or_lose_its_answer(sweep: Sweep, fault: str) -> None:
    project, server = sweep.started(), sweep.server
    at = len(server.asked)
    sweep.run(project)
    requests, after = len(server.asked) - at, sweep.held(project)
    assert requests >= 20
    for number in range(requests):
        project = sweep.started()
        wanted = len(server.asked) + number
        with server.failing(at_number(fault, wanted)):
            done = sweep.run(project)
        assert done.rows == sum(p.rows for p in sweep.job.partitions)
        assert sweep.held(project) == after, f"{fault} at {server.asked[wanted]}"


def at_number(fault: str, number: int) -> Fault:
    return lambda request: fault if request.number == number else ""


def always(fault: str, wanted: Callable[[Request], bool]) -> Fault:
    return lambda request: fault if wanted(request) else ""


def once(fault: str, wanted: Callable[[Request], bool]) -> Fault:
    seen: list[Request] = []

    def said(request: Request) -> str:
        if wanted(request):
            seen.append(request)
        return fault if seen == [request] else ""

    return said


def is_script(request: Request) -> bool:
    return request.is_script


def test_a_script_that_was_aborted_is_run_again_under_another_name(
    tmp_path: Path, warehouse: Place, publish: Publish, bigquery_server: Server
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    at = len(bigquery_server.asked)
    with bigquery_server.failing(once("aborted", is_script)):
        assert load(warehouse.url, publish(2, {"2024-01": [4]}), root=tmp_path).rows == 1
    scripts = [json.loads(r.body) for r in bigquery_server.asked[at:] if r.is_script]
    ids = [script["jobReference"]["jobId"] for script in scripts]
    # The second name is that of the job that failed, found again; it makes way for the third.
    assert [job_id.rpartition("_")[2] for job_id in ids] == ["0", "0", "1"]
    assert len({script["configuration"]["query"]["query"] for script in scripts}) == 1
    assert warehouse.run("SELECT trips FROM marts.daily") == [(4,)]


def test_a_script_that_is_always_aborted_changes_nothing(
    tmp_path: Path, warehouse: Place, publish: Publish, bigquery_server: Server
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    impatient = BigQueryWarehouse(parse(warehouse.url).place, patience_s=0.3)
    with (
        bigquery_server.failing(always("aborted", is_script)),
        pytest.raises(WarehouseLocked, match=r"met other loads again and again: nothing was chang"),
    ):
        impatient.bring(publish(2, {"2024-01": [4]}), hook=print, memory_limit=None)
    assert warehouse.run("SELECT trips FROM marts.daily") == [(3,)]
    assert load(warehouse.url, publish(2, {"2024-01": [4]}), root=tmp_path).rows == 1


def test_a_job_that_cannot_be_asked_about_is_not_run_a_second_time(
    tmp_path: Path, warehouse: Place, publish: Publish, bigquery_server: Server
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    second, lost = publish(2, {"2024-01": [4]}), once("lost", is_script)
    at = len(bigquery_server.asked)

    def fault(request: Request) -> str:
        is_question = request.method == "GET" and "/queries/clearlake_" in request.path
        return "quota" if is_question else lost(request)

    with (
        bigquery_server.failing(fault),
        pytest.raises(StoreUnavailable, match=r"load again, which finds out and completes it"),
    ):
        load(warehouse.url, second, root=tmp_path)
    scripts = [json.loads(r.body) for r in bigquery_server.asked[at:] if r.is_script]
    assert len({script["jobReference"]["jobId"] for script in scripts}) == 1
    assert load(warehouse.url, second, root=tmp_path) == TableLoaded("marts.daily", (), (), 1, 1)


def test_rows_that_are_there_already_are_not_sent_again(
    tmp_path: Path, warehouse: Place, publish: Publish, bigquery_server: Server
) -> None:
    first, at = publish(1, {"2024-01": [3]}), len(bigquery_server.asked)
    with (
        bigquery_server.failing(always("no table", is_script)),
        pytest.raises(LoadRefused, match=r"roles/bigquery\.dataEditor on dataset lake"),
    ):
        load(warehouse.url, first, root=tmp_path)
    assert load(warehouse.url, first, root=tmp_path).rows == 1
    assert len([one for one in bigquery_server.asked[at:] if one.is_upload]) == 1
    assert warehouse.run("SELECT trips FROM marts.daily") == [(3,)]


@pytest.mark.parametrize("by_hand", ["DROP TABLE {}", "DELETE FROM {}"], ids=["gone", "emptied"])
def test_rows_that_expired_beside_their_jobs_are_sent_again(
    tmp_path: Path, warehouse: Place, publish: Publish, bigquery_server: Server, by_hand: str
) -> None:
    first = publish(1, {"2024-01": [3]})
    with (
        bigquery_server.failing(always("no table", is_script)),
        pytest.raises(LoadRefused, match=r"is refused"),
    ):
        load(warehouse.url, first, root=tmp_path)
    (stage,) = staging(warehouse)
    warehouse.run(by_hand.format(stage))
    assert load(warehouse.url, first, root=tmp_path).rows == 1
    assert warehouse.run("SELECT trips FROM marts.daily") == [(3,)]
    assert staging(warehouse) == []


def staging(warehouse: Place) -> list[str]:
    project = warehouse.url.split("/")[2]
    found = warehouse.run(
        f"SELECT table_name FROM duckdb_tables() WHERE database_name = '{project}'"
        " AND starts_with(table_name, '_lake_stage_')"
    )
    return [name for (name,) in found]


def test_an_empty_table_that_a_killed_load_left_is_told_by_nobody(
    tmp_path: Path, warehouse: Place, publish: Publish, bigquery_server: Server
) -> None:
    with (
        bigquery_server.failing(always("no table", is_script)),
        pytest.raises(LoadRefused, match=r"is refused"),
    ):
        load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    assert warehouse.run("FROM marts.daily") == []
    assert describe(warehouse.url, root=tmp_path) == ()
    assert load(warehouse.url, publish(2, {"2024-01": [4]}), root=tmp_path).rows == 1


@pytest.mark.parametrize("run", [load, partial(reconcile, mend=True)], ids=["load", "reconcile"])
def test_values_of_a_column_that_a_killed_load_added_are_not_forgotten(
    tmp_path: Path,
    warehouse: Place,
    publish: Publish,
    bigquery_server: Server,
    run: Callable[..., Any],
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    base = publish(2, {"2024-01": [3]})
    select = f"SELECT *, trips AS rides FROM ({base.partitions[0].select})"
    renamed = dataclasses.replace(
        base,
        columns=(*base.columns, ("rides", "BIGINT")),
        partitions=(dataclasses.replace(base.partitions[0], select=select),),
    )
    with (
        bigquery_server.failing(
            always("no table", lambda request: is_script(request) and b"INSERT" in request.body)
        ),
        pytest.raises(LoadRefused, match=r"is refused"),
    ):
        run(warehouse.url, renamed, root=tmp_path)
    assert warehouse.run("SELECT trips, rides FROM marts.daily") == [(3, None)]
    assert load(warehouse.url, renamed, root=tmp_path).loaded == ("month=2024-01",)
    assert warehouse.run("SELECT trips, rides FROM marts.daily") == [(3, 3)]


def test_a_table_dropped_and_made_anew_by_a_killed_load_is_filled(
    tmp_path: Path, warehouse: Place, publish: Publish, bigquery_server: Server
) -> None:
    load(warehouse.url, publish(7, {"2024-01": [3], "2024-02": [5]}), root=tmp_path)
    warehouse.run("DROP TABLE marts.daily")
    mine = publish(2, {"2024-01": [4]}, lake_id="77aa")
    with (
        bigquery_server.failing(always("no table", is_script)),
        pytest.raises(LoadRefused, match=r"is refused"),
    ):
        load(warehouse.url, mine, root=tmp_path)
    assert load(warehouse.url, mine, root=tmp_path).loaded == ("month=2024-01",)
    assert [(one.lake_id, one.commit) for one in describe(warehouse.url, root=tmp_path)] == [
        ("77aa", 2)
    ]
    assert warehouse.run("SELECT count(*) FROM _lake_loads") == [(1,)]


def test_many_load_one_table_at_once_and_the_newest_stays(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    loads = [publish(n // 2 + 1, {"2024-01": [n // 2], "2024-02": [8, 8]}) for n in range(6)]
    failed = together([(warehouse.url, one) for one in loads], tmp_path)
    assert [error for error in failed if not isinstance(error, Overtaken)] == []
    assert warehouse.run("SELECT trips FROM marts.daily ORDER BY 1") == [(2,), (8,), (8,)]
    assert warehouse.run("SELECT count(*) FROM _lake_tables") == [(1,)]


def test_several_tables_are_loaded_at_once(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    loads = [publish(1, {"2024-01": [n]}, table=f"t{n}") for n in range(4)]
    assert together([(warehouse.url, one) for one in loads], tmp_path) == []
    found = warehouse.run(*(f"SELECT trips FROM t{n}" for n in range(4)))
    assert found == [(0,), (1,), (2,), (3,)]


def together(loads: list[tuple[str, TableLoad]], root: Path) -> list[LakeError]:
    failed: list[LakeError] = []
    start = threading.Barrier(len(loads))

    def run(url: str, one: TableLoad) -> None:
        start.wait()
        try:
            load(url, one, root=root)
        except LakeError as exc:
            failed.append(exc)

    threads = [threading.Thread(target=run, args=one) for one in loads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def test_a_load_that_is_overtaken_between_its_look_and_its_script_gives_way(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [1]}), root=tmp_path)
    newer, seen = publish(3, {"2024-01": [3]}), list[str]()

    def overtake(statement: str) -> None:
        if statement.startswith("BEGIN TRANSACTION") and not seen:
            seen.append(statement)
            load(warehouse.url, newer, root=tmp_path)

    with pytest.raises(Overtaken, match=r"already loaded at commit 3 of curated\.daily"):
        load(warehouse.url, publish(2, {"2024-01": [2]}), root=tmp_path, statement_hook=overtake)
    assert warehouse.run("SELECT trips FROM marts.daily") == [(3,)]


def test_a_staging_table_that_a_twin_was_through_with_is_made_again(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    seen = list[str]()

    def drop(statement: str) -> None:
        if statement.startswith("BEGIN TRANSACTION") and not seen:
            seen.extend(staging(warehouse))
            warehouse.run(*(f"DROP TABLE {name}" for name in seen))

    assert load(
        warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path, statement_hook=drop
    ) == TableLoaded("marts.daily", ("month=2024-01",), (), 1, 0)
    assert len(seen) == 1
    assert warehouse.run("SELECT trips FROM marts.daily") == [(3,)]


def test_a_server_that_stays_away_is_told_and_nothing_is_changed(
    tmp_path: Path, warehouse: Place, publish: Publish, bigquery_server: Server
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    impatient = BigQueryWarehouse(parse(warehouse.url).place, patience_s=0.3)
    for fault in ("unavailable", "busy", "lost"):
        with (
            bigquery_server.failing(always(fault, is_script)),
            pytest.raises(StoreUnavailable, match=r"it is done whole or not at all; load again"),
        ):
            impatient.bring(publish(2, {"2024-01": [4]}), hook=print, memory_limit=None)
    # The last answer was lost, not the work.
    assert warehouse.run("SELECT trips FROM marts.daily") == [(4,)]
    assert load(warehouse.url, publish(2, {"2024-01": [4]}), root=tmp_path).loaded == ()
