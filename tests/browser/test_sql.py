"""The SQL page: answers, charts, files, the queue, and the processes behind it."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from subprocess import PIPE
from typing import Any
from urllib.parse import quote

import httpx
import pyarrow.parquet as pq
import pytest

from lake.browser.guard import Guard
from lake.browser.snapshot import Snapshot
from lake.browser.sql.limits import Limits
from lake.browser.sql.runner import Full, Job, Question, Runner
from lake.browser.sql.sources import of_names
from lake.lake import Lake
from tests.browser.site import Site, site
from tests.lakes import copy_of

HERE = {"Sec-Fetch-Site": "same-origin"}
SLOW = "SELECT max(range) FROM range(1000000000000)"
DATASETS = "curated.revenue raw.trips raw.zones"
HALF = Limits(seconds=20, running=1, queued=1)


def get(served: Site, path: str, status: int = 200, **query: str) -> httpx.Response:
    answer = served.client.get(path, params=query, headers=HERE)
    assert answer.status_code == status, (answer.status_code, answer.text[:2000])
    return answer


def said(served: Site, sql: str, status: int = 200, **query: str) -> Any:
    return get(served, "/sql.json", status, sql=sql, **query).json()


def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so, which it soon is."""
    waiting = threading.Event()
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end, "it never was"
        waiting.wait(0.02)


def is_there(pid: int) -> bool:
    """Tell whether a process is there; one that only waits to be counted is not."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        os.kill(pid, 0)
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.fixture
def runner() -> Iterator[Runner]:
    made = Runner(HALF)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shot(looked_at: Lake) -> Snapshot:
    return Snapshot(looked_at)


def begin(runner: Runner, shot: Snapshot, sql: str) -> Job:
    return runner.ask(Question(shot, sql, partial(of_names, shot)))


def begun(runner: Runner, shot: Snapshot, sql: str = SLOW) -> tuple[Job, int]:
    """Begin a slow query; return its process, which works on it."""
    job = begin(runner, shot, sql)
    until(lambda: job.process)
    assert job.process
    return job, job.process.pid


def test_an_answer_is_what_the_lake_says(pages: Site) -> None:
    answer = said(pages, "SELECT zone, sum(fare) AS fare FROM raw.trips GROUP BY ALL ORDER BY 1")
    assert [one["type"] for one in answer["columns"]] == ["VARCHAR", "DECIMAL(38,2)"]
    assert answer["rows"] == [["A", "12.25"], ["B", "4.00"], ["C", "1.00"], ["D", "3.00"]]
    assert (answer["total"], answer["files"], answer["cut"]) == (4, 3, "")
    assert answer["bytes"] > 0


@pytest.mark.parametrize(
    ("sql", "row"),
    [
        ("SELECT count(*) FROM meta.commits", [6]),
        ("SELECT string_agg(dataset, ' ') FROM meta.datasets", [DATASETS]),
        ("SELECT count(*) FROM raw.trips__rows", [7]),
        ("SELECT count(*) FROM raw.trips__rejected", [0]),
        ("WITH t AS (FROM raw.zones) SELECT name FROM t WHERE zone = 'A'", ["Astoria"]),
        (f"SELECT {2**127 - 1} AS x", [2**127 - 1]),
        ("SELECT 'nan'::DOUBLE, '-inf'::FLOAT", ["nan", "-inf"]),
        ("SELECT NULL, 'null', ''", [None, "null", ""]),
        ("SELECT 1.50::DECIMAL(9, 2), DATE '2024-02-29'", ["1.50", "2024-02-29"]),
        ("SELECT [1, NULL], {'a': 1}", ["[1, NULL]", "{'a': 1}"]),
        ("PIVOT (SELECT 1 AS k, 2 AS x) ON k IN (1) USING sum(x)", [2]),
        ("SUMMARIZE SELECT 'a' AS x", None),
        ("DESCRIBE raw.zones", None),
        ("VALUES (true)", [True]),
        ("FROM raw.zones ORDER BY ALL LIMIT 1;", ["A", "Astoria"]),
    ],
)
def test_every_kind_of_value_and_table_comes_as_it_is(
    pages: Site, sql: str, row: list[object] | None
) -> None:
    rows = said(pages, sql)["rows"]
    assert rows if row is None else rows == [row]


def test_the_page_holds_the_table_and_says_what_it_took(pages: Site) -> None:
    text = get(pages, "/sql", sql="SELECT '<b>&' AS \"<i>\", NULL AS n FROM raw.zones").text
    assert "<b>2</b> rows in" in text
    assert "<bdi>&lt;b&gt;&amp;</bdi>" in text
    assert "<bdi>&lt;i&gt;</bdi>" in text
    assert '<i class="null">null</i>' in text
    assert 'href="/commits/6"' in text
    assert " style=" not in text


def test_a_former_commit_is_asked_as_it_was(pages: Site) -> None:
    assert said(pages, "SELECT count(*) FROM raw.trips", at="1")["rows"] == [[3]]


def test_an_error_is_one_line_with_its_place(pages: Site) -> None:
    answer = said(pages, "SELECT 1,\n  2 2 FROM x\n ORDER", 400)
    assert answer["error"].startswith("syntax error")
    assert (answer["line"], answer["column"]) == (2, 5)
    text = get(pages, "/sql", 400, sql="SELECT 1,\n  2 2 FROM x\n ORDER").text
    assert "line 2, character 5" in text


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT * FROM raw.tripz", "no raw.tripz at commit 6; perhaps raw.trips is meant."),
        ("SELECT fares FROM raw.trips", 'Candidate bindings: "fare"'),
        ("SELECT 'a\0b'", "NUL character"),
    ],
)
def test_what_cannot_be_answered_is_told(pages: Site, sql: str, why: str) -> None:
    assert why in said(pages, sql, 400)["error"]


def test_a_query_too_long_for_an_address_is_told(pages: Site) -> None:
    assert "too long for an address" in said(pages, "SELECT " + "1," * 4100, 400)["error"]


def test_rows_come_fifty_a_page_and_sorted_as_asked(pages: Site) -> None:
    sql = "SELECT range AS x, -range AS y FROM range(120)"
    text = get(pages, "/sql", sql=sql, page="3").text
    assert "Rows 101 to 120 of 120" in text
    assert 'rel="next"' not in text
    rows = said(pages, sql, sort="2")["rows"]
    assert (rows[0], rows[-1]) == ([119, -119], [0, 0])
    assert said(pages, f"{sql} ORDER BY y", sort="-2")["rows"][0] == [0, 0]
    assert 'aria-sort="descending"' in get(pages, "/sql", sql=sql, sort="-1").text


def test_long_texts_and_wide_tables_leave_a_page_small(pages: Site) -> None:
    wide = f"SELECT {', '.join(f'{n} AS c{n}' for n in range(600))} FROM range(50)"
    text = get(pages, "/sql", sql=wide).text
    assert "Columns 1 to 10 of 600" in text
    texts = ", ".join(f"repeat('{'<é&x'[n % 4]}', 5000) AS {'c' * 60}{n}" for n in range(60))
    lines = f"SELECT DATE '2024-01-01' + range::INT AS {'d' * 60}, random() AS {'e' * 60}"
    tables = (wide, f"SELECT {texts} FROM range(50)", f"{lines}, {wide[7:-15]} FROM range(9000)")
    for sql in tables:
        assert len(get(pages, "/sql", sql=sql).content) < 150_000
    assert "+976 more characters" in get(pages, "/sql", sql="SELECT repeat('x', 2000) AS x").text


def test_files_are_exact_and_whole(pages: Site) -> None:
    sql = "SELECT range AS n, '=1+' || range AS t FROM range(30000)"
    answer = get(pages, "/sql.csv", sql=sql)
    lines = answer.text.splitlines()
    assert (len(lines), lines[1], lines[-1]) == (30001, "0,=1+0", "29999,=1+29999")
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''query-6")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert get(pages, "/sql.csv", sql=sql, safe="1").text.splitlines()[1] == "0,'=1+0"
    table = pq.read_table(BytesIO(get(pages, "/sql.parquet", sql=sql, sort="-1").content))
    assert (table.num_rows, table.column("n")[0].as_py()) == (30000, 29999)
    told = get(pages, "/sql/json", sql=sql, sort="-1")
    assert told.headers["content-disposition"].endswith(".json")
    assert (len(told.json()), told.json()[0]) == (30000, {"n": 29999, "t": "=1+29999"})
    kinds = "[1, NULL] AS l, 1.5::DECIMAL(9,2) AS d, DATE '2024-02-29' AS t"
    odd = f"""SELECT 'nan'::DOUBLE AS "a""b", {kinds}"""
    assert get(pages, "/sql/json", sql=odd).json() == [
        {'a"b': None, "l": [1, None], "d": 1.5, "t": "2024-02-29"}
    ]


def test_a_spreadsheet_sees_no_formula(pages: Site) -> None:
    texts = "['=a', '+a', '-a', '@a', chr(9) || 'a', chr(13) || 'a', 'a=', NULL]"
    sql = f"SELECT unnest({texts}) AS t, -1 AS n, -1.5::DECIMAL(9,2) AS d"
    lines = get(pages, "/sql.csv", sql=sql, safe="1").content.decode().split("\n")
    assert all(line.lstrip('"').startswith("'") for line in lines[1:7])
    assert lines[7:9] == ["a=,-1,-1.50", ",-1,-1.50"]


def test_a_file_of_what_fails_is_a_page_that_says_so(pages: Site) -> None:
    assert "getenv() is not run" in get(pages, "/sql.csv", 400, sql="SELECT getenv('x')").text


@pytest.mark.parametrize("origin", ["cross-site", "same-site"])
def test_another_sites_page_runs_nothing(pages: Site, origin: str) -> None:
    sql = f"SELECT 'from {origin}' AS x"
    headers = {"Sec-Fetch-Site": origin}
    text = pages.client.get("/sql", params={"sql": sql}, headers=headers).text
    assert "not run" in text
    assert sql.replace("'", "&#39;") in text
    assert (
        pages.client.get("/sql.json", params={"sql": sql}, headers=headers).json()["state"]
        == "waits"
    )
    answer = pages.client.get("/sql.csv", params={"sql": sql}, headers=headers)
    assert (answer.status_code, answer.headers["location"][:9]) == (303, "/sql?sql=")


def test_where_a_browser_does_not_say_whence_our_own_page_must_have_been_there(pages: Site) -> None:
    with httpx.Client(base_url=pages.url, trust_env=False) as client:
        query = {"sql": "SELECT 'old browser' AS x"}
        assert client.get("/sql.json", params=query).json()["state"] == "waits"
        client.get("/sql")
        assert client.get("/sql.json", params=query).json()["state"] == "done"


def test_a_token_runs_queries_for_scripts(looked_at: Lake) -> None:
    token = "0123456789abcdef"
    with site(looked_at, Guard(token=token)) as pages:
        query = {"sql": "SELECT 1 AS x"}
        assert pages.client.get("/sql.json", params=query).status_code == 401
        headers = {"Authorization": f"Bearer {token}"}
        answer = pages.client.get("/sql.json", params=query, headers=headers)
        assert answer.json()["rows"] == [[1]]


def test_names_are_there_to_complete_and_are_kept(pages: Site) -> None:
    answer = get(pages, "/sql/names.json")
    names = answer.json()
    assert names["raw.zones"] == [["zone", "VARCHAR"], ["name", "VARCHAR"]]
    assert names["meta.commits"][0] == ["commit", "BIGINT"]
    headers = {"If-None-Match": answer.headers["etag"]}
    assert pages.client.get("/sql/names.json", headers=headers).status_code == 304


def test_the_examples_of_an_empty_editor_all_run(pages: Site) -> None:
    text = get(pages, "/sql").text
    links = re.findall(r'<li><a href="(/sql\?sql=[^"]*)"', text)
    assert len(links) == 6
    for link in links:
        assert " in <b>" in pages.client.get(link.replace("&amp;", "&"), headers=HERE).text


def test_the_query_runs_with_nothing_around_it(runner: Runner, shot: Snapshot) -> None:
    job, pid = begun(runner, shot)
    place = Path(f"/proc/{pid}")
    if not place.exists():
        pytest.skip("this machine shows no processes in /proc")
    until(lambda: "Max file size             0 " in (place / "limits").read_text())
    assert place.joinpath("environ").read_bytes() in (b"", b"LC_CTYPE=C.UTF-8\0")
    assert os.readlink(place / "cwd") == "/"
    assert os.getpgid(pid) == pid
    limits = (place / "limits").read_text()
    assert re.search(r"Max core file size +0 ", limits)
    assert re.search(rf"Max address space +{HALF.memory + (1 << 30)} ", limits)
    runner.stop(job.id)


def test_a_stopped_query_leaves_no_process(runner: Runner, shot: Snapshot) -> None:
    job, pid = begun(runner, shot)
    assert is_there(pid)
    runner.stop(job.id)
    until(job.is_over)
    assert job.failure
    assert job.failure.kind == "stopped"
    assert not is_there(pid)


def test_a_query_that_does_not_listen_is_killed_two_seconds_later(shot: Snapshot) -> None:
    runner = Runner(Limits(seconds=0.4, grace_s=0.4))
    try:
        job, pid = begun(runner, shot)
        os.kill(pid, signal.SIGSTOP)
        until(job.is_over)
        assert job.failure
        assert job.failure.kind == "time"
        assert job.ended - job.began < 5
        assert not is_there(pid)
    finally:
        runner.close()


def test_a_process_that_dies_is_told(runner: Runner, shot: Snapshot) -> None:
    job, pid = begun(runner, shot)
    os.kill(pid, signal.SIGSEGV)
    until(job.is_over)
    assert job.failure
    assert "broke down" in job.failure.text
    again = begin(runner, shot, "SELECT 1")
    until(again.is_over)
    assert again.answer


def test_a_process_ends_with_the_server(tmp_path: Path) -> None:
    code = (
        "from lake.browser.sql.process import Process\nprint(Process([]).pid, flush=True)\ninput()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        pid = int(server.stdout.readline())
        assert is_there(pid)
        server.kill()
    until(lambda: not is_there(pid))


def test_ctrl_c_ends_the_server_also_while_a_query_runs(looked_at: Lake) -> None:
    command = [sys.executable, "-m", "lake", "browse", "--lake", looked_at.url, "--port", "0"]
    with subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True) as server:
        try:
            assert server.stdout
            url = server.stdout.readline().split()[0].rstrip("/")
            with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
                text = client.get("/sql", params={"sql": SLOW}, headers=HERE).text
                assert "Running for" in text
                line = f"GET /sql.json?sql={quote(SLOW)} HTTP/1.1"
                headers = "Host: localhost\r\nSec-Fetch-Site: none\r\n\r\n"
                port = int(url.rpartition(":")[2])
                with socket.create_connection(("127.0.0.1", port)) as waits:
                    waits.sendall(f"{line}\r\n{headers}".encode())
                    client.get("/")  # the server has read the other one, too
                    server.send_signal(signal.SIGINT)
                    assert b'"Stopped."' in answered(waits)
            assert server.stderr
            assert server.stderr.read() == ""
            assert server.wait(12) == 0
        finally:
            server.kill()


def answered(waits: socket.socket) -> bytes:
    """Return all that comes until the other side closes."""
    return b"".join(iter(lambda: waits.recv(1 << 16), b""))


def test_a_query_that_nobody_asks_about_is_stopped(shot: Snapshot) -> None:
    runner = Runner(Limits(unasked_s=0.2))
    try:
        job, pid = begun(runner, shot)
        until(job.is_over)
        assert not is_there(pid)
    finally:
        runner.close()


def test_answers_are_kept_for_a_while_and_as_far_as_there_is_room(shot: Snapshot) -> None:
    runner = Runner(Limits(unasked_s=0.2, kept_bytes=1000, running=2))
    try:
        job = begin(runner, shot, "SELECT 1 AS x")
        until(job.is_over)
        assert begin(runner, shot, "SELECT 1 AS x") is job
        large = begin(runner, shot, "SELECT repeat('x', 900) AS x FROM range(9)")
        until(lambda: runner.known(large.question) is None)
    finally:
        runner.close()


def test_few_run_some_wait_and_more_are_refused(runner: Runner, shot: Snapshot) -> None:
    first, _ = begun(runner, shot)
    second = begin(runner, shot, f"{SLOW} -- 2")
    assert runner.place(second) == (1, 1)
    with pytest.raises(Full, match="1 queries wait"):
        begin(runner, shot, "SELECT 1")
    assert begin(runner, shot, SLOW) is first
    runner.stop(second.id)
    assert second.failure
    assert second.failure.kind == "stopped"
    begin(runner, shot, "SELECT 1")


def test_who_waits_is_told_and_the_pages_are_served_meanwhile(
    looked_at: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lake.browser.pages.asking.SOON_S", 0.3)
    with site(looked_at, limits=HALF) as pages:
        text = get(pages, "/sql", 202, sql=SLOW).text
        assert "Running for" in text
        assert 'http-equiv="refresh"' in text
        waits = get(pages, "/sql", 202, sql=f"{SLOW} -- 2").text
        assert "First in line; 1 query running." in waits
        refused = get(pages, "/sql", 429, sql="SELECT 1")
        assert refused.headers["retry-after"] == "5"
        refused = get(pages, "/sql.json", 429, sql="SELECT 1")
        assert refused.headers["content-type"] == "application/json"
        pages.get("/commits")
        for page, said_of in ((waits, "First in line"), (text, "Running for")):
            link = re.findall(r'data-wait="(/sql/wait\?job=[^"]*)"', page)[0]
            assert pages.get(link, 202).startswith(said_of)
        for page in (waits, text):
            link = re.findall(r'href="(/sql/cancel\?job=[^"]*)"', page)[0]
            answer = pages.client.get(link)
            assert (answer.status_code, answer.headers["location"][:9]) == (303, "/sql?sql=")
        assert pages.get("/sql/wait?job=nobodys", 204) == ""
        assert "Stopped" in get(pages, "/sql", 422, sql=SLOW).text
        assert said(pages, "SELECT 1 AS x")["rows"] == [[1]]


def test_closing_the_connection_stops_the_query(looked_at: Lake) -> None:
    with site(looked_at, limits=HALF) as pages:
        with pytest.raises(httpx.ReadTimeout):
            pages.client.get("/sql.csv", params={"sql": SLOW}, headers=HERE, timeout=0.5)
        assert said(pages, "SELECT 1 AS x")["rows"] == [[1]]


def test_a_file_that_is_not_the_logs_is_not_read(tmp_path: Path, looked_at: Lake) -> None:
    lk = copy_of(looked_at, tmp_path)
    root = Path(lk.url.removeprefix("file://"))
    key = lk.state.data_files("raw.zones")[0].key
    (root / key).chmod(0o644)
    (root / key).write_bytes(b"PAR1 other")
    with site(lk) as pages:
        error = said(pages, "FROM raw.zones", 502)["error"]
        assert "the log says" in error
        assert str(tmp_path) not in error
        (root / key).unlink()
        error = said(pages, "FROM raw.zones", 502)["error"]
        assert "is missing" in error
        assert str(tmp_path) not in error


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT range AS n FROM range(120)", [[n] for n in range(120)]),
        ("SELECT 1 AS n WHERE false", []),
        ("SELECT '\"rows\":[]' AS t, 'NaN'::DOUBLE AS d, NULL AS z", [['"rows":[]', "nan", None]]),
    ],
)
def test_an_answer_s_json_holds_every_row(pages: Site, sql: str, rows: list[list[Any]]) -> None:
    document = said(pages, sql)
    assert (document["rows"], document["total"], document["sql"]) == (rows, len(rows), sql)
