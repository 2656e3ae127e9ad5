"""`lake release`."""

import click

from lake.cli.call import Call, verb
from lake.cli.complete import held_addresses
from lake.cli.output import document, line, plain
from lake.words import counted


@verb(name="release")
@click.argument("address", shell_complete=held_addresses)
def command(call: Call, address: str) -> None:
    """Publish what is held at an ADDRESS as a new version.

    ADDRESS is DATASET[/k=v…][@vN]. It overrides the contract only: what cannot be read together
    with the rest waits for a declaration in lake.toml.
    """
    done = call.open().release(address)
    if call.json:
        document(done)
        return
    for one in done.partitions:
        name = f"{one.dataset}/{one.partition}" if one.partition else one.dataset
        rows = counted(one.rows, "row")
        line(plain(f"{name}  released v{one.of} as v{one.version}: {rows}; it was held: {one.why}"))
    if done.commit is None:
        line(plain(f"nothing to do: {address} is not held"))
    else:
        line(f"commit {done.commit}")
