"""How to use a dataset elsewhere: a few lines to copy, for each tool."""

import json
import shlex
from dataclasses import dataclass

from lake import layout
from lake.browser.ask import Ask
from lake.browser.known import Known
from lake.browser.snapshot import Snapshot
from lake.query.sql import identifier, literal


@dataclass(frozen=True, slots=True)
class Snippet:
    """Lines for a tool."""

    tool: str
    text: str


def snippets(shot: Snapshot, ask: Ask, of: Known) -> list[Snippet]:
    """Return lines that read a dataset, at the commit that is looked at."""
    place, name = _place(shot), of.name
    newest = of.partitions[-1] if of.partitions else ""
    query = f"SELECT *\nFROM {name}{_where(newest)}\nLIMIT 10"
    at = f".at({_python(ask.at)})" if ask.at else ""
    opened = f"import lake\n\nlk = lake.open({_python(place) if place else ''}){at}"
    address = f"{name}/{newest}" if newest else name
    return [
        Snippet("DuckDB", _duckdb(place, name, newest, ask.at)),
        Snippet("Python", f'{opened}\nprint(lk.sql("""\n{query}\n"""))'),
        Snippet("pandas", f"{opened}\ndf = lk.table({_python(address)}).df()"),
        Snippet("Command line", _shell(place, query, address, ask.at)),
    ]


def _where(partition: str) -> str:
    values = layout.partition_values(partition)
    tests = [f"{identifier(key)} = {literal(value)}" for key, value in values.items()]
    return f"\nWHERE {' AND '.join(tests)}" if tests else ""


def _duckdb(place: str, name: str, partition: str, at: str) -> str:
    where = f"{place}/{layout.CATALOG}" if place else layout.CATALOG
    first = "" if place else "-- in the lake's own folder\n"
    if at:
        first = f"-- the file that `lake attach former.duckdb --at {shlex.quote(at)}` writes\n"
        where = "former.duckdb"
    return (
        f"{first}ATTACH {literal(where)} AS lake (READ_ONLY);\n"
        f"SELECT *\nFROM lake.{name}{_where(partition)}\nLIMIT 10;"
    )


def _shell(place: str, query: str, address: str, at: str) -> str:
    lake = f" --lake {shlex.quote(place)}" if place else ""
    when = f" --at {shlex.quote(at)}" if at else ""
    target = shlex.quote(f"{address}@{at}" if at else address)
    flat = " ".join(query.split("\n"))
    return f"lake sql{lake}{when} {shlex.quote(flat)}\nlake get{lake} {target} -o originals"


def _place(shot: Snapshot) -> str:
    """Return the lake's URL; `""` for a folder: where that is on its machine is not told."""
    url = shot.lake.url
    return "" if url.startswith("file:") or "@" in url or "?" in url else url


def _python(text: str) -> str:
    return json.dumps(text, ensure_ascii=True)
