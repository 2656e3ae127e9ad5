"""`lake show`."""

from typing import TYPE_CHECKING, Any

import click

from lake.cli.call import Call, verb
from lake.cli.complete import dataset_names
from lake.cli.output import count, document, line, moment, plain, rows
from lake.words import counted, size

if TYPE_CHECKING:
    from lake.operations.columns import Run, ShownColumn
    from lake.operations.profiles import Profiles
    from lake.profile.profile import ColumnProfile


@verb(name="show")
@click.argument("address", shell_complete=dataset_names)
@click.option(
    "--schema", is_flag=True, help="The columns, the rule that made each, and how each drifted."
)
@click.option("--profile", is_flag=True, help="Nulls, limits and usual values, as of landing.")
def command(call: Call, address: str, schema: bool, profile: bool) -> None:
    """Show what a dataset or partition holds, and where it came from.

    ADDRESS is DATASET[/k=v…][@WHEN]; WHEN is a commit, a tag, a time or vN.
    """
    from lake.lake import Lake
    from lake.operations.columns import columns
    from lake.operations.show import show

    if schema and profile:
        raise click.UsageError("--schema and --profile are two tables: ask for one of them")
    lake = call.open()
    ask: Any = columns if schema else Lake.profiles if profile else show
    tell: Any = _tell_columns if schema else _tell_profiles if profile else _tell
    found = ask(lake, address)
    if call.json:
        document(found)
    else:
        tell(found)


def _tell_profiles(found: "Profiles") -> None:
    """Print a line per column, and of how many rows the counts are."""
    kinds = {"column": "text", "type": "text", "nulls": "count", "min": "text", "max": "text"}
    rows([_profile(one) for one in found.columns], {**kinds, "distinct": "text", "top": "text"})
    if found.missing:
        line(f"{counted(found.missing, 'file')} not profiled, or limits only")
    if found.counted < found.rows:
        line(f"distinct and top are of {count(found.counted)} of {counted(found.rows, 'row')}")


def _profile(one: "ColumnProfile") -> dict[str, Any]:
    return {
        "column": one.name,
        "type": one.type,
        "nulls": one.nulls,
        "min": one.min,
        "max": one.max,
        "distinct": "personal" if one.personal else f"≥{count(one.distinct)}",
        "top": ", ".join(f"{value} ({count(number)})" for value, number in one.top[:3]),
    }


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
