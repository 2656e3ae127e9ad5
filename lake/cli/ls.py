"""`lake ls`."""

from typing import TYPE_CHECKING, Any

import click

from lake.cli.call import Call, verb
from lake.cli.complete import dataset_names
from lake.cli.output import document, rows, talk

if TYPE_CHECKING:
    from lake.catalog.state import Partition, State

_DATASETS = {
    "dataset": "text",
    "partitions": "count",
    "rows": "count",
    "bytes": "size",
    "changed_at": "time",
}
_PARTITIONS = {
    "partition": "text",
    "version": "count",
    "rows": "count",
    "bytes": "size",
    "landed_at": "time",
}


@verb(name="ls")
@click.argument("dataset", required=False, shell_complete=dataset_names)
def command(call: Call, dataset: str | None) -> None:
    """List the datasets, or the partitions of one.

    DATASET may be followed by @WHEN: a commit, a tag or a time.
    """
    lake = call.open()
    if dataset is None:
        _print(call, _datasets(lake.state), _DATASETS, "no dataset yet: `lake land` brings some")
        return
    from lake.query.address import find_dataset, parse, state_of

    address = parse(dataset)
    if address.partition:
        raise click.UsageError(f"`lake show {dataset}` shows one partition; name a dataset here")
    state = state_of(lake.log, lake.state, address)
    found = _partitions(state, find_dataset(state, address.dataset))
    _print(call, found, _PARTITIONS, f"{address.dataset} holds no partition now")


def _print(call: Call, found: list[dict[str, Any]], columns: dict[str, str], empty: str) -> None:
    if call.json:
        document(found)
    elif found:
        held = {"held": "count"} if any(one["held"] for one in found) else {}
        rows(found, {**columns, **held})
    else:
        talk(empty)


def _datasets(state: "State") -> list[dict[str, Any]]:
    return [
        {
            "dataset": name,
            "partitions": one.partitions,
            "versions": one.versions,
            "held": one.held,
            "files": one.files,
            "rows": one.rows,
            "bytes": one.bytes,
            "changed_at": one.changed_at or None,
            "changed_in": one.changed_in or None,
        }
        for name, one in sorted(state.datasets.items())
    ]


def _partitions(state: "State", dataset: str) -> list[dict[str, Any]]:
    return [_partition(one) for one in state.partitions(dataset) if one.current or one.held]


def _partition(one: "Partition") -> dict[str, Any]:
    now = one.current
    data = [file for file in now.files if file.role == "data"] if now else []
    return {
        "partition": one.text,
        "version": now.number if now else None,
        "rows": sum(file.rows for file in data),
        "bytes": sum(file.bytes for file in now.files) if now else 0,
        "files": len(now.files) if now else 0,
        "landed_at": now.landed.at if now else None,
        "commit": now.commit if now else None,
        "held": len(one.held),
        "gone": one.gone,
    }
