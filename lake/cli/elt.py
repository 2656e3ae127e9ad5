"""`lake elt`."""

from typing import TYPE_CHECKING, Any

import click

from lake.cli import land, load, transform
from lake.cli.call import Call, verb
from lake.cli.land import at_once
from lake.cli.output import document
from lake.cli.progress import working
from lake.cli.report import Report
from lake.errors import raise_all

if TYPE_CHECKING:
    from lake.elt import Told
    from lake.lake import Lake


@verb(name="elt")
@click.option("--since", metavar="A", help="The first period of the sources, such as 2024-01.")
@click.option("--until", metavar="B", help="The last one.")
@at_once
@click.option("--plan", is_flag=True, help="Say what would be done now, and do nothing.")
def command(call: Call, since: str | None, until: str | None, at_once: int, plan: bool) -> None:
    """Land, transform and load, one after the other; what fails does not stop the rest."""
    lake = call.open()
    land.warn_outside(lake, (), since, until)
    if plan:
        _plan(call, lake, since, until)
        return
    before = lake.commit
    done: dict[str, list[Any]] = {"land": [], "transform": [], "load": []}
    report = Report(call, done, end=lambda: _end(before, lake.commit))
    with report, working("land, transform, load"):
        lake.elt(since=since, until=until, at_once=at_once, told=_teller(report, done))


def _teller(report: Report, done: dict[str, list[Any]]) -> "Told":
    from lake.landing.order import Landing
    from lake.models.make import ModelRun
    from lake.warehouse.ledger import TableLoaded

    tellers = {
        Landing: report.teller(done["land"], land.words),
        ModelRun: report.teller(done["transform"], transform.words),
        TableLoaded: report.teller(done["load"], load.words),
    }
    return lambda one: tellers[type(one)](one)


def _end(before: int, after: int) -> str:
    moved = "commit" if after > before else "nothing to do, the lake stays at commit"
    return f"{moved} {after}"


def _plan(call: Call, lake: "Lake", since: str | None, until: str | None) -> None:
    """Say what each stage would do now; what it would do after the one before is not known yet."""
    from lake.elt import plan

    found = plan(lake, since=since, until=until)
    if call.json:
        document(
            {
                "land": land.plan_rows(found.landings),
                "transform": transform.plan_rows(found.runs),
                "load": load.plan_rows(found.loads),
            }
        )
    else:
        land.tell_plan(call, found.landings)
        transform.tell_plan(call, found.runs)
        load.tell_plan(call, found.loads)
    raise_all(found.errors)
