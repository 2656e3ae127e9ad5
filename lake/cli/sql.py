"""`lake sql`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lake.cli.call import Call, verb
from lake.errors import QueryFailed

if TYPE_CHECKING:
    from lake.cli.answer import Answer

FORMATS = ("table", "csv", "json", "parquet")
_ENDINGS = {"txt": "table", "csv": "csv", "json": "json", "parquet": "parquet"}


@verb(name="sql")
@click.argument("query", required=False)
@click.option("--at", "when", metavar="WHEN", help="A commit, a tag or a time; else the newest.")
@click.option("--format", "kind", type=click.Choice(FORMATS), help="How; else table.")
@click.option(
    "-o",
    "--output",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to, - for stdout; the ending .csv, .json, .parquet or .txt says the format.",
)
def command(call: Call, query: str | None, when: str | None, **options: Any) -> None:
    """Query the lake: raw.x, curated.y and meta.… are views.

    Without a query on a terminal it is a prompt; else statements are read from stdin. Values are
    exact in every format; JSON has null for what is no number (NaN) or infinite.
    """
    answer = _answer(call, **options)
    lake = call.open()
    lake = lake if when is None else lake.at(when)
    if query is None and sys.stdin.isatty() and answer.kind == "table" and not answer.file:
        from lake.cli.prompt import prompt

        prompt(lake)
        return
    from lake.cli.answer import run

    run(lake.session(), _read() if query is None else query, answer)


def _read() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise QueryFailed(
            f"standard input is no UTF-8 text: {error.reason} at byte {error.start}"
        ) from error


def _answer(call: Call, *, kind: str | None, file: Path | None) -> "Answer":
    from lake.cli.answer import Answer

    file = None if file == Path("-") else file
    if kind is None:
        kind = "json" if call.json else _by_ending(file) if file else "table"
    if call.json and kind != "json":
        raise click.UsageError(f"--json and --format {kind} exclude each other")
    return Answer(kind, file)


def _by_ending(file: Path) -> str:
    kind = _ENDINGS.get(file.suffix[1:].lower())
    if kind is None:
        raise click.UsageError(
            f"{str(file)!r} does not end in {', '.join(f'.{end}' for end in _ENDINGS)}: give"
            f" --format {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        )
    return kind
