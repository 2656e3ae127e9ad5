"""What a flow run did so far: partitions, models and tables, checks, drift, and what failed."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from prefect.logging import get_run_logger

from lake.errors import LakeError, SeveralFailed


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one partition, model or table.

    Attributes:
        version: the partition's newest version, of what was landed.
        rejected: rows that were not fit to land, kept beside the version.
        is_appended: its rows came to those before, as a cursor's do.
        asset: the asset key of its dataset or table.
        inputs: the keys of what that is made from.
    """

    stage: str
    name: str
    outcome: str
    rows: int = 0
    note: str = ""
    version: int = 0
    rejected: int = 0
    asset: str = ""
    inputs: tuple[str, ...] = ()
    is_appended: bool = False

    @property
    def is_again(self) -> bool:
        """Whether the source published a partition again, with other bytes."""
        return self.outcome == "landed" and self.version > 1 and not self.is_appended


@dataclass(frozen=True, slots=True)
class Failing:
    """A check that found rows: how many, and the first of them as text, if they may be shown."""

    model: str
    check: str
    severity: str
    failed: int
    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True, slots=True)
class Drift:
    """A column of a view that has another type than before this run."""

    dataset: str
    partition: str
    column: str
    was: str
    became: str
    rule: str


@dataclass(slots=True)
class Report:
    """What a flow run did so far, and what failed, a sentence each.

    Attributes:
        lake: the lake's id.
        silent: sources that never landed anything.
    """

    flow: str
    lake: str = ""
    rows: list[Row] = field(default_factory=list)
    checks: list[Failing] = field(default_factory=list)
    drift: list[Drift] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
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

    @contextmanager
    def goes_on(self) -> Iterator[None]:
        """Keep what ends one stage of a run; the next goes on."""
        try:
            yield
        except LakeError as error:
            self.fail(error)

    @property
    def headline(self) -> str:
        """What a run did, in a few words: `3 landed, 1 changed, failed`."""
        said = summary(self.rows)
        is_said = any(row.outcome == "failed" for row in self.rows)
        return f"{said}, failed" if self.errors and not is_said else said

    def document(self) -> dict[str, Any]:
        """Return it as the JSON that a flow run ends with."""
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """Return the report that a flow run ended with."""
        return cls(
            document["flow"],
            document["lake"],
            [Row(**one) for one in document["rows"]],
            [Failing(**one) for one in document["checks"]],
            [Drift(**one) for one in document["drift"]],
            document["silent"],
            document["errors"],
        )


class RunFailed(LakeError):
    """A flow run in which something failed; `document` is its whole report."""

    def __init__(self, report: Report) -> None:
        super().__init__("; ".join(report.errors))
        self.document = report.document()


def summary(rows: Iterable[Row]) -> str:
    """Return the counts of all outcomes: `3 landed, 1 changed, 2 unchanged`."""
    found = Counter("changed" if row.is_again else row.outcome for row in rows)
    return ", ".join(f"{count:,} {outcome}" for outcome, count in found.items()) or "nothing to do"


def public(error: Exception) -> str:
    """Return what failed without values of the data, as far as the lake's own errors go."""
    return "; ".join(_sentences(error))


def _sentences(error: Exception) -> list[str]:
    if isinstance(error, SeveralFailed):
        return [text for one in error.errors for text in _sentences(one)]
    if isinstance(error, LakeError):
        return [error.public]
    return [f"{type(error).__name__}: {error}"]
