"""`lake verify`."""

import click

from lake.cli.call import Call, verb
from lake.cli.complete import dataset_names
from lake.cli.output import counted, document, line, plain, size, talk
from lake.cli.progress import bar


@verb(name="verify")
@click.argument("address", required=False, shell_complete=dataset_names)
@click.pass_context
def command(ctx: click.Context, call: Call, address: str | None) -> None:
    """Read every byte again and compare it with what the log says.

    All files of all versions, their receipts, the log itself, its newest checkpoint and the schema
    files; of an ADDRESS, its files and receipts. Exits with 1 if anything is damaged. Objects that
    no version names, as a killed landing leaves them, are listed and are no damage: nothing reads
    them.
    """
    from lake.operations.verify import named, verify

    lake = call.open()
    with bar("verifying", sum(file.bytes for file in named(lake, address))) as told:
        found = verify(lake, address, told=told)
    if call.json:
        document(found)
    else:
        for one in found.damage:
            line(plain(f"{one.kind}  {one.key}: {one.found}"))
        for key in found.orphans:
            line(plain(f"orphan  {key}: no version names it, nothing reads it"))
        line(f"{counted(found.files, 'file')}, {size(found.bytes)} read: {found.verdict}")
    if found.damage:
        talk(f"error: {found.verdict} in {lake.url}: restore it from a copy of the lake")
        ctx.exit(1)
