"""What a model reads: found in its SELECT, never declared."""

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlglot import exp

from lake.errors import ModelInvalid
from lake.models.parse import Model
from lake.models.reads import Reads
from lake.models.syntax import Statement, invalid, offset, span, tokens, tree
from lake.words import nearest

# Table functions that look at nothing outside the query.
_MAKERS = {"unnest", "range", "generate_series", "repeat", "repeat_row", "json_each", "json_tree"}
_FILES = (".parquet", ".csv", ".csv.gz", ".json", ".jsonl", ".db", ".duckdb")


@dataclass(frozen=True, slots=True)
class Reference:
    """One place where a SELECT reads a dataset: `text[start:end]` is its name as written."""

    dataset: str
    start: int
    end: int
    node: exp.Table = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class _Names:
    known: Collection[str]
    own: str
    prefer: str

    def matches(self, written: str) -> list[str]:
        if "." in written:
            return [name for name in self.known if name == written]
        found = sorted(name for name in self.known if name.partition(".")[2] == written)
        return [self.prefer] if self.prefer in found else found


@dataclass(frozen=True, slots=True)
class Input:
    """A dataset that a model reads, how, and where: the first place is the one for messages."""

    dataset: str
    reads: Reads
    references: tuple[Reference, ...]


def inputs(model: Model, known: Collection[str]) -> tuple[Input, ...]:
    """Return the datasets that a model reads, in the order of their first mention.

    Args:
        model: the model.
        known: every dataset of the lake and every model's, such as `raw.trips`.

    Raises:
        ModelInvalid: a table is unknown or ambiguous, a model reads itself or a file, `reads` names
            no input.
    """
    found = references(
        model.select, [name for name in known if name != model.dataset], own=model.dataset
    )
    datasets = list(dict.fromkeys(item.dataset for item in found))
    reads = {_read_dataset(model, key, datasets): said for key, said in model.reads.items()}
    if len(reads) < len(model.reads):
        raise ModelInvalid(f"{model.path}: reads names one input twice: {', '.join(model.reads)}")
    return tuple(
        Input(name, reads.get(name, Reads()), tuple(item for item in found if item.dataset == name))
        for name in datasets
    )


def _read_dataset(model: Model, key: str, datasets: list[str]) -> str:
    matches = [name for name in datasets if key.lower() in (name, name.partition(".")[2])]
    if len(matches) == 1:
        return matches[0]
    if matches:
        advice = " or ".join(f'reads."{name}"' for name in matches)
        raise ModelInvalid(
            f"{model.path}: reads.{key} may be {' or '.join(matches)}: write {advice}"
        )
    names = ", ".join(datasets) or "nothing"
    raise ModelInvalid(f"{model.path}: reads.{key} names no input: the model reads {names}")


def references(
    found: Statement, known: Collection[str], *, own: str = "", prefer: str = ""
) -> tuple[Reference, ...]:
    """Return every place where a SELECT reads a dataset, in the order of the text.

    Args:
        found: the SELECT.
        known: the datasets that there are.
        own: the dataset that the SELECT makes, which it cannot read.
        prefer: the dataset that a name without zone means first.

    Raises:
        ModelInvalid: a table is unknown or ambiguous, or is a file or a function that reads one.
    """
    tables = [table for table in tree(found).find_all(exp.Table) if not _is_cte(table)]
    places = [_reference(found, table, _Names(known, own, prefer)) for table in tables]
    return tuple(
        sorted((place for place in places if place is not None), key=lambda place: place.start)
    )


def _is_cte(table: exp.Table) -> bool:
    if table.db or not isinstance(table.this, exp.Identifier):
        return False
    child: exp.Expr = table
    while child.parent is not None:
        child, inner = child.parent, child
        clause = next((part for part in child.args.values() if isinstance(part, exp.With)), None)
        if clause is not None and inner is not clause and _names(clause.expressions, table.name):
            return True
        if isinstance(child, exp.With) and _visible_inside(child, inner, table.name):
            return True
    return False


def _visible_inside(clause: exp.With, cte: exp.Expr, name: str) -> bool:
    """Tell whether a CTE of `clause` can see another of this name: one before it, or itself."""
    number = next(i for i, item in enumerate(clause.expressions) if item is cte)
    return _names(clause.expressions[: number + bool(clause.args.get("recursive"))], name)


def _names(ctes: list[exp.Expr], name: str) -> bool:
    return any(cte.alias_or_name.lower() == name.lower() for cte in ctes)


def _reference(found: Statement, table: exp.Table, names: _Names) -> Reference | None:
    if not isinstance(table.this, exp.Identifier):
        _refuse_function(found, table)
        return None
    parts = [part for part in table.parts if isinstance(part, exp.Identifier)]
    start, end = span(parts[0])[0], span(parts[-1])[1]
    written = ".".join(part.name for part in parts)
    matches = names.matches(written.lower())
    if len(matches) == 1:
        return Reference(matches[0], start, end, table)
    raise invalid(found.path, found.text, start, _unresolved(written, matches, names))


def _unresolved(written: str, matches: list[str], names: _Names) -> str:
    if matches:
        return f"{written!r} may be {' or '.join(matches)}: write the one you mean with its zone"
    if names.own and written.lower() in (names.own, names.own.partition(".")[2]):
        return f"{names.own} reads itself: a model's inputs are other datasets"
    if "/" in written or written.lower().endswith(_FILES):
        return f"{written!r} is a file: a model reads datasets only; land it first"
    candidates = set(names.known)
    if "." not in written:
        candidates = {name.partition(".")[2] for name in names.known}
    return f"there is no dataset {written!r}{nearest(written.lower(), candidates)}"


def _refuse_function(found: Statement, table: exp.Table) -> None:
    call = table.this
    if isinstance(call, (exp.GenerateSeries, exp.Unnest, exp.Values)):
        return
    name = call.name if isinstance(call, exp.Anonymous) else call.key
    place = offset(found, call)
    # The tree names a function its own way (ReadCSV): the text has the user's word.
    word = next((t.text for t in tokens(found.text, found.path) if t.start == place), name)
    if word.lower() not in _MAKERS:
        raise invalid(
            found.path,
            found.text,
            place,
            f"{word}() is no dataset: a model reads datasets only; land it first",
        )
