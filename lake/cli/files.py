"""`lake files`."""

import click

from lake.cli.call import Call, verb
from lake.cli.complete import dataset_names
from lake.cli.output import document, line


@verb(name="files")
@click.argument("address", shell_complete=dataset_names)
@click.option(
    "--as",
    "engine",
    type=click.Choice(["duckdb", "polars", "spark"]),
    help="A statement that reads them with the casts of the view.",
)
def command(call: Call, address: str, engine: str | None) -> None:
    """List the URLs of the files with an ADDRESS's rows, or print a statement that reads them."""
    lake = call.open()
    if engine:
        from lake.operations.statement import statement

        text = statement(lake, address, engine=engine)
        if call.json:
            document({"engine": engine, "statement": text})
        else:
            line(text)
        return
    urls = lake.files(address)
    if call.json:
        document([{"url": url} for url in urls])
        return
    for url in urls:
        line(url)
