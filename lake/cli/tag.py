"""`lake tag`."""

import click

from lake.cli.call import Call, verb
from lake.cli.complete import tag_names
from lake.cli.output import document, line, rows, talk

_TAGS = {"tag": "text", "commit": "count"}


@verb(name="tag")
@click.argument("name", required=False, shell_complete=tag_names)
@click.option("--at", "when", metavar="WHEN", help="A commit, a tag or a time; else the newest.")
@click.option("--delete", is_flag=True, help="Take the tag away: `gc` keeps its snapshot no more.")
def command(call: Call, name: str | None, when: str | None, delete: bool) -> None:
    """Give a snapshot a name that keeps it; a tag that is there moves. Alone, list the tags."""
    if (when is not None and (delete or name is None)) or (delete and name is None):
        raise click.UsageError("--at and --delete need a NAME, and exclude each other")
    lake = call.open()
    if name is None:
        _list(call, lake.state.tags)
        return
    number = lake.untag(name) if delete else lake.tag(name, when=when)
    if call.json:
        document({"tag": name, "commit": number, **({"deleted": True} if delete else {})})
    elif delete:
        was = f"{name} was commit {number}: deleted"
        line(was if number else f"nothing to do: there is no tag {name}")
    else:
        line(f"{name} is commit {number}")


def _list(call: Call, tags: dict[str, int]) -> None:
    found = [{"tag": name, "commit": tags[name]} for name in sorted(tags)]
    if call.json:
        document(found)
    elif found:
        rows(found, _TAGS)
    else:
        talk("no tag yet")
