"""The rows of a dataset over HTTP: read by the process of a query, as SQL is."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from lake.browser import failures
from lake.browser.ask import Ask
from lake.browser.document import encoded
from lake.browser.known import Known, known
from lake.browser.pages import asking, rows
from lake.browser.pages.columns import column_lines
from lake.browser.pages.head import head
from lake.browser.pages.sql import columns_of
from lake.browser.pages.table import fitting, told, window
from lake.browser.render import render
from lake.browser.routes import Route
from lake.browser.snapshot import Snapshot
from lake.browser.sql.consent import may_read
from lake.browser.sql.runner import Full, Job
from lake.errors import NoSuchVersion, StoreUnavailable

PER_ROW = 100
"""Columns of one row on a page."""
_CHOICES = 100
_CELL = 65_536
_TOO_MUCH = (
    "These rows have more than 32 MiB. Ask for some of their columns in SQL, or for the file that"
    " they are in, on the page of its version."
)


def make(shot: Snapshot, ask: Ask) -> rows.RowsPage:
    """Rows are read where they are asked for; nothing is known of them before."""
    raise NoSuchVersion("the rows are read by themselves")


async def answer(request: Request, shot: Snapshot, ask: Ask, route: Route) -> Response:
    """Answer with rows, or with one, or say that they are being read."""
    if not may_read(request):
        text = "Only a person who follows a link reads rows."
        return failures.page(403, "Not from there", text, ask)
    wanted = await run_in_threadpool(rows.wanted, shot, ask)
    question = await run_in_threadpool(
        lambda: rows.question(shot, ask, wanted, is_uncut=route.is_json)
    )
    runner = asking.runner_of(request)
    try:
        job = runner.ask(question)
    except Full as full:
        return asking.busy(str(full), ask)
    most = runner.limits.seconds * 99 if route.is_json else asking.SOON_S
    await asking.over(request, job, most=most)
    if not job.is_over():
        return await run_in_threadpool(asking.waiting, request, shot, ask, job, "lake")
    if job.answer is None:
        runner.forget(job)
        said = job.failure.text if job.failure else "Nobody waited for them."
        status = asking.status_of(job.failure)
        return failures.page(status, "No rows", said, ask)
    if job.answer.cut == "bytes":
        return failures.page(422, "Too much for a page", _TOO_MUCH, ask)
    if route.is_json:
        return await run_in_threadpool(_encoded, shot, wanted, job)
    away = asking.away_of(request)
    return await run_in_threadpool(_answered, shot, ask, wanted, job, away)


def _encoded(shot: Snapshot, wanted: rows.Wanted, job: Job) -> Response:
    assert job.answer
    body = encoded(rows.document(shot, wanted, job.answer))
    kept = {"Cache-Control": "no-store"}
    return Response(body, media_type="application/json", headers=kept)


def _answered(shot: Snapshot, ask: Ask, wanted: rows.Wanted, job: Job, away: object) -> Response:
    assert job.answer
    page, of = rows.document(shot, wanted, job.answer), known(shot, wanted.dataset)
    columns = [(one.name, one.type) for one in page.columns]
    values = {"page": page, "shot": shot, "nav": "lake", "away": away}
    values |= {"head": head(shot, ask, of), "per_page": rows.PER_PAGE}
    if page.origin:
        values |= _one(ask, page)
        return asking.html(render("row", ask, **values))
    names = [name for name, _ in columns_of(shot, page.dataset)]
    choices = names if len(names) <= _CHOICES else []
    values |= {"window": window(ask, columns, page.rows), "choices": choices}
    values |= _pictures(shot, ask, of)
    return asking.html(render("rows", ask, **values))


def _pictures(shot: Snapshot, ask: Ask, of: Known) -> dict[str, object]:
    """Return the pictures above the columns; none where they cannot be had now: rows can."""
    try:
        lines, profiled = column_lines(shot, ask, of)
    except StoreUnavailable:
        return {"pictures": {}, "profiled": None}
    return {"pictures": {line.name: line.picture for line in lines}, "profiled": profiled}


def _one(ask: Ask, page: rows.RowsPage) -> dict[str, object]:
    """Return the cells of one row, as many as a page holds."""
    first = min(ask.number("columns", 0), max(len(page.columns) - 1, 0)) // PER_ROW * PER_ROW
    some = page.columns[first : first + PER_ROW]
    row = page.rows[0] if page.rows else []
    values = row[first : first + PER_ROW]
    longest = fitting([values], _CELL)
    cells = [(one, told(value, one.type, longest)) for one, value in zip(some, values, strict=True)]
    more = first + PER_ROW < len(page.columns)
    return {
        "cells": cells,
        "left": ask.same(columns=first - PER_ROW or None) if first else "",
        "right": ask.same(columns=first + PER_ROW) if more else "",
        "shown": (first + 1, first + len(some)),
    }
