"""`lake show`."""

from typing import TYPE_CHECKING, Any

import click

from lake.cli.call import Call, verb
from lake.cli.complete import dataset_names
from lake.cli.output import count, counted, document, line, moment, plain, rows, size

if TYPE_CHECKING:
    from lake.operations.columns import Run, ShownColumn


@verb(name="show")
@click.argument("address", shell_complete=dataset_names)
@click.option(
    "--schema", is_flag=True, help="The columns, the rule that made each, and how each drifted."
)
def command(call: Call, address: str, schema: bool) -> None:
    """Show what a dataset or partition holds, and where it came from.

    ADDRESS is DATASET[/k=v…][@WHEN]; WHEN is a commit, a tag, a time or vN.
    """
    from lake.operations.columns import columns
    from lake.operations.show import show

    lake = call.open()
    found: Any = columns(lake, address) if schema else show(lake, address)
    if call.json:
        document(found)
    elif schema:
        _tell_columns(found)
    else:
        _tell(found)


def _tell_columns(found: "list[ShownColumn]") -> None:
    """Print all columns, then the history of each that drifts: over periods, and over commits."""
    rows(
        [{"column": one.column, "type": one.type, "rule": one.rule} for one in found],
        {"column": "text", "type": "text", "rule": "text"},
    )
    drifting = [one for one in found if len(one.runs) > 1]
    if drifting:
        steady = len(found) - len(drifting)
        line(f"\ndrift (the other {steady} had one type throughout)")
    for one in drifting:
        line(plain(f"{one.column}: read as {one.type} ({one.rule})"))
        width = max(len(_where(run)) for run in one.runs)
        for run in one.runs:
            of = counted(run.files, "file")
            line(plain(f"  {_where(run).ljust(width)}  {f'{run.column} {run.type}'.strip()}, {of}"))
        for change in one.changes:
            line(plain(f"  commit {change.commit}: {change.was} became {change.became}"))


def _where(run: "Run") -> str:
    return run.first if run.first == run.last else f"{run.first} … {run.last}"


def _tell(facts: dict[str, Any], indent: str = "") -> None:
    width = max(len(name) for name in facts) + 2
    for name, value in facts.items():
        if value in (None, "", [], {}):
            continue
        label = f"{indent}{name.replace('_', ' ').ljust(width)}"
        if isinstance(value, dict):
            line(label.rstrip())
            _tell(value, f"{indent}  ")
        elif name == "files" and isinstance(value, list):
            line(label.rstrip())
            for file in value:
                line(plain(f"{indent}  {file['key']}"))
                line(plain(f"{indent}    {_file(file)}"))
        else:
            line(f"{label}{_text(name, value)}".rstrip())


def _file(file: dict[str, Any]) -> str:
    what = counted(file["rows"], "row") if file["role"] == "data" else "the original"
    return f"{what}, {size(file['bytes'])}, sha256 {file['sha256']}"


def _text(name: str, value: Any) -> str:
    if name == "bytes":
        return f"{count(value)} ({size(value)})"
    if name in ("landed_at", "changed_at"):
        return moment(value)
    if isinstance(value, int):
        return count(value)
    return plain(", ".join(value) if isinstance(value, list) else str(value))
