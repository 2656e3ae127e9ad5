"""Runs walks, each in a process of its own that may kill itself before or after any request.

It forks a process for every one, after everything has been imported once: to import anew for each
of some hundred walks would take longer than all the rest. It has no threads and opens no DuckDB
itself. A line of JSON comes in for each, and one goes out: the exit status, the calls of the hook,
and what was done or how it failed.
"""

import dataclasses
import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import pytz
import sqlglot.dialects.duckdb  # noqa: F401

from lake import opening
from lake.catalog import checkpoint
from lake.config import Config
from lake.lake import Lake
from lake.models import run, syntax
from lake.operations import gc, get
from lake.query import attach, files
from lake.sources import fetch, file, partitions
from lake.warehouse.run import load_tables
from storage_backends import Store, local, open_store
from tests.faults.example import config_of
from tests.faults.late import LateStore
from tests.faults.planted import PLANTED
from tests.faults.proxy import Proxy, Rule
from tests.stores import HookedStore


def _alone(connect: Callable[..., Any]) -> Callable[..., Any]:
    """Let DuckDB work without threads of its own, which cost more than such small work."""

    def connect_alone(*args: Any, config: dict[str, Any] | None = None, **rest: Any) -> Any:
        return connect(*args, config={**(config or {}), "threads": 1}, **rest)

    return connect_alone


vars(duckdb)["connect"] = _alone(duckdb.connect)
# What a killed process wrote is there without it; only a power cut would tell the difference.
vars(os)["fsync"] = lambda file: None
WARM = (attach, duckdb, fetch, file, files, gc, get, local, partitions, run)
Calls = list[str]
Hook = Callable[[str], None]


def walk(job: dict[str, Any], calls: Calls) -> dict[str, Any]:
    """Run the verbs of `job`; say what they did."""

    def hook(what: str) -> None:
        if len(calls) == job.get("kill_at"):
            os.kill(os.getpid(), signal.SIGKILL)
        calls.append(what)

    config = config_of(Path(job["root"]))
    lk = _lake(
        config, lambda url: _store(url, hook, is_late=job.get("is_late", False)), job["verbs"]
    )
    if "behind_s" in job:
        lk.log.clock = _late_clock(job["behind_s"])
    did = {verb: _VERBS[verb](lk, hook) for verb in job["verbs"]}
    return {"did": did, "commit": lk.commit}


def _land(lk: Lake, hook: Hook) -> list[str]:
    return [one.outcome for one in lk.land_sources()]


def _transform(lk: Lake, hook: Hook) -> list[str]:
    return [run.status for run in lk.transform().runs]


def _load(lk: Lake, hook: Hook) -> list[str]:
    with lk._published():  # as `lk.load` does, which has no hook
        done = load_tables(lk, hook=lambda statement: hook(statement.split(None, 1)[0]))
    return [text for one in done for text in one.loaded]


def _gc(lk: Lake, hook: Hook) -> list[str]:
    return [one.why for one in lk.gc(keep=timedelta(0), delete=True).objects]


_VERBS = {"land": _land, "transform": _transform, "load": _load, "gc": _gc}


def _lake(config: Config, open_store: Callable[[str], Store], verbs: list[str]) -> Lake:
    """Make or open the lake, with everything in an order that is the same every time."""
    vars(opening)["open_store"] = open_store
    checkpoint.MANY_ENTRIES = 3  # so that checkpoints are written in so short a log
    assert config.url
    if verbs[0] == "land":
        opening.init(config.url, timezone=config.timezone)
    lk = opening.open_lake(config=config)
    lk.log.parallel = 1
    return lk


def _late_clock(seconds: float) -> Callable[[], datetime]:
    return lambda: datetime.now(UTC) - timedelta(seconds=seconds)


def _store(url: str, hook: Callable[[str], None], *, is_late: bool) -> Store:
    def told(verb: str, key: str) -> None:
        hook(f"{verb} {key}")

    hooked = HookedStore(open_store(url), before=told, after=told)
    return LateStore(hooked) if is_late else hooked


def _prepare(job: dict[str, Any]) -> None:
    """Plant the bug that the job asks for, and tell the proxy what shall go wrong."""
    if plant := job.get("plant"):
        PLANTED[plant](pytest.MonkeyPatch())
    if proxy := job.get("proxy"):
        rules = [Rule(**rule) for rule in job["rules"]]
        Proxy(proxy).fail(*[dataclasses.replace(rule, pid=os.getpid()) for rule in rules])


def _run(job: dict[str, Any], answer: int) -> None:
    calls = Calls()
    os.environ["XDG_CACHE_HOME"] = f"{job['root']}/cache"
    tempfile.tempdir = f"{job['root']}/tmp"  # what a kill leaves there goes with the project
    os.makedirs(tempfile.tempdir, exist_ok=True)
    os.chdir(job["root"])
    try:
        _prepare(job)
        did = walk(job, calls)
    except BaseException:  # noqa: BLE001 - whatever it was, the test is to show it
        did = {"failed": traceback.format_exc()}
    os.write(answer, json.dumps({"calls": calls, **did}).encode())


def _warm_up() -> None:
    """Find out once what every process would find out for itself, and close what that opened."""
    assert WARM
    syntax.aggregates()
    syntax._engine.cache_clear()
    pytz.timezone("America/New_York")


def main() -> None:
    """Run the jobs that come in, one after the other."""
    _warm_up()
    for line in sys.stdin:
        out, answer = os.pipe()
        child = os.fork()
        if not child:
            os.close(out)
            _run(json.loads(line), answer)
            os._exit(0)
        os.close(answer)
        with os.fdopen(out, "rb") as pipe:
            did = json.loads(pipe.read() or b"{}")
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(json.dumps({"status": status, **did}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
