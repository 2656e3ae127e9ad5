"""`lake diff`."""

from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

import click

from lake.cli.call import Call, verb
from lake.cli.complete import dataset_names
from lake.cli.output import count, document, line, plain
from lake.cli.progress import working
from lake.words import counted

if TYPE_CHECKING:
    from lake.operations.diff_lake import DatasetDiff, LakeDiff, PartitionDiff
    from lake.operations.diff_match import RowDiff
    from lake.operations.diff_rows import TableDiff

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "renamed": "~", "rewritten": "~"}


@verb(name="diff")
@click.argument("before", metavar="[ADDRESS", required=False, shell_complete=dataset_names)
@click.argument("after", metavar="[ADDRESS]]", required=False, shell_complete=dataset_names)
@click.option("--key", metavar="A,B", help="Match rows by these columns; else the source's key.")
@click.option(
    "--limit", metavar="N", default=20, type=click.IntRange(0), help="Rows to show; else 20."
)
def command(call: Call, before: str | None, after: str | None, key: str | None, limit: int) -> None:
    """Show what is different between two addresses: schema, rows and cells.

    With one ADDRESS: what it held before its last change, and what it holds. @12 @20 (or 12 20)
    compares two commits of the whole lake, @12 shows what commit 12 changed, nothing the newest:
    from the log, no data are read. Without a key no row is changed, but removed and added. Exits
    with 0 whatever is different.
    """
    from lake.operations.diff import diff
    from lake.operations.diff_lake import LakeDiff

    keys = [name.strip() for name in (key or "").split(",") if name.strip()]
    with working("comparing"):
        found = diff(call.open(), before, after, key=keys, limit=limit)
    if call.json:
        document(_jsonable(found))
    elif isinstance(found, LakeDiff):
        _tell_lake(found)
    else:
        _tell_table(found)


def _tell_lake(found: "LakeDiff") -> None:
    line(f"@{found.before} → @{found.after}: {counted(len(found.datasets), 'dataset')} changed")
    for one in found.datasets:
        line(plain(f"{_SIGNS[one.kind]} {one.dataset}  {_dataset(one)}"))
        for partition in one.partitions:
            text = partition.partition or "(no partition)"
            line(plain(f"    {_SIGNS[partition.kind]} {text}  {_partition(partition)}"))


def _dataset(one: "DatasetDiff") -> str:
    kind = f"renamed from {one.renamed_from}" if one.renamed_from else one.kind
    return f"{kind}, {_counts(one.rows_before, one.rows_after)}"


def _partition(one: "PartitionDiff") -> str:
    versions = " → ".join(f"v{n}" for n in (one.version_before, one.version_after) if n)
    return f"{one.kind}, {versions}, {_counts(one.rows_before, one.rows_after)}"


def _counts(before: int | None, after: int | None) -> str:
    if before is None or after is None or before == after:
        return counted((after if before is None else before) or 0, "row")
    return f"{count(before)} → {counted(after, 'row')}"


def _tell_table(found: "TableDiff") -> None:
    line(plain(f"{found.before} → {found.after}"))
    line(f"rows       {_counts(found.rows_before, found.rows_after)}")
    line(f"added      {count(found.added)}")
    line(f"removed    {count(found.removed)}")
    changed = f"{count(found.changed)} ({counted(found.cells, 'cell')})" if found.key else "-"
    line(f"changed    {changed}")
    line(f"unchanged  {count(found.unchanged)}")
    line(plain(f"matched    {_matched(found)}"))
    for column in found.schema:
        types = " → ".join(filter(None, (column.before, column.after)))
        kind = "type" if column.kind == "type" else column.kind
        line(plain(f"column     {column.column}: {kind}, {types}"))
    for name, cells in found.columns.items():
        line(plain(f"cells      {name}: {count(cells)}"))
    for row in found.rows:
        line(plain(f"{_SIGNS[row.kind]} {_row(row, found.key)}"))
    rest = found.added + found.removed + found.changed - len(found.rows)
    if rest:
        line(f"… and {counted(rest, 'row')} more")


def _matched(found: "TableDiff") -> str:
    if not found.key:
        return "as multisets: no key is known, so a changed row is removed and added"
    text = f"by {', '.join(found.key)}"
    if not found.shared:
        return text
    return f"{text}; of the rows that differ {count(found.shared)} share a key: as multisets"


def _row(row: "RowDiff", key: tuple[str, ...]) -> str:
    if row.kind != "changed":
        return ", ".join(f"{name}={_shown(value)}" for name, value in row.values.items())
    named = ", ".join(f"{name}={_shown(row.values[name])}" for name in key)
    cells = [f"{cell.column}: {_shown(cell.old)} → {_shown(cell.new)}" for cell in row.cells]
    return f"{named}  {', '.join(cells)}"


def _shown(value: Any) -> str:
    if value is None:
        return "NULL"
    return repr(value) if isinstance(value, str) else str(value)


def _jsonable(found: Any) -> Any:
    """Return a diff as JSON has it: values that it has no type for are text."""
    import dataclasses

    document = dataclasses.asdict(found)
    if hasattr(found, "unchanged"):
        document["unchanged"] = found.unchanged
        for row in document["rows"]:
            row["values"] = {name: _json(value) for name, value in row["values"].items()}
            for cell in row["cells"]:
                cell |= {"old": _json(cell["old"]), "new": _json(cell["new"])}
    return document


def _json(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(name): _json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value]
    return value.hex() if isinstance(value, bytes) else str(value)
