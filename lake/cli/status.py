"""`lake status`."""

import dataclasses

from lake.cli.call import Call, verb
from lake.cli.output import document, line, plain, rows


@verb(name="status")
def command(call: Call) -> None:
    """Say what is late, held, stale or drifted, what was loaded last, and where all rows are."""
    from lake.operations.status import status

    found = status(call.open())
    if call.json:
        document(found)
        return
    line(plain(f"{found.lake} at commit {found.commit}"))
    _section("sources", found.sources, newest="text", landed_at="time", late="text")
    _section("held", found.held, partition="text", version="count", reason="text")
    _section("stale models", found.stale, why="text")
    _section("drifted", found.drifted, column="text", was="text", became="text", commit="count")
    _section("rows", found.landed, source="count", landed="count", rejected="count")
    _section("warehouse", found.tables, published="count", loaded="count", state="text")
    if found.models_error:
        line(plain(f"\nmodels: {found.models_error}"))
    if found.loads:
        line("\nlast loads")
        rows(found.loads, {"table": "text", "loaded_at": "time", "rows": "count"})


def _section(title: str, items: tuple[object, ...], **columns: str) -> None:
    """Print a table of dataclasses under a title; the first field leads."""
    if not items:
        return
    records = [dataclasses.asdict(item) for item in items]  # type: ignore[call-overload]
    line(f"\n{title}")
    rows(records, {next(iter(records[0])): "text", **columns})
