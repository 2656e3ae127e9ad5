"""The files behind an address, and its rows."""

from typing import TYPE_CHECKING, Any

from lake.catalog.collected import refuse_collected
from lake.catalog.state import State, data_files
from lake.errors import NoSuchVersion
from lake.query import address as addresses
from lake.query.connect import open_session, select

if TYPE_CHECKING:
    from lake.lake import Lake


def files(lake: "Lake", text: str) -> list[str]:
    """Return the URLs of the files with an address's rows, in the order of partitions."""
    address = addresses.parse(text)
    if address.version is not None:
        version = addresses.version_at(lake.log, lake.state, address)
        refuse_collected(lake.state, (file.key for file in version.files), what=text)
        return [lake.log.store.data_url(file.key) for file in data_files(version)]
    state = addresses.state_of(lake.log, lake.state, address)
    wanted = _partition(state, address)
    found = state.data_files(addresses.find_dataset(state, address.dataset))
    refuse_collected(state, (file.key for file in found), what=f"{text} at commit {state.commit}")
    return [
        lake.log.store.data_url(file.key)
        for file in found
        if wanted is None or file.partition == wanted
    ]


def _partition(state: State, address: addresses.Address) -> str | None:
    """Return the partition that is meant, None for all of them."""
    if address.partition:
        return addresses.find_partition(state, address).text
    return None


def table(lake: "Lake", text: str) -> Any:
    """Return what an address holds as a DuckDB relation.

    Raises:
        NoSuchDataset, NoSuchPartition: there is none.
        NoSuchVersion: it was held, so that no view ever had it.
        FileDamaged: a file of it is not the one that the log names.
    """
    address = addresses.parse(text)
    if address.version is not None:
        version = addresses.version_at(lake.log, lake.state, address)
        if version.reason:
            raise NoSuchVersion(
                f"{text} is no table: v{version.number} is held ({version.reason}); `lake get`"
                " gives its bytes"
            )
    state = addresses.state_of(lake.log, lake.state, address)
    addresses.find_dataset(state, address.dataset)
    session = open_session(lake.log, state)
    wanted = _partition(state, address)
    chosen = None if wanted is None else [wanted]
    found = select(lake.log, state, address.dataset, partitions=chosen, trust=session.trust)
    return session.connection.sql(found)
