"""`lake remove`."""

import click

from lake.cli.call import Call, verb
from lake.cli.complete import dataset_names
from lake.cli.output import line, plain
from lake.cli.taken import tell


@verb(name="remove")
@click.argument("address", shell_complete=dataset_names)
def command(call: Call, address: str) -> None:
    """Take the partition at an ADDRESS away, as a commit.

    Former commits keep it: `lake rollback ADDRESS` brings it back. What it held is not landed or
    built again until it changes.
    """
    done = call.open().remove(address)
    if not tell(call, done):
        what = f"removed {address}: commit {done.commit}"
        line(plain(what if done.commit else f"nothing to do: {address} holds nothing"))
