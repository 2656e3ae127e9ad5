"""Names for the shell to complete; where they cannot be had, it completes nothing."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from lake.cli.call import Call
from lake.errors import LakeError

if TYPE_CHECKING:
    from lake.lake import Lake

Names = Callable[[click.Context, click.Parameter, str], list[str]]


def _completing(names: "Callable[[Lake], list[str]]") -> Names:
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        try:
            found = names((ctx.obj or Call()).open())
        except (LakeError, OSError, ValueError):
            return []
        return [name for name in found if name.startswith(incomplete)]

    return complete


def _sources(lake: "Lake") -> list[str]:
    from lake.landing.sources import sources

    return sorted(sources(lake))


def _models(lake: "Lake") -> list[str]:
    here = [path.stem for path in lake.config.models.glob("*.sql")]
    return sorted({*here, *lake.state.declared("model")})


def _tables(lake: "Lake") -> list[str]:
    return sorted({*lake.config.warehouse.load, *lake.state.declared("table")})


def _held(lake: "Lake") -> list[str]:
    found = [name for name, dataset in lake.state.datasets.items() if dataset.held]
    return sorted(
        f"{name}/{p.text}" if p.text else name
        for name in found
        for p in lake.state.partitions(name)
        if p.held
    )


source_names = _completing(_sources)
dataset_names = _completing(lambda lake: sorted(lake.state.datasets))
model_names = _completing(_models)
table_names = _completing(_tables)
held_addresses = _completing(_held)
tag_names = _completing(lambda lake: sorted(lake.state.tags))
