"""The process that answers one query, and then ends.

It is started by its path, with nothing in its environment, before there is a query: importing
DuckDB is most of what a short query takes. It is told on its standard input, a line of JSON at a
time: what to load, what is asked, and, once it has said which tables that names, where they lie.
It answers in frames: a letter, four bytes of length, and so many bytes.

    N  the tables that the query names, as JSON
    H  the columns of the answer, as JSON
    R  rows, as JSON: at most 50
    B  bytes of a file
    D  that this was all, as JSON
    E  what went wrong, as JSON
"""

import contextlib
import ctypes
import gc
import json
import math
import os
import re
import resource
import signal
import sys
import threading
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, BinaryIO

import duckdb

PER_FRAME = 50
_MORE = 1 << 30
_SIMPLE = re.compile(r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BOOLEAN|FLOAT|DOUBLE")
_BEGIN = (
    "SET allow_persistent_secrets = false",  # not to be changed once there is a secret
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET errors_as_json = true",
)
_LOCK = (
    "SET allow_community_extensions = false",
    "SET temp_directory = ''",
    "SET python_enable_replacements = false",
    "SET enable_progress_bar = false",
    "SET enable_external_file_cache = false",
)


class Pipe:
    """Where the answer goes; frames are whole, also when several threads write them."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._lock = threading.Lock()

    def send(self, kind: bytes, body: bytes) -> None:
        """Send one frame."""
        with self._lock:
            self._out.write(kind + len(body).to_bytes(4, "big") + body)
            self._out.flush()

    def tell(self, kind: bytes, said: Any) -> None:
        """Send one frame of JSON."""
        text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        self.send(kind, text.encode(errors="backslashreplace"))


def main() -> None:
    """Answer one query."""
    out = Pipe(os.fdopen(os.dup(1), "wb"))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    end_with_parent()
    said = sys.stdin.buffer
    connection = duckdb.connect()
    for statement in (*_BEGIN, *json.loads(said.readline())["first"]):
        connection.execute(statement)
    line = said.readline()
    if not line:
        return
    ask = json.loads(line)
    limit(ask)
    try:
        answer(connection, ask, said, out)
    except duckdb.Error as error:
        out.tell(b"E", told(error))
    except (MemoryError, RecursionError):
        out.tell(b"E", {"kind": "memory", "text": "it ran out of memory"})
    except BrokenPipeError:
        pass  # nobody listens any more


def end_with_parent() -> None:
    """Let the kernel end this process when its parent does; elsewhere the end of its input does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def limit(ask: dict[str, Any]) -> None:
    """Let the kernel refuse what the query must not take."""
    seconds = int(ask["seconds"] * ask["threads"]) + 2
    limits = [
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 256),
    ]
    if sys.platform == "linux":  # macOS takes it, and minds it not
        limits.append((resource.RLIMIT_AS, ask["memory"] + _MORE))
    for kind, most in limits:
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def answer(connection: Any, ask: dict[str, Any], said: BinaryIO, out: Pipe) -> None:
    """Look through the query, hear where its tables lie, lock everything, and run it."""
    check = beside("check")
    try:
        out.tell(b"N", check.names(connection, ask["sql"]))
    except check.Refused as refused:
        out.tell(b"E", {"kind": "refused", "text": str(refused)})
        return
    job = json.loads(said.readline())
    for statement in job["statements"]:
        connection.execute(statement)
    job["statements"].clear()  # credentials, perhaps
    gc.collect()
    pipe = os.pipe() if job["format"] != "rows" else None
    lock(connection, ask, [*job["allowed"], *([_place(pipe[1])] if pipe else [])])
    watch(connection, ask["seconds"])
    found = connection.sql(ask["sql"])
    if job["sort"]:
        way = "DESC" if job["sort"] < 0 else "ASC"
        found = found.order(f"{abs(job['sort'])} {way} NULLS LAST")
    columns = [[name, str(kind)] for name, kind in zip(found.columns, found.types, strict=True)]
    out.tell(b"H", columns)
    if pipe:
        write(found, columns, job, pipe, out)
    else:
        read(found, columns, job, out)


def beside(name: str) -> Any:
    """Return the module of this name that lies beside this file."""
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lock(connection: Any, ask: dict[str, Any], allowed: list[str]) -> None:
    """Take everything from the connection but its views and the files behind them."""
    for statement in _LOCK:
        connection.execute(statement)
    connection.execute(f"SET threads = {int(ask['threads'])}")
    connection.execute(f"SET memory_limit = '{ask['memory'] // 1024} KiB'")
    places = ", ".join("'" + place.replace("'", "''") + "'" for place in allowed)
    connection.execute(f"SET allowed_paths = [{places}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def watch(connection: Any, seconds: float) -> None:
    """End the query when its time is over, and this process when nobody waits for it."""
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()

    def wait() -> None:
        os.read(0, 1)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def read(found: Any, columns: list[list[str]], job: dict[str, Any], out: Pipe) -> None:
    """Send rows until there are no more, or more than are wanted."""
    texts = [not _SIMPLE.fullmatch(kind) for _, kind in columns]
    # Every value that is no plain number comes as the text that DuckDB writes for it.
    asked = [_shown(place, text, job["cut"]) for place, text in enumerate(texts, 1)]
    found = found.project(", ".join(asked))
    rows = size = 0
    cut = ""
    while some := found.fetchmany(min(PER_FRAME, job["rows"] - rows) or 1):
        if rows == job["rows"]:
            cut = "rows"
            break
        data = _encoded([_merged(row, texts) for row in some] if job["cut"] else some)
        size += len(data)
        if size > job["bytes"]:
            cut = "bytes"
            break
        rows += len(some)
        out.send(b"R", data)
    out.tell(b"D", {"rows": rows, "cut": cut})


def _shown(place: int, is_text: bool, cut: int) -> str:
    if not is_text:
        return f"#{place}"
    value = f"CAST(#{place} AS VARCHAR)"
    if not cut:
        return value
    long = f"length({value})"
    return f"left({value}, {cut}), CASE WHEN {long} > {cut} THEN {long} END"


def _merged(row: Sequence[Any], texts: Sequence[bool]) -> list[Any]:
    """Put what is left of a long text beside how long it was."""
    values = iter(row)
    merged: list[Any] = []
    for is_text in texts:
        value = next(values)
        long = next(values) if is_text else None
        merged.append(value if long is None else {"start": value, "characters": long})
    return merged


def _encoded(rows: Sequence[Sequence[Any]]) -> bytes:
    try:
        text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:  # JSON has no NaN and no infinity
        finite = [[_finite(value) for value in row] for row in rows]
        text = json.dumps(finite, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace")


def _finite(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def write(
    found: Any, columns: list[list[str]], job: dict[str, Any], pipe: tuple[int, int], out: Pipe
) -> None:
    """Send a file: what DuckDB writes goes through a pipe, for nothing is written to a disk."""
    fetched, given = pipe
    sent = [0]

    def relay() -> None:
        with contextlib.suppress(BrokenPipeError):
            while data := os.read(fetched, 1 << 18):
                sent[0] += len(data)
                if sent[0] <= job["bytes"]:
                    out.send(b"B", data)

    thread = threading.Thread(target=relay)
    thread.start()
    ways = {"safe": _harmless, "json": _sayable}
    if job["format"] in ways:
        way = ways[job["format"]]
        found = found.project(", ".join(way(*one) for one in enumerate(columns, 1)))
    try:
        if job["format"] == "json":
            copy = f"COPY answer TO '{_place(given)}' (FORMAT json, ARRAY true)"
            found.query("answer", copy)
        else:
            to = found.to_parquet if job["format"] == "parquet" else found.to_csv
            to(_place(given))
    finally:
        os.close(given)
        thread.join()
    out.tell(b"D", {"rows": -1, "cut": "bytes" if sent[0] > job["bytes"] else ""})


def _sayable(place: int, column: list[str]) -> str:
    """Return a column without NaN and infinity, which JSON lacks: they are null there."""
    value = f"#{place}"
    if column[1] in ("FLOAT", "DOUBLE"):
        value = f"CASE WHEN isfinite({value}) THEN {value} END"
    return f'{value} AS "' + column[0].replace('"', '""') + '"'


def _harmless(place: int, column: list[str]) -> str:
    """Return a column in which no spreadsheet sees a formula."""
    name = '"' + column[0].replace('"', '""') + '"'
    if _SIMPLE.fullmatch(column[1]) or column[1].startswith("DECIMAL"):
        return f"#{place} AS {name}"
    text = f"CAST(#{place} AS VARCHAR)"
    starts = f"left({text}, 1) IN ('=', '+', '-', '@', chr(9), chr(13))"
    return f"CASE WHEN {starts} THEN '''' || {text} ELSE {text} END AS {name}"


def _place(descriptor: int) -> str:
    return f"/dev/fd/{descriptor}"


def told(error: Exception) -> dict[str, Any]:
    """Return what DuckDB says as one line, and the place in the query that it means."""
    kinds = {"OutOfMemoryException": "memory", "InterruptException": "time"}
    name = type(error).__name__
    text, place = str(error), -1
    start = text.find("{")
    if start >= 0:
        with contextlib.suppress(ValueError):
            said = json.loads(text[start:])
            text, place = said["exception_message"], int(said.get("position", -1))
    elif found := re.search(r"\n\nLINE (\d+): ", text):
        text = text[: found.start()]
    text = re.sub(r"^\w+(?: \w+)? Error: ", "", text)
    return {"kind": kinds.get(name, "error"), "text": text, "position": place}


if __name__ == "__main__":
    main()
    os._exit(0)  # a thread still waits for the parent
