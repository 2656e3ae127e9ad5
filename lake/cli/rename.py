"""`lake rename`."""

import click

from lake.cli.call import Call, verb
from lake.cli.complete import dataset_names
from lake.cli.output import line, plain
from lake.cli.taken import tell


@verb(name="rename")
@click.argument("dataset", shell_complete=dataset_names)
@click.argument("to")
def command(call: Call, dataset: str, to: str) -> None:
    """Call a DATASET otherwise from now on, as a commit; its files stay where they are.

    TO is a name of the same zone that the lake never used. Former commits know the old one.
    """
    done = call.open().rename(dataset, to)
    if not tell(call, done):
        what = f"{dataset} is called {to}: commit {done.commit}"
        line(plain(what if done.commit else f"nothing to do: {dataset} is called {to} already"))
