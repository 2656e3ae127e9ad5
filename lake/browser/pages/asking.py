"""Questions over HTTP: run, wait for, stopped; their answers as pages and as files."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from lake.browser import failures
from lake.browser.ask import Ask
from lake.browser.document import encoded
from lake.browser.pages import sql as page
from lake.browser.pages.table import Window, window
from lake.browser.pictures import charts, choose
from lake.browser.render import render
from lake.browser.routes import Route
from lake.browser.snapshot import Snapshot
from lake.browser.sql.consent import mark, may_run
from lake.browser.sql.limits import Limits
from lake.browser.sql.runner import CUT, Failure, Format, Full, Job, Kind, Question, Runner
from lake.browser.sql.sources import of_names
from lake.browser.words import exact, size

PER_PAGE = 50
SOON_S = 2.0
"""How long a page waits for its answer before it says that it does."""
_LOOK_S = 0.2
_PLACES = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth")
Charted = tuple[choose.Chart | None, charts.Drawing | None, list[tuple[str, str]]]
_MOST_DRAWN = 8
"""Charts that are kept of an answer: any two of its columns can be asked for."""
_CHARTED_BYTES = 8 << 20
"""Of an answer: as objects, its rows take many times as much."""
_STATUSES: Mapping[Kind, int] = {
    "refused": 400,
    "error": 400,
    "lake": 400,
    "damaged": 502,
    "away": 503,
}
_KINDS: Mapping[str, str] = {"csv": "csv", "safe": "csv", "json": "json", "parquet": "parquet"}
_FILES: Mapping[str, Format] = {"sql_csv": "csv", "sql_json": "json", "sql_parquet": "parquet"}


def away_of(request: Request) -> object:
    """Return why the lake cannot be reached, as pages say it; None if it can."""
    return request.scope["lake.window"].away


def runner_of(request: Request) -> Runner:
    """Return what runs this server's queries."""
    runner: Runner = request.scope["lake.runner"]
    return runner


async def answer(request: Request, shot: Snapshot, ask: Ask, route: Route) -> Response:
    """Answer with the SQL page, or with its JSON, which holds all rows."""
    runner, sql = runner_of(request), ask.get("sql")
    if not sql.strip():
        runner.prepare(shot)
        return await _shown(request, shot, ask, page.make(shot, ask), is_json=route.is_json)
    question = _question(shot, ask, cut=0 if route.is_json else CUT)
    refused = _refusal(shot, ask, question)
    if refused:
        return await _shown(request, shot, ask, refused, is_json=route.is_json, status=400)
    job = runner.known(question)
    if job is None and not may_run(request):
        return await _shown(request, shot, ask, page.make(shot, ask), is_json=route.is_json)
    try:
        job = job or runner.ask(question)
    except Full as full:
        return busy(str(full), ask)
    await over(request, job, most=runner.limits.seconds * 99 if route.is_json else SOON_S)
    if not job.is_over():
        return await run_in_threadpool(waiting, request, shot, ask, job, "sql")
    return await _answered(request, shot, ask, job, is_json=route.is_json)


async def file(request: Request, shot: Snapshot, ask: Ask, route: Route) -> Response:
    """Answer with the whole answer as a file."""
    if route.is_json or not ask.get("sql").strip():
        return failures.unknown(ask)
    kind = _FILES[route.name]
    if kind == "csv" and ask.get("safe") == "1":
        kind = "safe"
    question = _question(shot, ask, kind=kind)
    runner = runner_of(request)
    if _refusal(shot, ask, question) or not may_run(request):
        return _to(ask.link("/sql", sql=ask.get("sql"), sort=ask.get("sort")))
    try:
        job = runner.ask(question)
    except Full as full:
        return busy(str(full), ask)
    await over(request, job, most=runner.limits.seconds * 99)
    runner.forget(job)
    if job.answer is None:
        said = job.failure.text if job.failure else "Nobody waited for it."
        return failures.page(status_of(job.failure), "No file", said, ask, back=question.home)
    return _download(b"".join(job.answer.parts), f"query-{shot.commit}.{_KINDS[kind]}")


async def names(request: Request, shot: Snapshot, ask: Ask, route: Route) -> Response:
    """Answer with the names of all tables and columns, as the editor completes them."""
    tag = f'"names-{shot.commit}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Cookie"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    found = await run_in_threadpool(lambda: encoded(page.names(shot)))
    return Response(found, media_type="application/json", headers=headers)


async def cancel(request: Request, shot: Snapshot, ask: Ask, route: Route) -> Response:
    """Stop a query whose id is told, which only who asked it knows."""
    job = runner_of(request).stop(ask.get("job"))
    return _to(job.question.home if job else ask.link("/sql"))


async def wait(request: Request, shot: Snapshot, ask: Ask, route: Route) -> Response:
    """Answer at once how a query is on its way; with 204 if it is not any more."""
    runner = runner_of(request)
    job = runner.look(ask.get("job"))
    if job is None or job.is_over():
        return Response(status_code=204, headers={"Cache-Control": "no-store"})
    return html(_told(runner, job), 202)


async def over(request: Request, job: Job, *, most: float) -> None:
    """Wait until a query is over, for so many seconds; stop it if nobody waits any more."""
    until = time.monotonic() + most
    job.waiting += 1
    try:
        while not job.is_over() and time.monotonic() < until:
            job.asked = time.monotonic()
            await asyncio.wait([asyncio.wrap_future(job.future)], timeout=_LOOK_S)
            if not job.is_over() and await request.is_disconnected():
                if job.waiting == 1:
                    runner_of(request).stop(job.id)
                return
    finally:
        job.waiting -= 1


def busy(said: str, ask: Ask) -> Response:
    """Return the page that asks for patience."""
    return failures.page(429, "Many are asking", f"{said}. Try again in a moment.", ask)


def waiting(request: Request, shot: Snapshot, ask: Ask, job: Job, nav: str) -> Response:
    """Return the page that waits for an answer, and asks again by itself; its status is 202."""
    said = _told(runner_of(request), job)
    values = {"job": job, "said": said, "nav": nav, "away": away_of(request), "shot": shot}
    body = render("waiting", ask, sql=job.question.sql if nav == "sql" else "", **values)
    return html(body, 202)


def _told(runner: Runner, job: Job) -> str:
    place, running = runner.place(job)
    if not place:
        return f"Running for {time.monotonic() - job.began:.0f} s."
    ordinal = _PLACES[place - 1] if place <= len(_PLACES) else f"{place}th"
    queries = "1 query" if running == 1 else f"{running} queries"
    return f"{ordinal} in line; {queries} running."


def _question(shot: Snapshot, ask: Ask, *, kind: Format = "rows", cut: int = 0) -> Question:
    sql = ask.get("sql")
    text = ask.get("sort")
    bare = text.removeprefix("-")
    sort = int(text) if bare.isascii() and bare.isdigit() and len(bare) < 6 else 0
    home = ask.link("/sql", sql=sql, sort=sort or "")
    find = partial(of_names, shot)
    return Question(shot, sql, find, kind, sort, cut=cut, home=home)


def _refusal(shot: Snapshot, ask: Ask, question: Question) -> page.SqlPage | None:
    if len(question.sql) <= page.LONGEST:
        return None
    many = f"{exact(page.LONGEST)} characters"
    said = f"The query has more than {many}, which is too long for an address."
    return page.failed(shot, question.sql[:200], Failure("refused", said))


async def _answered(
    request: Request, shot: Snapshot, ask: Ask, job: Job, *, is_json: bool
) -> Response:
    sql = job.question.sql
    if job.answer is None:
        runner_of(request).forget(job)  # so that it can be tried again
        failure = job.failure or Failure("stopped", "Stopped.")
        document = page.failed(shot, sql, failure)
        status = status_of(failure)
        return await _shown(request, shot, ask, document, is_json=is_json, status=status)
    found, sort = job.answer, job.question.sort
    if is_json:
        runner_of(request).forget(job)
        document = page.answered(shot, sql, found, (), first=min(1, found.rows), sort=sort)
        data = _as_json(document, found.parts)
        kept = {"Cache-Control": "no-store"}
        return StreamingResponse(data, media_type="application/json", headers=kept)
    number = min(ask.number("page", 1) or 1, max(len(found.parts), 1))
    first = (number - 1) * PER_PAGE + 1 if found.rows else 0
    document = page.answered(shot, sql, found, found.page(number), first=first, sort=sort)
    return await run_in_threadpool(_drawn, request, shot, ask, document, job)


def _as_json(document: page.SqlPage, parts: Sequence[bytes]) -> Iterator[bytes]:
    """Give an answer's JSON; its rows are passed on as their process wrote them."""
    begin, _, end = encoded(document).partition(b'"rows":[]')
    yield begin + b'"rows":['
    comma = b""
    for part in parts:
        rows = part.strip()[1:-1]
        if rows:
            yield comma + rows
            comma = b","
    yield b"]" + end


def _drawn(
    request: Request, shot: Snapshot, ask: Ask, document: page.SqlPage, job: Job
) -> Response:
    chart, drawing, kinds = charted(job, kind=ask.get("chart"), x=ask.get("x"), y=ask.get("y"))
    # A long query stands in several links, too.
    most, room = (20, 35_000) if len(document.sql) < page.SHORT else (10, 15_000)
    columns = job.answer.columns if job.answer else []
    seen_columns = window(ask, columns, document.rows, most=most, room=room)
    values: dict[str, Any] = {
        "chart": chart,
        "drawing": drawing,
        "kinds": kinds,
        "window": seen_columns,
    }
    return _page(request, shot, ask, document, **values)


def charted(job: Job, *, kind: str, x: str, y: str) -> Charted:
    """Return the chart of an answer: kind, x and y as asked for, or as they suit."""
    asked = (kind, x, y)
    drawn: Charted | None = job.drawn.get(asked)
    if drawn is None:
        drawn = _chart(job, *asked)
        if len(job.drawn) >= _MOST_DRAWN:
            job.drawn.clear()
        job.drawn[asked] = drawn
    return drawn


def _chart(job: Job, kind: str, x: str, y: str) -> Charted:
    assert job.answer
    columns = job.answer.columns
    if len(columns) > choose.MOST_COLUMNS or job.weight > _CHARTED_BYTES or job.answer.rows < 2:
        return None, None, []
    rows = job.answer.every()
    suiting = [one for one in choose.KINDS if choose.suits(columns, rows, one)]
    kinds: list[tuple[str, str]] = [(one, one.capitalize()) for one in suiting]
    chart = choose.asked(columns, rows, kind, x, y)
    return chart, charts.draw(columns, rows, chart) if chart else None, kinds


async def _shown(
    request: Request,
    shot: Snapshot,
    ask: Ask,
    document: page.SqlPage,
    *,
    is_json: bool,
    status: int = 200,
) -> Response:
    if is_json:
        body = await run_in_threadpool(encoded, document)
        kept = {"Cache-Control": "no-store"}
        return Response(body, status, media_type="application/json", headers=kept)
    return await run_in_threadpool(_page, request, shot, ask, document, status=status)


def _page(
    request: Request,
    shot: Snapshot,
    ask: Ask,
    document: page.SqlPage,
    *,
    status: int = 200,
    chart: choose.Chart | None = None,
    drawing: charts.Drawing | None = None,
    kinds: Sequence[tuple[str, str]] = (),
    window: Window | None = None,
) -> Response:
    values: dict[str, Any] = {
        "page": document,
        "shot": shot,
        "nav": "sql",
        "away": away_of(request),
        "tree": page.tree(shot, document.sql),
        "examples": page.examples(shot),
        "limits": _in_words(runner_of(request).limits),
        "chart": chart,
        "drawing": drawing,
        "kinds": kinds and [("", "Suggested"), *kinds, ("none", "None")],
        "numbered": [("", "suggested"), *_numbered(document.columns)],
        "window": window,
        "per_page": PER_PAGE,
        "is_short": len(document.sql) < page.SHORT,
    }
    return mark(html(render("sql", ask, **values), status))


def _numbered(columns: Sequence[page.Column]) -> list[tuple[str, str]]:
    return [(str(number), one.name) for number, one in enumerate(columns, 1)][:40]


def _in_words(limits: Limits) -> str:
    most = (
        f"{limits.seconds:g} s, {size(limits.memory).replace('.00', '')}, {exact(limits.rows)} rows"
    )
    return f"one SELECT, {most}"


def html(body: str, status: int = 200) -> Response:
    """Return a page that is never kept."""
    return Response(
        body.encode(errors="replace"),
        status,
        media_type="text/html; charset=utf-8",
        headers={"Cache-Control": "no-store"},
    )


def _download(data: bytes, name: str) -> Response:
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "no-store",
    }
    return Response(data, media_type="application/octet-stream", headers=headers)


def _to(address: str) -> Response:
    return Response(status_code=303, headers={"Location": address, "Cache-Control": "no-store"})


def status_of(failure: Failure | None) -> int:
    """Return the status that tells why there is no answer."""
    return _STATUSES.get(failure.kind, 422) if failure else 422
