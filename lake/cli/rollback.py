"""`lake rollback`."""

from typing import TYPE_CHECKING

import click

from lake.cli.call import Call, verb
from lake.cli.complete import dataset_names
from lake.cli.output import document, line, plain
from lake.words import counted

if TYPE_CHECKING:
    from lake.operations.rollback import Restored, RolledBack


@verb(name="rollback")
@click.argument("address", shell_complete=dataset_names)
def command(call: Call, address: str) -> None:
    """Restore what an ADDRESS held, as a new commit.

    ADDRESS is DATASET[/k=v…][@WHEN]; without WHEN, what it held before it was changed last. What
    was current is rejected: it is not landed or built again until something else has been.
    """
    done = call.open().rollback(address)
    if call.json:
        document(done)
        return
    for one in done.partitions:
        line(plain(_words(one)))
    line(plain(_end(done, address)))


def _words(one: "Restored") -> str:
    name = f"{one.dataset}/{one.partition}" if one.partition else one.dataset
    rejected = f"; v{one.rejected} is rejected" if one.rejected else ""
    if one.outcome == "removed":
        return f"{name}  removed{rejected}"
    return f"{name}  restored v{one.of} as v{one.version}: {counted(one.rows, 'row')}{rejected}"


def _end(done: "RolledBack", address: str) -> str:
    if done.commit is None:
        return f"nothing to do: {address.partition('@')[0]} is what it was at commit {done.to}"
    return f"as at commit {done.to}: commit {done.commit}"
