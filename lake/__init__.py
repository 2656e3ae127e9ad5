"""Clearlake: a data lake in object storage that cannot turn into a swamp.

import lake
lk = lake.open("s3://acme/prod")
lk.land("trips.parquet", dataset="raw.trips", partition={"month": "2024-01"})
lk.sql("select month, count(*) from raw.trips group by all").df()
"""

from typing import TYPE_CHECKING, Any

from lake.errors import LakeError
from lake.version import VERSION as __version__

if TYPE_CHECKING:
    from lake.lake import Lake, init
    from lake.lake import open_lake as open  # noqa: A004

_HOMES = {"Lake": "Lake", "init": "init", "open": "open_lake"}

__all__ = ["Lake", "LakeError", "__version__", "init", "open"]


def __getattr__(name: str) -> Any:
    """Load the lake when it is asked for: importing this package costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lake' has no attribute {name!r}")
    from lake import lake

    return getattr(lake, _HOMES[name])
