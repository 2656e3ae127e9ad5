"""`lake load`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from lake.cli.call import Call, verb
from lake.cli.complete import table_names
from lake.cli.output import counted, document, line, plain
from lake.cli.progress import working
from lake.cli.report import Report
from lake.errors import NoSuchTable
from lake.words import nearest

if TYPE_CHECKING:
    from lake.lake import Lake
    from lake.warehouse.load import TableLoaded


@verb(name="load")
@click.argument("tables", nargs=-1, metavar="[TABLE…]", shell_complete=table_names)
@click.option("--to", metavar="URL", help="The warehouse; else the one of lake.toml.")
@click.option("--plan", is_flag=True, help="Say which partitions would be loaded, and load none.")
def command(call: Call, tables: tuple[str, ...], to: str | None, plan: bool) -> None:
    """Bring published tables into the warehouse: what changed, exactly once."""
    lake = call.open()
    _check(lake, tables)
    if plan:
        from lake.warehouse.run import plan as planned

        tell_plan(call, planned(lake, tables, to=to))
        return
    loads: list[TableLoaded] = []
    report = Report(call, loads)
    with report, working("loading"):
        lake.load(tables, to=to, told=report.teller(loads, words))


def _check(lake: "Lake", names: Sequence[str]) -> None:
    """Name all tables where a name is like none of them; a typo is left to the load."""
    from lake.warehouse.run import tables

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
            line(plain(f"{name}  {counted(len(partitions), 'partition')}: {_listed(partitions)}"))
    if not any(due.values()):
        line("nothing to load")


def plan_rows(due: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Return what would be loaded, ready for JSON."""
    return [{"table": name, "partitions": list(found)} for name, found in due.items()]


def _listed(partitions: Sequence[str]) -> str:
    shown = [text or "the whole" for text in partitions[:10]]
    return ", ".join(shown) + (" …" if len(partitions) > 10 else "")
