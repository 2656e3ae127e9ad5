"""`lake attach`."""

from pathlib import Path

import click

from lake.cli.call import Call, verb
from lake.cli.output import document, line, plain, talk


@verb(name="attach")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--at", "when", metavar="WHEN", help="A commit, a tag or a time; else the newest.")
def command(call: Call, file: Path, when: str | None) -> None:
    """Write a DuckDB file with the lake's views, for any DuckDB of any language."""
    from lake.query.sql import literal

    lake = call.open()
    lake = lake if when is None else lake.at(when)
    path = lake.attach(file)
    if call.json:
        document({"file": path, "commit": lake.commit})
        return
    line(plain(str(path)))
    talk(
        plain(f"the lake at commit {lake.commit}: ATTACH {literal(str(path))} AS lake (READ_ONLY)")
    )
