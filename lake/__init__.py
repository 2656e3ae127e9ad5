"""Clearlake: a data lake in object storage that cannot turn into a swamp.

import lake
lk = lake.open("s3://acme/prod")
lk.land("trips.parquet", dataset="raw.trips", partition={"month": "2024-01"})
lk.sql("select month, count(*) from raw.trips group by all").df()
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lake.errors import LakeError
from lake.version import VERSION as __version__

if TYPE_CHECKING:
    from lake.lake import Lake
    from lake.opening import init
    from lake.opening import open_lake as open  # noqa: A004
    from lake.sources.python import from_dlt, source

_HOMES = {
    "Lake": ("lake", "Lake"),
    "from_dlt": ("sources.python", "from_dlt"),
    "init": ("opening", "init"),
    "open": ("opening", "open_lake"),
    "source": ("sources.python", "source"),
}

__all__ = ["Lake", "LakeError", "__version__", "from_dlt", "init", "open", "source"]


def __getattr__(name: str) -> Any:
    """Load the lake when it is asked for: importing this package costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lake' has no attribute {name!r}")
    module, called = _HOMES[name]
    return getattr(import_module(f"lake.{module}"), called)
