"""`lake verify`."""

from typing import Any

import click

from lake.cli.call import Call, verb
from lake.cli.complete import dataset_names
from lake.cli.output import document, line, plain, talk
from lake.cli.progress import bar
from lake.words import counted, size


@verb(name="verify")
@click.argument("address", required=False, shell_complete=dataset_names)
@click.option("--sample", metavar="P", help="Hash only so much of the files, such as 5%.")
@click.option("--seed", metavar="TEXT", default="", help="Draw the sample of a former run again.")
@click.option("--resume", is_flag=True, help="Go on where a run at this commit was killed.")
@click.pass_context
def command(
    ctx: click.Context, /, call: Call, address: str | None, sample: str | None, **options: Any
) -> None:
    """Read every byte again and compare it with what the log says.

    All files of all versions, their receipts, the log itself, its newest checkpoint and the schema
    files; of an ADDRESS, its files and receipts. Exits with 1 if anything is damaged, missing or
    surplus. Objects of attempts that were killed are listed and are no damage: nothing reads them.
    """
    from lake.operations.verify import named, verify

    lake = call.open()
    share = 1.0 if sample is None else _share(sample)
    with bar("verifying", round(share * sum(file.bytes for file in named(lake, address)))) as told:
        found = verify(lake, address, share=share, told=told, **options)
    if found.seed:
        talk(f"a sample of {sample}: --seed {found.seed} draws the same files again")
    if found.sound_before:
        talk(f"{counted(found.sound_before, 'file')} were found sound before the run was stopped")
    if call.json:
        document(found)
    else:
        for one in found.damage:
            line(plain(f"{one.kind}  {one.key}: {one.found}"))
        for key in found.orphans:
            line(plain(f"orphan  {key}: no version names it, nothing reads it"))
        line(f"{counted(found.files, 'file')}, {size(found.bytes)} read: {found.verdict}")
    if found.damage:
        is_there = all(one.kind == "unreadable" for one in found.damage)
        todo = "mend what is said of them" if is_there else "restore it from a copy of the lake"
        talk(f"error: {found.verdict} in {lake.url}: {todo}")
        ctx.exit(1)


def _share(text: str) -> float:
    """Read `5%`, or a share such as 0.05."""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise click.UsageError(f"--sample {text!r} is no share: write 5% or 0.05")
    return share
