"""What templates call to draw what a page's document holds, its links at the commit asked for."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from lake.browser.ask import Ask, dataset_path
from lake.browser.pictures import calendar, columns, lineage
from lake.browser.pictures import mini as pictured
from lake.browser.pictures.code import coloured as code
from lake.browser.pictures.columns import Picture

__all__ = ["cell", "code", "column_pictures", "days", "limit", "lineage_of", "mini"]

_LONGEST = 60
"""Characters of a column's name that links of small pictures repeat."""

if TYPE_CHECKING:
    from lake.browser.pages.columns import ColumnLine
    from lake.browser.pages.dataset import Lineage


def column_pictures(ask: Ask, dataset: str, lines: "Sequence[ColumnLine]") -> list[Markup]:
    """Return the pictures of a dataset's columns."""

    def rows(column: str, **values: str) -> str:
        query = {"is": values["text"]} if "text" in values else _between(**values)
        return ask.link(f"{dataset_path(dataset)}/rows", column=column, **query)

    def one(column: str) -> str:
        return ask.link(f"{dataset_path(dataset)}/columns", column=column)

    return columns.drawn([(line.name, line.picture) for line in lines], rows, one)


def mini(ask: Ask, dataset: str, column: str, pictures: Mapping[str, Picture]) -> Markup:
    """Return the small picture of a column, as far as there is one; it leads to the column."""
    if column not in pictures:
        return Markup("")
    path = f"{dataset_path(dataset)}/columns"
    to = ask.link(path, column=column) if len(column) <= _LONGEST else ""
    return pictured.mini(column, pictures[column], to)


def _between(*, low: str, high: str) -> dict[str, str]:
    return {"from": low, "to": high}


def days(ask: Ask, dataset: str, year: calendar.Year, unit: str, *, alone: bool = False) -> Markup:
    """Return a year of days or weeks."""
    return calendar.drawn(
        year,
        unit,
        lambda partition: ask.link(dataset_path(dataset, partition)),
        ask.same(year=year.name),
        alone=alone,
    )


def cell(rows: int, most: int) -> Markup:
    """Return what a cell of the calendar says."""
    return calendar.told(rows, most)


def limit(value: str | int | float) -> str:
    """Return the least or greatest of numbers."""
    return columns.limit_text(value)


def lineage_of(ask: Ask, dataset: str, of: "Lineage") -> Markup:
    """Return the lineage around a dataset."""
    boxes = [
        lineage.Box(one.id, one.name, one.text, ask.link(one.path), one.id == dataset, one.is_bad)
        for one in of.nodes
    ]
    return lineage.drawn(boxes, of.arrows)
