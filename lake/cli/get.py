"""`lake get`."""

from pathlib import Path

import click

from lake.cli.call import Call, verb
from lake.cli.complete import dataset_names
from lake.cli.output import document, line, plain
from lake.cli.progress import working


@verb(name="get")
@click.argument("address", shell_complete=dataset_names)
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to; it is made if it is not there.",
)
@click.option("--only", default="", metavar="GLOB", help="Those whose name or path it fits.")
def command(call: Call, address: str, folder: Path, only: str) -> None:
    """Write the original bytes of an ADDRESS into a folder, as the source sent them.

    An archive of objects is given whole; with --only, what fits out of it.
    """
    lake = call.open()
    with working(f"getting {address}"):
        paths = lake.get(address, folder, only=only)
    if call.json:
        document([{"path": path, "bytes": path.stat().st_size} for path in paths])
        return
    for path in paths:
        line(plain(str(path)))
