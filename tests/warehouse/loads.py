"""Loads that several tests make."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

from lake.warehouse.load import TableLoad

Publish: TypeAlias = Callable[..., TableLoad]
"""Makes a load; the fixture `publish` is one."""
Rows: TypeAlias = Callable[..., list[tuple[Any, ...]]]
"""Reads a table; the fixture `rows` is one."""


def later(publish: Publish) -> TableLoad:
    """Return a load that changes, adds and removes partitions, and adds a column."""
    months = publish(2, {"2024-01": [3, 3], "2024-03": [8]})
    partitions = (
        dataclasses.replace(p, select=f"SELECT *, trips AS fee FROM ({p.select})")
        for p in months.partitions
    )
    columns = (*months.columns, ("fee", "BIGINT"))
    return dataclasses.replace(months, columns=columns, partitions=tuple(partitions))


def one_row(publish: Publish, commit: int = 1, **columns: tuple[str, str]) -> TableLoad:
    """Return a load of one row into `t`: of each column its type and its value."""
    select = ", ".join(f'CAST({value} AS {t}) AS "{name}"' for name, (t, value) in columns.items())
    base = publish(commit, {"2024-01": [1]}, table="t")
    partition = dataclasses.replace(
        base.partitions[0], partition="", select=f"SELECT {select}", content=str(commit)
    )
    types = tuple((name, type_) for name, (type_, _) in columns.items())
    return dataclasses.replace(base, columns=types, partitions=(partition,))
