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
@click.option("--since", metavar="WHEN", help="The first commit: a number, a tag or a time.")
@click.option("--until", metavar="WHEN", help="The last one; a date means its end.")
@click.option("-n", "limit", type=click.IntRange(min=0), metavar="N", help="Only the newest N.")
def command(
    call: Call, address: str | None, since: str | None, until: str | None, limit: int | None
) -> None:
    """List the commits, newest first; with an ADDRESS its versions, under all of its names."""
    from lake.operations.history import Span, commits, versions

    lake, span = call.open(), Span(since, until, limit)
    found = commits(lake, span) if address is None else versions(lake, address, span)
    if call.json:
        document(found)
    elif found:
        rows(found, _COMMITS if address is None else _VERSIONS)
    else:
        talk("no commit in that time" if lake.commit else "no commit yet")
