"""What a flow run did, told three ways: in its log, as artifacts, and by its final state."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from lake.errors import LakeError, SeveralFailed
from lake.lake import Lake
from lake.query.attach import refresh
from lake_flows.where import Where


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one partition, model or table."""

    stage: str
    name: str
    outcome: str
    rows: int = 0
    note: str = ""


@dataclass(slots=True)
class Report:
    """What a flow run did so far, and what failed, a sentence each."""

    flow: str
    rows: list[Row] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Keep what became of something, and log it."""
        self.rows.append(row)
        note = f": {row.note}" if row.note else ""
        get_run_logger().info("%s %s %s%s", row.stage, row.name, row.outcome, note)

    def fail(self, error: Exception) -> None:
        """Keep what failed, and log it."""
        for text in _sentences(error):
            self.errors.append(text)
            get_run_logger().error("%s", text)

    def failed(self, stage: str) -> set[str]:
        """Return the names of what failed or was withheld in a stage."""
        bad = ("failed", "withheld")
        return {row.name for row in self.rows if row.stage == stage and row.outcome in bad}

    def take(self, state: State[Any]) -> None:
        """Take over what a subflow reported with its final state."""
        found = state.result(raise_on_failure=False)
        if isinstance(found, dict):
            self.rows += [Row(**row) for row in found["rows"]]
            self.errors += found["errors"]
        elif not state.is_completed():
            self.errors.append(state.message or f"the subflow ended {state.name}")

    def end(self) -> State[Any]:
        """Write the artifacts and return the final state: Failed if anything failed."""
        create_markdown_artifact(markdown(self), key=f"lake-{self.flow}")
        create_table_artifact([asdict(row) for row in self.rows], key=f"lake-{self.flow}-rows")
        data = {"rows": [asdict(row) for row in self.rows], "errors": self.errors}
        if self.errors:
            return Failed(message="; ".join(self.errors), data=data)
        return Completed(message=summary(self.rows), data=data)


def reported(flow: str, where: Where, work: Callable[[Lake, Report], None]) -> State[Any]:
    """Do the work of a flow, and return the state that the run ends in.

    `catalog.duckdb` is made anew behind whatever the work published.
    """
    report = Report(flow)
    try:
        lake = where.open()
        before = lake.commit
        work(lake, report)
        if lake.refresh() != before:
            refresh(lake.log, lake.state)
    except LakeError as error:
        report.fail(error)
    return report.end()


def summary(rows: Iterable[Row]) -> str:
    """Return the counts of all outcomes: `3 landed, 1 unchanged`."""
    found = Counter(row.outcome for row in rows)
    return ", ".join(f"{count:,} {outcome}" for outcome, count in found.items()) or "nothing to do"


def markdown(report: Report) -> str:
    """Return a report as a page: the counts of each stage, then what failed."""
    stages = dict.fromkeys(row.stage for row in report.rows)
    lines = [f"# {report.flow}", ""]
    for stage in stages:
        mine = [row for row in report.rows if row.stage == stage]
        lines.append(f"- **{stage}**: {summary(mine)}")
    if not report.rows:
        lines.append("Nothing to do.")
    if report.errors:
        lines += ["", "## Failed", "", *(f"- {text}" for text in report.errors)]
    return "\n".join(lines)


def public(error: Exception) -> str:
    """Return what failed without values of the data: what Prefect keeps, many can read."""
    return "; ".join(_sentences(error))


def _sentences(error: Exception) -> list[str]:
    if isinstance(error, SeveralFailed):
        return [text for one in error.errors for text in _sentences(one)]
    if isinstance(error, LakeError):
        return [error.public]
    return [f"{type(error).__name__}: {error}"]
