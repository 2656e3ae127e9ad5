"""`python -m benchmarks [NAME …]`: measure the figures and print one table; 1 if one is missed."""

import sys
from importlib import import_module

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Figure, Missing

NAMES = {
    "startup": "benchmarks.startup",
    "parquet": "benchmarks.land_parquet",
    "csv": "benchmarks.land_csv",
    "csv_memory": "benchmarks.csv_memory",
    "parquet_memory": "benchmarks.parquet_memory",
    "profile": "benchmarks.profile",
    "many_files": "benchmarks.many_files",
    "views": "benchmarks.views",
    "diff": "benchmarks.diff",
    "verify": "benchmarks.verify",
    "commits": "benchmarks.commits",
    "buckets": "benchmarks.buckets",
    "land_postgres": "benchmarks.land_postgres",
    "load_postgres": "benchmarks.load_postgres",
    "postgres_memory": "benchmarks.postgres_memory",
    "flow_runs": "benchmarks.flow_runs",
    "browser": "benchmarks.browser",
}


def main(names: list[str]) -> int:
    unknown = set(names) - NAMES.keys()
    if unknown:
        sys.stderr.write(f"error: no benchmark {min(unknown)!r}: there are {', '.join(NAMES)}\n")
        return 2
    table = Table(box=None, pad_edge=False)
    for title in ("figure", "bound", "best", "median", "", "behind it"):
        table.add_column(title, justify="right" if title in ("bound", "best", "median") else "left")
    found: list[Figure | Missing] = []
    for name in names or NAMES:
        sys.stderr.write(f"measuring {name} …\n")
        found += import_module(NAMES[name]).figures()
    for figure in found:
        table.add_row(*_row(figure))
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return any(isinstance(figure, Figure) and not figure.holds for figure in found)


def _row(figure: Figure | Missing) -> list[str]:
    if isinstance(figure, Missing):
        return [figure.what, "", "", "", "[yellow]not measured[/]", figure.why]
    sign, digits = "≥" if figure.is_at_least else "≤", 2 if figure.unit == "x" else 3
    shown = [f"{value:.{digits}f} {figure.unit}" for value in (figure.best, figure.median)]
    verdict = "[green]holds[/]" if figure.holds else "[red]MISSED[/]"
    return [figure.what, f"{sign} {figure.bound:.4g} {figure.unit}", *shown, verdict, figure.note]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
