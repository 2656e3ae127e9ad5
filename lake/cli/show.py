"""`lake show`."""

from typing import Any

import click

from lake.cli.call import Call, verb
from lake.cli.complete import dataset_names
from lake.cli.output import count, counted, document, line, moment, plain, rows, size


@verb(name="show")
@click.argument("address", shell_complete=dataset_names)
@click.option("--schema", is_flag=True, help="The columns, and the rule that made each.")
def command(call: Call, address: str, schema: bool) -> None:
    """Show what a dataset or partition holds, and where it came from.

    ADDRESS is DATASET[/k=v…][@WHEN]; WHEN is a commit, a tag, a time or vN.
    """
    from lake.operations.show import columns, show

    lake = call.open()
    found: Any = columns(lake, address) if schema else show(lake, address)
    if call.json:
        document(found)
    elif schema:
        shown = [{**one, "files": ", ".join(one["files"])} for one in found]
        rows(shown, {"column": "text", "type": "text", "rule": "text", "files": "text"})
    else:
        _tell(found)


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
