"""A workbook of which each sheet is a dataset of its own: `sheet = "*"`."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from lake.errors import InvalidName, SourceMissing
from lake.landing.order import Order
from lake.sources.fetch import fetch

ALL = "*"
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


def by_sheet(orders: Sequence[Order]) -> list[Order]:
    """Return an order per sheet for each workbook that is landed whole; the others as they are.

    The dataset of the sheet `Q1 Sales` of `raw.book` is `raw.book_q1_sales`. The workbook is
    fetched once to see its sheets.

    Raises:
        InvalidName: two sheets would be one dataset.
        SourceMissing, SourceIncomplete, SourceUnreadable: it cannot be had, or is no workbook.
    """
    return [found for order in orders for found in _sheets(order)]


def _sheets(order: Order) -> Iterator[Order]:
    if order.reading.sheet != ALL or len(order.urls) != 1:
        yield order
        return
    try:
        names = _names(order)
    except SourceMissing:
        if not order.may_be_missing:
            raise
        yield order
        return
    seen: dict[str, str] = {}
    for name in names:
        dataset = f"{order.dataset}_{_NOT_IN_NAMES.sub('_', name.lower()).strip('_')}"
        if dataset in seen:
            raise InvalidName(
                f"the sheets {seen[dataset]!r} and {name!r} would both be {dataset}: declare a"
                " source for each, with its sheet"
            )
        seen[dataset] = name
        yield replace(order, dataset=dataset, reading=replace(order.reading, sheet=name))


def _names(order: Order) -> list[str]:
    from lake.convert.excel.convert import sheets
    from lake.convert.unpack.unpack import unpack

    with tempfile.TemporaryDirectory(prefix="clearlake-") as folder:
        found = fetch(order.urls[0], Path(folder) / "book")
        assert found is not None  # nothing was said of a former one
        book = unpack(found.path, Path(folder) / "in", name=found.name, reading=order.reading)[0]
        return sheets(book.path, name=book.name)
