"""A report as a page of Markdown, for the UI of Prefect and for whoever gets an alert."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lake.words import counted, short
from lake_flows.report import Drift, Failing, Report, Row, summary

MOST = 50
"""Lines of one list; the table beside has them all."""
CELL, _LINE = 80, 400
_MARKUP = re.compile(r"[\\`*{}\[\]()#|~<&]|(?<![^\W_])_|_(?![^\W_])")
"""An `_` within a word is none; the UI shows what escapes it in the text of a link."""
_ENTITIES = {"<": "&lt;", "&": "&amp;"}

Link = Callable[[str], str]


def page(report: Report, *, head: str, link: Link = str) -> str:
    """Return a report as Markdown.

    Args:
        report: what a run did.
        head: the line below the title: which lake, which commits.
        link: gives the address of a dataset, partition or version in the lake browser; `""` where
            there is none.
    """
    sections = [
        [f"# {report.flow}: {report.headline}", "", head],
        _list("Failed", map(line, report.errors)),
        _list("Checks", map(check, report.checks)),
        _list("Drift", map(drift, report.drift)),
        _list("Never landed", map(line, report.silent)),
    ]
    for stage in dict.fromkeys(row.stage for row in report.rows):
        sections.append(_stage(stage, [row for row in report.rows if row.stage == stage], link))
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def _list(title: str, items: Iterable[str]) -> list[str]:
    found = [f"- {text}" for text in items]
    return [f"## {title}", "", *found[:MOST], *_more(len(found) - MOST)] if found else []


def _stage(stage: str, rows: Sequence[Row], link: Link) -> list[str]:
    lines = [f"## {stage}: {summary(rows)}"]
    news = [row for row in rows if row.outcome != "unchanged"]
    if not news:
        return lines
    if stage == "land":
        landed, rejected = sum(row.rows for row in news), sum(row.rejected for row in news)
        lines += ["", f"{landed + rejected:,} rows = {landed:,} landed + {rejected:,} rejected"]
    lines += ["", "| | outcome | rows | |", "|---|---|---:|---|"]
    return [*lines, *(_row(row, link) for row in news[:MOST]), *_more(len(news) - MOST)]


def _row(row: Row, link: Link) -> str:
    version = f"v{row.version}" if row.version else ""
    to = link(f"{row.name}/{version}".rstrip("/")) if row.stage != "load" else ""
    name = f"[{cell(row.name)}]({to})" if to else cell(row.name)
    outcome = "**published again**" if row.is_again else row.outcome
    note = row.note if row.note.startswith(version) else f"{version}: {row.note}".rstrip(": ")
    return f"| {name} | {outcome} | {row.rows:,} | {cell(note)} |"


def table(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return what became of everything, a line each, with nothing where nothing was counted."""
    return [
        {
            "stage": row.stage,
            "name": row.name,
            "outcome": row.outcome,
            "rows": row.rows or "",
            "rejected": row.rejected or "",
            "note": row.note,
        }
        for row in rows
    ]


def check(one: Failing) -> str:
    """Return what a check found, with its first rows as a table."""
    found = f"**{cell(one.model)}**: check {cell(one.check)} found {counted(one.failed, 'row')}"
    if one.severity == "warn":
        found += " (a warning)"
    if not one.rows:
        return found
    table = [one.columns, ["---"] * len(one.columns), *one.rows]
    return "\n".join([found, "", *(f"  | {' | '.join(map(cell, row))} |" for row in table)])


def drift(one: Drift) -> str:
    """Return which column became what, and by which rule."""
    column = f"{cell(one.dataset)}: column {cell(one.column)} is {cell(one.became)} now"
    return f"{column}, and was {cell(one.was)} ({cell(one.rule)})"


def _more(count: int) -> list[str]:
    return ["", f"… and {count:,} more"] if count > 0 else []


def line(text: str) -> str:
    """Return text as one line that Markdown takes for nothing else."""
    plain = short(" ".join(text.split()), _LINE)
    return _MARKUP.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), plain)


def cell(text: str) -> str:
    """Return text as a cell of a table."""
    return line(short(" ".join(text.split()), CELL))
