"""The pages: each makes a document, which is its JSON twin, and which its template shows."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from lake.browser import special
from lake.browser.ask import Ask
from lake.browser.pages import (
    asking,
    bucket,
    checks,
    columns,
    commits,
    dataset,
    diff,
    lake,
    reading,
    rows,
    runs,
    search,
    sql,
    stored,
    version,
    versions,
)
from lake.browser.routes import Route
from lake.browser.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Page:
    """A kind of page.

    Attributes:
        document: the dataclass that `make` returns one of; its JSON is the page's twin.
        make: works it out; called in a thread, by several at a time.
        template: its name, without `.html`.
        nav: the entry of the bar that it belongs to.
    """

    document: type
    make: Callable[[Snapshot, Ask], Any]
    template: str
    nav: str


PAGES: Mapping[str, Page] = {
    "lake": Page(lake.LakePage, lake.make, "lake", "lake"),
    "dataset": Page(dataset.DatasetPage, dataset.make, "dataset", "lake"),
    "columns": Page(columns.ColumnsPage, columns.make, "columns", "lake"),
    "versions": Page(versions.VersionsPage, versions.make, "versions", "lake"),
    "checks": Page(checks.ChecksPage, checks.make, "checks", "lake"),
    "search": Page(search.SearchPage, search.make, "search", "lake"),
    "commits": Page(commits.CommitsPage, commits.make, "commits", "commits"),
    "bucket": Page(bucket.BucketPage, bucket.make, "bucket", "bucket"),
    "object": Page(stored.ObjectPage, stored.make, "object", "bucket"),
    "version": Page(version.VersionPage, version.make, "version", "lake"),
    "diff": Page(diff.DiffPage, diff.make, "diff", "lake"),
    "runs": Page(runs.RunsPage, runs.make, "runs", "runs"),
    "commit": Page(commits.CommitPage, commits.make_one, "commit", "commits"),
    "sql": Page(sql.SqlPage, sql.make, "sql", "sql"),
    "rows": Page(rows.RowsPage, reading.make, "rows", "lake"),
}

Special = Callable[[Request, Snapshot, Ask, Route], Awaitable[Response | None]]
SPECIAL: Mapping[str, Special] = {
    "partition": special.newest,
    "version": special.of_version,
    "diff": special.of_diff,
    "object": special.of_object,
    "sql": asking.answer,
    "sql_csv": asking.file,
    "sql_json": asking.file,
    "sql_parquet": asking.file,
    "sql_names": asking.names,
    "sql_cancel": asking.cancel,
    "sql_wait": asking.wait,
    "rows": reading.answer,
}
"""What answers by itself; None: the page is made as others are."""
