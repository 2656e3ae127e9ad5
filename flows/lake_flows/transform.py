"""The flow `transform`: a task makes each model, in order, and one publishes what passed."""

import hashlib
import sys
from dataclasses import replace
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from lake.catalog.codec import build, plain
from lake.errors import LakeError
from lake.lake import Lake
from lake.models import graph
from lake.models.build import Result
from lake.models.make import Made, ModelRun
from lake.models.project import Node, Project, project, reads_of
from lake.models.run import make_model, publish_made
from lake.models.run import plan as planned
from lake.words import counted
from lake_flows import assets
from lake_flows.by_hand import run
from lake_flows.cluster import Workers, cluster
from lake_flows.failing import failing, fit_to_show
from lake_flows.hooks import emit_news
from lake_flows.parts import parts
from lake_flows.progress import tracked
from lake_flows.report import Report, Row, public
from lake_flows.reported import reported
from lake_flows.step import is_transient, outcome, step
from lake_flows.where import Asked, Where, here

Document = dict[str, Any]


class ModelFailed(LakeError):
    """A model failed or was withheld; `document` is what making it came to."""

    def __init__(self, message: str, document: Document) -> None:
        super().__init__(message)
        self.document = document


@flow(name="transform", on_completion=[emit_news], on_failure=[emit_news])
def transform(
    lake: str | None = None,
    env: str | None = None,
    project: str | None = None,
    models: list[str] | None = None,
    since: str | None = None,
    until: str | None = None,
    plan: bool = False,
    runner: str | None = None,
) -> State[Any]:
    """Build what is stale, check it, and publish what passed as one commit.

    A failed check or build withholds its model and everything that hangs on it.

    Args:
        lake: its URL; without it `LAKE_URL`, else what `lake.toml` says.
        env: the `[env.NAME]` of `lake.toml`.
        project: the folder of `lake.toml`, with `models/` in it; without one the lake's log says
            what its models are.
        models: names; all without any. What they wait for is built first.
        since: the first period to build, such as `2024-01`; models that are built whole are.
        until: the last one.
        plan: only say what would be built and why.
        runner: `dask://HOST:PORT` or `ray://HOST:PORT`, whose workers build the partitions.
    """
    where, asked = here(lake, env, project), Asked(since, until)

    def work(lake: Lake, report: Report) -> None:
        transform_all(lake, report, where, models or [], asked, runner, plan=plan)

    return reported("transform", where, work)


def transform_all(
    lake: Lake,
    report: Report,
    where: Where,
    names: list[str],
    asked: Asked,
    runner: str | None,
    *,
    plan: bool,
) -> None:
    """Build, check and publish models, or plan to, in the flow run of this context."""
    if plan:
        for run in planned(lake, names, asked.periods):
            report.add(Row("transform", run.dataset, "stale", note=run.note))
        return
    with cluster(runner) as workers:
        _transform(lake, report, where, names, asked, workers)


def _transform(
    lake: Lake,
    report: Report,
    where: Where,
    names: list[str],
    asked: Asked,
    workers: Workers | None,
) -> None:
    found = project(lake)
    made: dict[str, Document] = {}
    for node in tracked(found.chosen(names), "lake-transform-progress"):
        before = _before(found, node, made)
        made[node.dataset] = _make(lake, where, node, asked, before, workers)
    if not made:
        return
    state = publish_models(where, lake.commit, names, asked, list(made.values()), return_state=True)
    published = outcome(state)
    if isinstance(published, Exception):
        report.fail(published)
        return
    for document in published:
        run = build(ModelRun, document)
        _tell(report, lake, found.nodes[run.dataset], run)


def _before(found: Project, node: Node, made: dict[str, Document]) -> list[Document]:
    """Return the models that one waits for, in order."""
    wanted = graph.upstream(found.reads(), [node.dataset])
    return [document for dataset, document in made.items() if dataset in wanted]


def _make(
    lake: Lake,
    where: Where,
    node: Node,
    asked: Asked,
    before: list[Document],
    workers: Workers | None,
) -> Document:
    name, text = node.model.name, hashlib.sha256(node.model.text.encode()).hexdigest()
    try:
        built = parts(workers, lake, where, node, asked, before) if workers else []
    except LakeError as exc:
        return _document(lake, Made(ModelRun(node.dataset, "failed", note=public(exc))))
    state = make(where, lake.commit, name, text, asked, before, built, return_state=True)
    found: Document | Exception = outcome(state)
    if isinstance(found, ModelFailed):
        return found.document
    if isinstance(found, Exception):
        return _document(lake, Made(ModelRun(node.dataset, "failed", note=public(found))))
    return found


def _tell(report: Report, lake: Lake, node: Node, run: ModelRun) -> None:
    changed = f"{counted(len(run.changed), 'partition')} changed"
    report.add(
        Row(
            "transform",
            run.dataset,
            run.status,
            run.rows,
            changed if run.status == "built" else run.note,
            asset=assets.of_dataset(lake, run.dataset),
            inputs=tuple(assets.of_dataset(lake, name) for name in reads_of(node)),
        )
    )
    report.checks += failing(run)
    if run.status == "failed":
        report.fail(LakeError(run.note))


@step("make {model}")
def make(
    where: Where,
    pinned: int,
    model: str,
    text: str,
    asked: Asked,
    before: list[Document],
    built: list[Document],
) -> Document:
    """Build and check one model of a transform that is pinned to one commit; nobody sees it.

    Args:
        where: the lake.
        pinned: the commit that all models of this run see.
        model: its name.
        text: the hash of its text: another text is another model.
        asked: the periods to build.
        before: the models that it waits for, as this task gave them.
        built: what workers elsewhere have built of it.

    Raises:
        ModelFailed: it failed or was withheld. It is made again when the flow run is retried.
    """
    lake = where.open().at(pinned)
    made = make_model(
        lake,
        model,
        [build(Made, document) for document in before],
        asked.periods,
        built=[build(Result, document) for document in built],
    )
    if made.error and is_transient(made.error):
        raise made.error
    if made.withheld:
        raise ModelFailed(made.run.note, _document(lake, made))
    return _document(lake, made)


@step("publish models")
def publish_models(
    where: Where, pinned: int, models: list[str], asked: Asked, made: list[Document]
) -> list[Document]:
    """Publish what passed as one commit; return what became of each model.

    Where others have published meanwhile, all is planned again, and equal builds are reused.
    """
    lake = where.open()
    done = publish_made(
        lake,
        models,
        [build(Made, document) for document in made],
        pinned=pinned,
        periods=asked.periods,
    )
    return [plain(fit_to_show(lake, run)) for run in done.runs]


def _document(lake: Lake, made: Made) -> Document:
    document: Document = plain(replace(made, run=fit_to_show(lake, made.run), error=None))
    return document


if __name__ == "__main__":
    sys.exit(run(transform))
