"""`lake log`."""

import click

from lake.cli.call import Call, verb
from lake.cli.complete import dataset_names
from lake.cli.output import document, rows, talk

_COMMITS = {"commit": "count", "committed_at": "time", "message": "text", "changes": "text"}
_VERSIONS = {
    "commit": "count",
    "landed_at": "time",
    "partition": "text",
    "version": "count",
    "action": "text",
    "rows": "count",
    "bytes": "size",
    "source": "text",
}


@verb(name="log")
@click.argument("address", required=False, shell_complete=dataset_names)
def command(call: Call, address: str | None) -> None:
    """List the commits, newest first; with an ADDRESS its versions."""
    from lake.operations.history import commits, versions

    lake = call.open()
    found = commits(lake) if address is None else versions(lake, address)
    if call.json:
        document(found)
    elif found:
        rows(found, _COMMITS if address is None else _VERSIONS)
    else:
        talk("no commit yet")
