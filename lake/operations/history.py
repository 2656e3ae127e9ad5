"""`log`: the commits, or those that touched an address; newest first."""

from typing import TYPE_CHECKING, Any

from lake.query import address as addresses
from lake.query.meta import rows
from lake.query.sql import literal

if TYPE_CHECKING:
    from lake.lake import Lake

_COMMITS = """
SELECT commit, committed_at, message, changes, author, id FROM meta.commits ORDER BY commit DESC
"""
_VERSIONS = """
SELECT commit, landed_at, partition, version, action, rows, bytes, source, run, current, held
FROM meta.versions
"""


def commits(lake: "Lake") -> list[dict[str, Any]]:
    """Return every commit, newest first."""
    return rows(lake.state, _COMMITS)


def versions(lake: "Lake", text: str) -> list[dict[str, Any]]:
    """Return every version of an address, newest first.

    Raises:
        NoSuchDataset, NoSuchPartition, NoSuchVersion: there is none.
    """
    address = addresses.parse(text)
    state = addresses.state_of(lake.log, lake.state, address)
    addresses.find_dataset(state, address.dataset)
    where = f"WHERE dataset = {literal(address.dataset)}"
    if address.partition:
        partition = addresses.find_partition(state, address).text
        where += f" AND partition = {literal(partition)}"
    return rows(state, f"{_VERSIONS} {where} ORDER BY commit DESC, partition")
