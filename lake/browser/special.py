"""What is answered beside pages: redirects, downloads, and comparisons that take their time."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lake import layout
from lake.browser import downloads, failures
from lake.browser.ask import Ask, dataset_path
from lake.browser.comparing import Busy, compare
from lake.browser.owners import tables
from lake.browser.pages import diff, version
from lake.browser.pages.diff_rows import as_csv
from lake.browser.pages.stored import size_of
from lake.browser.receipts import place, row_of, said
from lake.browser.routes import Route
from lake.browser.snapshot import Snapshot
from lake.browser.sql.consent import may_read
from lake.errors import FileDamaged, NoSuchDataset, NoSuchPartition, NoSuchVersion
from lake.query.sql import literal


async def newest(request: Request, shot: Snapshot, ask: Ask, route: Route) -> Response | None:
    """Answer with the way to a partition's newest version."""
    path = await run_in_threadpool(_newest, shot, ask)
    return RedirectResponse(ask.link(f"{path}.json" if route.is_json else path), 307)


def _newest(shot: Snapshot, ask: Ask) -> str:
    name = layout.dataset(ask.places["dataset"])
    partition = layout.partition(layout.partition_values(ask.places["partition"]))
    if name not in shot.lake.state.datasets:
        raise NoSuchDataset(f"there is no dataset {name} at commit {shot.commit}")
    found = shot.state().partition(name, partition)
    if not found.versions:
        raise NoSuchPartition(f"{name} has no partition {partition} at commit {shot.commit}")
    number = found.current.number if found.current else found.versions
    return dataset_path(name, partition, number)


async def of_version(request: Request, shot: Snapshot, ask: Ask, route: Route) -> Response | None:
    """Answer with a file of a version, called as at its source, where one is asked for."""
    if ask.get("verify") and not may_read(request):
        return RedirectResponse(ask.same(verify=None), 307)
    key = ask.get("download")
    return await run_in_threadpool(_file, request, shot, ask, key) if key else None


def _file(request: Request, shot: Snapshot, ask: Ask, key: str) -> Response:
    at = place(ask.places)
    row = row_of(shot, at)
    tables(shot)
    found = shot.rows(
        f"SELECT key, bytes, sha256 FROM every_file WHERE {version.files_of(at, row)}"
        f" AND key = {literal(key.replace(chr(0), ''))} LIMIT 1"
    )
    if not found:
        raise NoSuchVersion(f"{at.address} has no such file")
    file, store = found[0], shot.lake.log.store
    if size_of(shot, key) != file["bytes"]:
        raise FileDamaged(f"{key} is not the file that the log names: restore it from a copy")
    name = version.own_name(file, said(shot, at, row).origin)
    return downloads.attached(request, store, key, name, file["bytes"], file["sha256"])


async def of_object(request: Request, shot: Snapshot, ask: Ask, route: Route) -> Response | None:
    """Answer with an object's bytes, or with a picture, where they are asked for."""
    key = ask.get("key")
    if ask.get("download"):
        byte_count = await run_in_threadpool(size_of, shot, key)
        name, store = key.rpartition("/")[2], shot.lake.log.store
        return downloads.attached(request, store, key, name, byte_count)
    if ask.get("image"):
        return await run_in_threadpool(downloads.picture, shot, ask)
    return None


async def of_diff(request: Request, shot: Snapshot, ask: Ask, route: Route) -> Response | None:
    """Compare before the page is made: one comparison at a time; or answer with its rows as CSV."""
    if not may_read(request):
        text = "Another site's page asked for this comparison: open its address to make it."
        return failures.page(403, "Not from there", text, ask)
    try:
        found = await run_in_threadpool(compare, shot, *diff.sides(ask), diff.key_of(ask))
    except Busy:
        return failures.page(
            503,
            "Another comparison is running",
            "One is made at a time. This page asks again by itself.",
            ask,
        )
    if not ask.get("csv"):
        return None
    if found.problem:
        return failures.page(422, "Not compared here", found.problem, ask)
    body = await run_in_threadpool(as_csv, found, ask)
    before, after = diff.sides(ask)
    name = f"{after.dataset} v{before.number} v{after.number}.csv"
    return Response(body, media_type="text/csv", headers=downloads.saved_as(name))
