"""`show`: what an address holds, and where it came from."""

from typing import TYPE_CHECKING, Any

from lake.catalog.state import State, Version
from lake.query import address as addresses
from lake.query.describe import described

if TYPE_CHECKING:
    from lake.lake import Lake


def show(lake: "Lake", text: str) -> dict[str, Any]:
    """Return a dataset's or a version's facts, ready for JSON.

    Raises:
        NoSuchDataset, NoSuchPartition, NoSuchVersion: there is none.
    """
    address = addresses.parse(text)
    if address.partition or address.version is not None:
        return _version(lake, address)
    state = addresses.state_of(lake.log, lake.state, address)
    return _dataset(lake, state, addresses.find_dataset(state, address.dataset))


def _dataset(lake: "Lake", state: State, name: str) -> dict[str, Any]:
    one, words = state.datasets[name], described(state, name)
    facts: dict[str, Any] = {
        "dataset": name,
        "commit": state.commit,
        "description": words.description,
        "owner": words.owner,
        "keys": list(one.keys),
        "partitions": one.partitions,
        "versions": one.versions,
        "held": one.held,
        "files": one.files,
        "rows": one.rows,
        "bytes": one.bytes,
        "changed_at": one.changed_at or None,
        "changed_in": one.changed_in or None,
        **_declared(state, name),
    }
    now = None if one.keys else state.partition(name, "").current
    return facts | ({"current": _facts(now)} if now else {})


def _declared(state: State, name: str) -> dict[str, str]:
    zone, _, bare = name.partition(".")
    kind = "model" if zone == "curated" else "source"
    text = state.declared(kind).get(bare)
    return {kind: text} if text else {}


def _version(lake: "Lake", address: addresses.Address) -> dict[str, Any]:
    version = addresses.version_at(lake.log, lake.state, address)
    return {"dataset": address.dataset, "partition": address.partition, **_facts(version)}


def _facts(version: Version) -> dict[str, Any]:
    return {
        "version": version.number,
        "commit": version.commit,
        "landed_at": version.landed.at,
        "why": version.why,
        "held": version.reason or None,
        "rows": sum(file.rows for file in version.files if file.role == "data"),
        "rejected": version.landed.rejected,
        "bytes": sum(file.bytes for file in version.files),
        "content": version.content,
        "source": dict(version.landed.origin),
        "run": version.landed.run,
        "receipt": version.landed.receipt,
        "files": [
            {
                "key": file.key,
                "role": file.role,
                "bytes": file.bytes,
                "rows": file.rows,
                "sha256": file.sha256,
            }
            for file in version.files
        ],
    }
