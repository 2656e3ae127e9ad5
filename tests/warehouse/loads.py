"""Loads that several tests make."""

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

from lake.warehouse.load import TableLoad

Publish: TypeAlias = Callable[..., TableLoad]
"""Makes a load; the fixture `publish` is one."""


def later(publish: Publish) -> TableLoad:
    """Return a load that changes, adds and removes partitions, and adds a column."""
    months = publish(2, {"2024-01": [3, 3], "2024-03": [8]})
    partitions = (
        dataclasses.replace(p, select=f"SELECT *, trips AS fee FROM ({p.select})")
        for p in months.partitions
    )
    columns = (*months.columns, ("fee", "BIGINT"))
    return dataclasses.replace(months, columns=columns, partitions=tuple(partitions))
