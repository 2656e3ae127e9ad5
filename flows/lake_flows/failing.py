"""What of a failed check may leave the lake: its first rows, unless they speak of people."""

from dataclasses import replace
from itertools import chain

from lake.lake import Lake
from lake.landing.sources import sources
from lake.models import graph
from lake.models.make import ModelRun
from lake.models.project import project, reads_of
from lake.schema.admit import crowd
from lake.words import short
from lake_flows.page import CELL
from lake_flows.report import Failing


def fit_to_show(lake: Lake, run: ModelRun) -> ModelRun:
    """Return what became of a model with the rows that its checks found as short texts.

    No row of a model is shown that hangs, at any distance, on a source with a personal column.
    """
    if not any(check.rows for check in run.checks):
        return run
    is_personal = _is_personal(lake, run.dataset)
    checks = tuple(
        replace(check, columns=(), rows=())
        if is_personal
        else replace(check, rows=tuple(tuple(map(_text, row)) for row in check.rows))
        for check in run.checks
    )
    return replace(run, checks=checks)


def _is_personal(lake: Lake, model: str) -> bool:
    """Tell whether a model hangs on a source with a personal column."""
    found = project(lake)
    above = {model, *graph.upstream(found.reads(), [model])}
    read = {name for one in above for name in reads_of(found.nodes[one])}
    # What was landed stays personal, also where its source is declared no longer.
    landed = (crowd(lake.state, name).declared for name in read & lake.state.datasets.keys())
    said = (source.columns for source in sources(lake).values() if source.dataset in read)
    return any(column.personal for columns in chain(landed, said) for column in columns.values())


def _text(value: object) -> str:
    return "" if value is None else short(str(value), CELL)


def failing(run: ModelRun) -> list[Failing]:
    """Return the checks of a model that found rows."""
    name = run.dataset.removeprefix("curated.")
    return [
        Failing(
            name,
            one.name,
            one.severity,
            one.failed,
            list(one.columns),
            [list(row) for row in one.rows],
        )
        for one in run.checks
        if one.failed
    ]
