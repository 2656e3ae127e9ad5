"""`lake deploy`."""

from typing import TYPE_CHECKING, Any

import click

from lake.cli.call import Call, verb
from lake.cli.output import document, line, plain, talk
from lake.words import counted

if TYPE_CHECKING:
    from lake.config import Config
    from lake.lake import Lake
    from lake_flows.deployments.deploy import Deployed
    from lake_flows.deployments.plan import Step
    from lake_flows.deployments.wanted import Place, Wanted

_DONE = {"create": "created", "change": "changed", "remove": "removed", "resume": "started again"}


@verb(name="deploy", short_help="make the Prefect deployments that lake.toml names")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@click.option("--plan", is_flag=True, help="Say what would be done, field by field; do nothing.")
@click.option("--resume", multiple=True, metavar="NAME", help="Start what a person has paused.")
@click.option("--serve", is_flag=True, help="Then run them from this process, until Ctrl-C.")
def command(
    call: Call, names: tuple[str, ...], plan: bool, resume: tuple[str, ...], serve: bool
) -> None:
    """Make the Prefect deployments that lake.toml names.

    What lake.toml and models/ say is declared in the lake's log, so that a worker needs its URL and
    credentials only. Deployments of this lake that lake.toml does not name any more are removed;
    others are not touched, and what a person paused stays paused.
    """
    if plan and (serve or resume):
        raise click.UsageError("--plan does nothing, so neither --serve nor --resume beside it")
    import asyncio

    from lake.operations.apply import apply
    from lake_flows.deployments.deploy import deploy

    lake = call.open()
    config = _as_written(call)
    wanted = _wanted(call, config, lake, (*names, *resume) if names else (), serve, resume)
    declared = _undeclared(lake)
    done = asyncio.run(
        deploy(
            lake.log.identity.id,
            config,
            wanted,
            resume=resume,
            prune=not names,
            is_plan=plan,
            first=lambda: apply(lake),
        )
    )
    if call.json:
        _document(done, declared)
    else:
        _tell(done, declared, is_plan=plan)
    _warn(lake, done, is_served=serve)
    if serve:
        _serve(done)


def _wanted(
    call: Call,
    config: "Config",
    lake: "Lake",
    names: tuple[str, ...],
    serve: bool,
    resume: tuple[str, ...],
) -> "list[Wanted]":
    from prefect.settings import get_current_settings

    from lake.errors import InvalidConfig
    from lake.words import nearest
    from lake_flows.deployments.wanted import wanted

    for name in resume:
        if name not in config.deployments:
            known = nearest(name, config.deployments)
            raise InvalidConfig(f"there is no [deployments.{name}] to resume{known}")
    pool = get_current_settings().deployments.default_work_pool_name
    return wanted(config, _place(call, config, lake), names, default_pool=pool, here=serve)


def _as_written(call: Call) -> "Config":
    import os
    from pathlib import Path

    from lake.config import load

    return load(None, env=call.env, environ=os.environ, cwd=Path.cwd(), as_written=True)


def _place(call: Call, config: "Config", lake: "Lake") -> "Place":
    import os

    from lake_flows.deployments.wanted import Place

    said = call.lake or os.environ.get("LAKE_URL") or config.url
    # A path is told whole: a worker stands in another folder.
    url = said if said and ("$" in said or said.startswith("block:")) else lake.url
    return Place(lake.log.identity.id, url, config.warehouse.url, config.env or None)


def _undeclared(lake: "Lake") -> list[str]:
    """Return what lake.toml and models/ say and the log does not."""
    from lake.operations.apply import compare, declarations

    found = compare(lake.state, declarations(lake))
    return [f"{one.kind} {one.name}" for one in found if one.what in ("new", "changed")]


def _row(step: "Step") -> dict[str, Any]:
    changes = [
        {"field": one.field, "before": one.before, "after": one.after} for one in step.changes
    ]
    return {"deployment": step.path, "do": step.what, "paused": step.paused, "changes": changes}


def _document(done: "Deployed", declared: list[str]) -> None:
    deployments = [_row(one) for one in done.steps]
    alerts = [{"automation": one.name, "do": one.what} for one in done.alarms]
    document({"declared": declared, "deployments": deployments, "alerts": alerts})


def _tell(done: "Deployed", declared: list[str], *, is_plan: bool) -> None:
    for name in declared:
        line(plain(f"{name}  {'to be declared' if is_plan else 'declared'} in the log"))
    for step in done.steps:
        what = step.what if is_plan else _DONE.get(step.what, step.what)
        line(plain(f"{step.path}  {what}{_told(step)}"))
    for alarm in done.alarms:
        what = alarm.what if is_plan else _DONE.get(alarm.what, alarm.what)
        line(plain(f"{alarm.name}  {what}{', switched off in Prefect' if alarm.off else ''}"))


def _told(step: "Step") -> str:
    from lake_flows.deployments import plan, schedule

    if step.what == "create" and step.wanted:
        fields = step.wanted.fields
        pool = f", pool {fields['work_pool_name']}" if fields["work_pool_name"] else ""
        return f": schedule {schedule.shown(fields['schedules'])}{pool}"
    changes = "; ".join(map(plan.told, step.changes))
    return f": {changes}" if changes else ""


def _warn(lake: "Lake", done: "Deployed", *, is_served: bool) -> None:
    """Say what keeps a deployment from running."""
    for step in done.steps:
        _warn_of(step, is_served=is_served)
    for pool in done.unwatched:
        talk(
            f"no worker polls the work pool {pool}: `prefect worker start --pool {pool}` starts one"
        )
    for name, source in lake.config.sources.items():
        if (
            source.url
            and "://" not in source.url
            and not source.url.startswith(("/", "$", "python:"))
        ):
            talk(f"source {name} has a relative path: a worker looks below its own folder")


def _warn_of(step: "Step", *, is_served: bool) -> None:
    if step.paused:
        name = step.path.partition("/")[2]
        talk(
            f"{step.path} was paused in Prefect, and stays so: `lake deploy --resume {name}`"
            " starts it"
        )
    pool = step.wanted.fields["work_pool_name"] if step.wanted else ""
    if step.what == "create" and pool is None and not is_served:
        talk(f"{step.path} names no work_pool: `lake deploy --serve` runs it")
    for change in step.changes:
        if is_served and change.field == "work_pool_name" and change.before:
            talk(
                f"{step.path} is taken from the work pool {change.before}: its workers run it"
                " again after `lake deploy` without --serve"
            )


def _serve(done: "Deployed") -> None:
    import asyncio

    from lake_flows.serve import serve

    talk(f"serving {counted(len(done.ids), 'deployment')}; Ctrl-C waits for what runs, and ends")
    asyncio.run(serve(done.ids))
    talk("drained")
