"""The rows of two views, `before` and `after`, matched by key or as multisets, in DuckDB.

Columns are called `c0`, `c1` … in here, so that no name of the data is in the way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lake.operations.diff_columns import Compared

_ROWS_IN_BUCKET = 24
_MOST_BITS = 17
"""Of a bucket's number: more buckets do not fit into a processor's cache."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A value that changed."""

    column: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class RowDiff:
    """A row that differs: its values (of a changed one the new ones), and the changed cells."""

    kind: Literal["added", "removed", "changed"]
    values: dict[str, Any]
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """A connection, the columns that are compared, and which of them are the key."""

    connection: Any
    columns: Sequence[Compared]
    key: tuple[str, ...]

    def view(self, name: Literal["before", "after"], rows: str) -> None:
        """Make the view of one side."""
        values = [getattr(column, name) for column in self.columns]
        selected = ", ".join(f"{value} AS c{i}" for i, value in enumerate(values))
        self.run(f"CREATE VIEW {name} AS SELECT {selected} FROM ({rows})")

    def run(self, statement: str) -> Any:
        """Run a statement."""
        return self.connection.execute(statement)

    @property
    def names(self) -> list[str]:
        """The columns, as they are called in here."""
        return [f"c{i}" for i in range(len(self.columns))]

    @property
    def keys(self) -> list[str]:
        """Those of the key."""
        return [f"c{i}" for i, column in enumerate(self.columns) if column.name in self.key]

    def on_key(self, left: str, right: str) -> str:
        """Return the condition that two rows have one key; NULL is a value like others."""
        return " AND ".join(f"{left}.{k} IS NOT DISTINCT FROM {right}.{k}" for k in self.keys)


def collect(work: Work, rows: int) -> bool:
    """Make the table `found`: the rows of the buckets in which the sides differ. Are there any?

    A bucket holds all rows of one key, so that a changed row meets the one that it was.
    """
    bits = min(max((rows // _ROWS_IN_BUCKET).bit_length(), 1), _MOST_BITS)
    names = ", ".join(work.names)
    bucket = f"CAST(hash({', '.join(work.keys) or names}) >> {64 - bits} AS UINTEGER)"
    # Hashed twice: sums of what `hash` makes of several values could come out even.
    each = f"SELECT {bucket} AS bucket, hash(hash({names})) AS h"
    work.run(
        "CREATE TEMP TABLE buckets AS SELECT bucket FROM ("
        f"{each}, true AS is_old FROM before UNION ALL {each}, false AS is_old FROM after)"
        " GROUP BY bucket HAVING 2 * count(*) FILTER (is_old) <> count(*)"
        " OR sum(h) FILTER (is_old) IS DISTINCT FROM sum(h) FILTER (NOT is_old)"
    )
    if not work.run("SELECT count(*) FROM buckets").fetchone()[0]:
        return False
    hashes = f"hash({names}) AS h, hash('', {', '.join(reversed(work.names))}) AS g"
    some = f"SEMI JOIN buckets ON {bucket} = buckets.bucket"
    work.run(
        f"CREATE TEMP TABLE found AS SELECT *, {hashes}, true AS is_old FROM before {some}"
        f" UNION ALL SELECT *, {hashes}, false AS is_old FROM after {some}"
    )
    if work.key:
        _match(work)
    _multiset(work)
    return True


def _match(work: Work) -> None:
    """Make the table `keyed`: the keys whose rows differ, with how many rows each side has."""
    keys = ", ".join(work.keys)
    work.run(
        f"CREATE TEMP TABLE keyed AS SELECT {keys}, count(*) FILTER (is_old) AS old,"
        " count(*) FILTER (NOT is_old) AS new"
        f" FROM found GROUP BY {keys}"
        " HAVING NOT (old = 1 AND new = 1 AND bit_xor(h) = 0 AND bit_xor(g) = 0)"
    )


def _multiset(work: Work) -> None:
    """Make the table `odd`: rows that one side has more of, where no key tells which is which."""
    some = ""
    if work.key:
        shared = "(SELECT * FROM keyed WHERE old > 1 OR new > 1) k"
        some = f"SEMI JOIN {shared} ON {work.on_key('f', 'k')}"
    work.run(
        "CREATE TEMP TABLE odd AS SELECT h, g,"
        " count(*) FILTER (is_old) - count(*) FILTER (NOT is_old) AS more"
        f" FROM found f {some} GROUP BY h, g HAVING more <> 0"
    )


def tally(work: Work) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many rows were added, removed and changed, and the changed cells by column."""
    removed, added = _whole(
        work, "sum(more) FILTER (more > 0), -sum(more) FILTER (more < 0) FROM odd"
    )
    counts = {"added": added, "removed": removed, "changed": 0, "shared": 0}
    if not work.key:
        return counts, {}
    one = "count(*) FILTER (old = {} AND new = {})"
    removed, added = _whole(work, f"{one.format(1, 0)}, {one.format(0, 1)} FROM keyed")
    changes = [f"a.{name} IS DISTINCT FROM b.{name}" for name in work.names]
    each = ", ".join(f"count(*) FILTER ({change})" for change in changes)
    changed, *cells = _whole(
        work, f"count(*) FILTER ({' OR '.join(changes)}), {each} FROM {_pairs(work)}"
    )
    by_column = {c.name: n for c, n in zip(work.columns, cells, strict=True) if n}
    return {
        "added": counts["added"] + added,
        "removed": counts["removed"] + removed,
        "changed": changed,
        "shared": counts["added"] + counts["removed"],
    }, dict(sorted(by_column.items(), key=lambda item: -item[1]))


def _whole(work: Work, select: str) -> list[int]:
    return [int(number or 0) for number in work.run(f"SELECT {select}").fetchone()]


def _pairs(work: Work) -> str:
    """Return what stands after FROM for the rows that changed: `b` as it was, `a` as it is."""
    return (
        "(SELECT * FROM keyed WHERE old = 1 AND new = 1) k"
        f" JOIN (SELECT * FROM found WHERE is_old) b ON {work.on_key('b', 'k')}"
        f" JOIN (SELECT * FROM found WHERE NOT is_old) a ON {work.on_key('a', 'k')}"
    )


def found_rows(work: Work, limit: int) -> Iterator[RowDiff]:
    """Give the first rows that differ, in the order of their keys, else of all their columns."""
    names = work.names
    for kind, *values in work.run(_first(work, limit)).fetchall():
        new, old, changes = values[: len(names)], values[len(names) : -1], values[-1]
        cells = tuple(
            Cell(column.name, was, now)
            for column, was, now, is_other in zip(
                work.columns, old, new, changes or (), strict=False
            )
            if is_other
        )
        yield RowDiff(kind, dict(zip((c.name for c in work.columns), new, strict=True)), cells)


def _first(work: Work, limit: int) -> str:
    order = ", ".join(work.keys or work.names)
    return (
        f"SELECT * FROM ({' UNION ALL '.join(_selects(work))}) ORDER BY {order}, kind DESC"
        f" LIMIT {int(limit)}"
    )


def found_gaps(work: Work, limit: int) -> Iterator[int]:
    """Give how many rows of `after` that do not differ lie before each of `found_rows`.

    The last one is how many lie behind them; where there are more than `limit` rows that differ,
    those are among it.
    """
    key = f"{{{', '.join(f'{name}: {name}' for name in work.keys)}}}"
    work.run(
        "CREATE TEMP TABLE bounds AS SELECT *, row_number() OVER (ORDER BY k) AS place FROM ("
        f"SELECT {key} AS k, count(*) AS many, count(*) FILTER (kind <> 'removed') AS own"
        f" FROM ({_first(work, limit)}) GROUP BY k)"
    )
    counted = work.run(
        "SELECT many, own, coalesce(n, 0) FROM bounds LEFT JOIN (SELECT place, count(*) AS n"
        f" FROM after ASOF JOIN bounds ON {key} >= bounds.k GROUP BY place) USING (place)"
        " ORDER BY place"
    ).fetchall()
    (every,) = _whole(work, "count(*) FROM after")
    gap = every - sum(rows for _, _, rows in counted)
    for many, own, rows in counted:
        yield gap
        yield from [0] * (many - 1)
        gap = rows - own
    yield gap


def _selects(work: Work) -> Iterator[str]:
    """Give the SELECTs of rows that differ: kind, new values (or the only ones), old, changes."""
    mine = ", ".join(f"f.{name}" for name in work.names)
    nothing = ", ".join("NULL" for _ in work.names)
    kind = "CASE WHEN f.is_old THEN 'removed' ELSE 'added' END AS kind"
    copies = "row_number() OVER (PARTITION BY f.h, f.g) <= abs(odd.more)"
    yield (
        f"SELECT {kind}, {mine}, {nothing}, NULL FROM found f JOIN odd ON f.h = odd.h"
        f" AND f.g = odd.g AND f.is_old = (odd.more > 0) QUALIFY {copies}"
    )
    if not work.key:
        return
    yield (
        f"SELECT {kind}, {mine}, {nothing}, NULL FROM found f"
        f" SEMI JOIN (SELECT * FROM keyed WHERE old + new = 1) k ON {work.on_key('f', 'k')}"
    )
    changes = [f"a.{name} IS DISTINCT FROM b.{name}" for name in work.names]
    new, old = (", ".join(f"{side}.{name}" for name in work.names) for side in "ab")
    yield (
        f"SELECT 'changed', {new}, {old}, [{', '.join(changes)}] FROM {_pairs(work)}"
        f" WHERE {' OR '.join(changes)}"
    )
