"""`lake transform`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from lake.cli.call import Call, verb
from lake.cli.complete import model_names
from lake.cli.output import document, line, plain
from lake.cli.progress import working
from lake.cli.report import Report
from lake.words import counted

if TYPE_CHECKING:
    from lake.models.make import ModelRun


@verb(name="transform")
@click.argument("models", nargs=-1, metavar="[MODEL…]", shell_complete=model_names)
@click.option("--since", metavar="A", help="The first period to build, such as 2024-01.")
@click.option("--until", metavar="B", help="The last one.")
@click.option("--plan", is_flag=True, help="Say what would run and why, and build nothing.")
@click.option("--audit", is_flag=True, help="Build and check, and publish nothing.")
def command(
    call: Call,
    models: tuple[str, ...],
    since: str | None,
    until: str | None,
    plan: bool,
    audit: bool,
) -> None:
    """Build the models whose inputs changed, check them, and publish what passed.

    All of it is one commit. A failed check withholds its model and what hangs on it. Of a model
    that is built whole, --since and --until leave nothing out.
    """
    if plan and audit:
        raise click.UsageError("--plan and --audit exclude each other")
    lake = call.open()
    if plan:
        from lake.config.period import Periods
        from lake.models.run import plan as planned

        tell_plan(call, planned(lake, models, Periods(since or "", until or "")))
        return
    before = lake.commit
    runs: list[ModelRun] = []
    report = Report(call, runs, end=lambda: _end(audit, before, lake.commit))
    with report, working("transforming"):
        lake.transform(
            models,
            since=since,
            until=until,
            publish=not audit,
            told=report.teller(runs, words),
        )


def _end(audit: bool, before: int, after: int) -> str:
    if audit:
        return "audited: nothing was published"
    return f"commit {after}" if after > before else f"the lake stays at commit {after}"


def words(run: "ModelRun") -> str:
    """Return the line about one model, and one about each check that warns."""
    warnings = [
        f"\n  warning: {check.name} found {counted(check.failed, 'row')}"
        for check in run.checks
        if check.failed and check.severity == "warn"
    ]
    return f"{run.dataset}  {said(run)}{''.join(warnings)}"


def said(run: "ModelRun") -> str:
    """Return what became of one model, in words."""
    if run.status == "unchanged":
        return f"not built: {run.note}" if run.note else "unchanged"
    if run.status == "withheld":
        return f"withheld: {run.note}"
    if run.status == "failed":
        return "failed, not published"
    changed = f"{counted(len(run.changed), 'partition')} changed" if run.changed else "same content"
    removed = f", {len(run.removed)} removed" if run.removed else ""
    passed = sum(not check.failed for check in run.checks)
    checks = f", {counted(passed, 'check')} passed" if run.checks else ""
    return f"{counted(run.built, 'build')}: {changed}{removed}, {counted(run.rows, 'row')}{checks}"


def tell_plan(call: Call, runs: "Sequence[ModelRun]") -> None:
    """Say what a transform would run, and why."""
    if call.json:
        document(plan_rows(runs))
        return
    for run in runs:
        line(plain(f"{run.dataset}  {counted(run.built, 'build')}: {run.note}"))
    if not runs:
        line("nothing to transform")


def plan_rows(runs: "Sequence[ModelRun]") -> list[dict[str, Any]]:
    """Return what would run, ready for JSON."""
    return [{"dataset": run.dataset, "builds": run.built, "why": run.note} for run in runs]
