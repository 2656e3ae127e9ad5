"""`lake tag`."""

import click

from lake.cli.call import Call, verb
from lake.cli.output import document, line


@verb(name="tag")
@click.argument("name")
@click.option("--at", "when", metavar="WHEN", help="A commit, a tag or a time; else the newest.")
def command(call: Call, name: str, when: str | None) -> None:
    """Give a snapshot a name that keeps it; a tag that is there moves."""
    lake = call.open()
    number = lake.tag(name, when=when)
    if call.json:
        document({"tag": name, "commit": number})
    else:
        line(f"{name} is commit {number}")
