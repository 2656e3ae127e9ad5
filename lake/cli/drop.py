"""`lake drop`."""

import click

from lake.cli.call import Call, verb
from lake.cli.complete import dataset_names
from lake.cli.output import line, plain
from lake.cli.taken import tell
from lake.words import counted


@verb(name="drop")
@click.argument("dataset", shell_complete=dataset_names)
def command(call: Call, dataset: str) -> None:
    """Take a DATASET away, with all of its partitions and what is declared of it, as a commit.

    Former commits keep it: `lake rollback DATASET` brings it back.
    """
    done = call.open().drop(dataset)
    if not tell(call, done):
        held = counted(done.partitions, "partition")
        what = f"dropped {dataset}, {held}: commit {done.commit}"
        line(plain(what if done.commit else f"nothing to do: {dataset} was dropped already"))
