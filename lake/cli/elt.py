"""`lake elt`."""

from typing import TYPE_CHECKING, Any

import click

from lake.cli import land, load, transform
from lake.cli.call import Call, verb
from lake.cli.output import document
from lake.cli.progress import working
from lake.cli.report import Report
from lake.errors import NoSuchDataset

if TYPE_CHECKING:
    from lake.lake import Lake


@verb(name="elt")
@click.option("--since", metavar="A", help="The first period of the sources, such as 2024-01.")
@click.option("--until", metavar="B", help="The last one.")
@click.option("--plan", is_flag=True, help="Say what would be done now, and do nothing.")
def command(call: Call, since: str | None, until: str | None, plan: bool) -> None:
    """Land, transform and load, one after the other; what fails does not stop the rest."""
    lake = call.open()
    if plan:
        _plan(call, lake, since, until)
        return
    from lake.operations.elt import elt

    before = lake.commit
    done: dict[str, list[Any]] = {"land": [], "transform": [], "load": []}
    report = Report(call, done, end=lambda: _end(before, lake.commit))
    with report, working("land, transform, load"):
        elt(
            lake,
            since=since,
            until=until,
            landed=report.teller(done["land"], land.words),
            built=report.teller(done["transform"], transform.words),
            loaded=report.teller(done["load"], load.words),
        )


def _end(before: int, after: int) -> str:
    moved = "commit" if after > before else "nothing to do, the lake stays at commit"
    return f"{moved} {after}"


def _plan(call: Call, lake: "Lake", since: str | None, until: str | None) -> None:
    """Say what each stage would do now; what it would do after the one before is not known yet."""
    from lake.landing.sources import chosen, orders
    from lake.models.run import plan
    from lake.operations.elt import has_models, has_sources, has_tables

    asked = []
    if has_sources(lake):
        every = chosen(lake, ())
        asked = [one for s in every for one in orders(lake, s, since=since, until=until)]
    runs = plan(lake) if has_models(lake) else []
    due = _due(lake) if has_tables(lake) else {}
    if call.json:
        document(
            {
                "land": land.plan_rows(lake, asked),
                "transform": transform.plan_rows(runs),
                "load": load.plan_rows(due),
            }
        )
        return
    land.tell_plan(call, lake, asked)
    transform.tell_plan(call, runs)
    load.tell_plan(call, due)


def _due(lake: "Lake") -> dict[str, list[str]]:
    from lake.warehouse.run import chosen, plan

    due: dict[str, list[str]] = {}
    for name in chosen(lake, ()):
        try:
            due.update(plan(lake, [name]))
        except NoSuchDataset:
            due[name] = []
    return due
