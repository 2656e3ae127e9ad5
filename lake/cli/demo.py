"""`lake demo`."""

from pathlib import Path

import click

from lake.cli.call import Call, verb
from lake.cli.output import document, line


@verb(name="demo")
@click.option(
    "--folder",
    default=".demo",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where; it is made anew.",
)
def command(call: Call, folder: Path) -> None:
    """Take a year of taxi-like data through the whole lake, and show what happens at each step."""
    from lake.demo.show import demo

    told: list[str] = []
    demo(folder.absolute(), told.append if call.json else line)
    if call.json:
        document({"folder": folder.absolute(), "told": told})
