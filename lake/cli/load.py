"""`lake load`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from lake.cli.call import Call, verb
from lake.cli.complete import table_names
from lake.cli.output import document, line, plain
from lake.cli.progress import working
from lake.cli.report import Report
from lake.errors import NoSuchTable
from lake.words import counted, listed, nearest

if TYPE_CHECKING:
    from lake.lake import Lake
    from lake.warehouse.load import Reconciled, TableLoaded


@verb(name="load")
@click.argument("tables", nargs=-1, metavar="[TABLE…]", shell_complete=table_names)
@click.option("--to", metavar="URL", help="The warehouse; else the one of lake.toml.")
@click.option("--since", metavar="A", help="The first period to load, such as 2024-01.")
@click.option("--until", metavar="B", help="The last one.")
@click.option("--plan", is_flag=True, help="Say which partitions would be loaded, and load none.")
@click.option(
    "--reconcile",
    is_flag=True,
    help="Compare every row with what was published, and write anew what differs.",
)
def command(
    call: Call,
    tables: tuple[str, ...],
    to: str | None,
    since: str | None,
    until: str | None,
    plan: bool,
    reconcile: bool,
) -> None:
    """Bring published tables into the warehouse: what changed, exactly once.

    Outside of --since and --until the warehouse stays as it is. Of a table that is not cut into
    periods they leave nothing out.
    """
    if reconcile and (since or until):
        raise click.UsageError("--reconcile compares whole tables, without --since and --until")
    lake = call.open()
    _check(lake, tables)
    if reconcile:
        _reconcile(call, lake, tables, to, mend=not plan)
        return
    if plan:
        from lake.config.period import Periods
        from lake.warehouse.run import plan as planned

        tell_plan(call, planned(lake, tables, to=to, periods=Periods(since or "", until or "")))
        return
    loads: list[TableLoaded] = []
    report = Report(call, loads)
    with report, working("loading"):
        lake.load(tables, to=to, since=since, until=until, told=report.teller(loads, words))


def _reconcile(
    call: Call, lake: "Lake", tables: tuple[str, ...], to: str | None, *, mend: bool
) -> None:
    from lake.warehouse.run import reconcile_tables

    found: list[Reconciled] = []
    report = Report(call, found)
    with report, working("comparing"):
        reconcile_tables(lake, tables, to=to, mend=mend, told=report.teller(found, compared))


def compared(found: "Reconciled") -> str:
    """Return the lines about one table that was compared with what was published."""
    told = [
        f"{found.table}  {one.partition or 'the whole'}: {_rows(one.published)} published,"
        f" {_rows(one.ledger)} by the ledger, {_rows(one.table)} in the table:"
        f" {counted(one.missing, 'row')} missing, {one.surplus:,} too many"
        for one in found.differing
    ]
    all_of = counted(len(found.partitions), "partition")
    if not told:
        return f"{found.table}  {all_of}: as published"
    done = "written anew" if found.mended else "differ; nothing was changed"
    return "\n".join([*told, f"{found.table}  {len(told)} of {all_of} {done}"])


def _rows(count: int | None) -> str:
    return "none" if count is None else f"{count:,}"


def _check(lake: "Lake", names: Sequence[str]) -> None:
    """Name all tables where a name is like none of them; a typo is left to the load."""
    from lake.warehouse.declared import tables

    known = tables(lake)
    for name in names:
        bare = name.removeprefix("curated.")
        if known and bare not in known and not nearest(name, known):
            raise NoSuchTable(
                f"{name!r} is not in [warehouse] load: there is {', '.join(sorted(known))}"
            )


def words(loaded: "TableLoaded") -> str:
    """Return the line about one table."""
    return f"{loaded.table}  {said(loaded)}"


def said(loaded: "TableLoaded") -> str:
    """Return what a load did, in words."""
    rows = f"{counted(loaded.rows, 'row')} in the table"
    if not loaded.loaded and not loaded.removed:
        return f"unchanged: {rows}"
    removed = f", {len(loaded.removed)} removed" if loaded.removed else ""
    return f"loaded {counted(len(loaded.loaded), 'partition')}{removed}: {rows}"


def tell_plan(call: Call, due: Mapping[str, Sequence[str]]) -> None:
    """Say which partitions a load would bring or take away."""
    if call.json:
        document(plan_rows(due))
        return
    for name, partitions in due.items():
        if partitions:
            shown = listed([text or "the whole" for text in partitions])
            line(plain(f"{name}  {counted(len(partitions), 'partition')}: {shown}"))
    if not any(due.values()):
        line("nothing to load")


def plan_rows(due: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Return what would be loaded, ready for JSON."""
    return [{"table": name, "partitions": list(found)} for name, found in due.items()]
