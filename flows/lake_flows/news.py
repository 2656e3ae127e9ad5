"""What of a run somebody should hear of, grouped into one message."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from lake_flows.report import Failing, Report

Kind = Literal["failed", "check", "again", "drift", "silent"]
TITLES: dict[Kind, str] = {
    "failed": "Failed",
    "check": "Checks found rows",
    "again": "Published again by the source",
    "drift": "Types that drifted",
    "silent": "Sources that never landed anything",
}
MOST = 10
"""Lines of one kind: a message is read on a phone."""


@dataclass(frozen=True, slots=True)
class News:
    """One thing to hear of.

    Attributes:
        about: the dataset, partition, model or source.
        text: a sentence.
        columns, rows: of a check, the first rows that failed, as text.
    """

    kind: Kind
    about: str
    text: str
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def news(report: Report) -> list[News]:
    """Return what a run brought that is not as it should be, or as it was; kind by kind."""
    return [
        *(News("failed", "", text) for text in report.errors),
        *map(_check, report.checks),
        *(
            News("again", row.name, f"{row.name} is v{row.version} now, of {row.rows:,} rows")
            for row in report.rows
            if row.is_again
        ),
        *(
            News(
                "drift",
                one.dataset,
                f"{one.dataset}: column {one.column} is {one.became} now, and was {one.was}",
            )
            for one in report.drift
        ),
        *(
            News("silent", name, f"{name} has brought nothing yet: look at its url in lake.toml")
            for name in report.silent
        ),
    ]


def _check(one: Failing) -> News:
    warning = " (a warning)" if one.severity == "warn" else ""
    text = f"{one.model}: check {one.check} found {one.failed:,} rows{warning}"
    return News("check", one.model, text, one.columns, one.rows)


def message(found: Iterable[News]) -> str:
    """Return news as plain text, at most `MOST` of each kind."""
    return "\n\n".join("\n".join(_lines(kind, list(some))) for kind, some in _by_kind(found))


def _by_kind(found: Iterable[News]) -> Iterator[tuple[Kind, Iterator[News]]]:
    return groupby(found, key=lambda one: one.kind)


def _lines(kind: Kind, found: list[News]) -> Iterator[str]:
    yield TITLES[kind]
    for one in found[:MOST]:
        yield f"- {one.text}"
        for row in one.rows:
            yield f"    {', '.join(f'{k}={v}' for k, v in zip(one.columns, row, strict=True))}"
    if len(found) > MOST:
        yield f"… and {len(found) - MOST:,} more"
