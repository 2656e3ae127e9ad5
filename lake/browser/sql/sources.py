"""Where the tables of a query lie: the views' SELECTs, and exactly the files behind them."""

import difflib
import re
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lake import layout
from lake.browser.snapshot import Snapshot
from lake.catalog.collected import refuse_collected
from lake.catalog.state import DataFile
from lake.errors import FileDamaged, LakeError, NoSuchDataset, NoSuchVersion, QueryFailed
from lake.query import beside, meta
from lake.query.connect import absent, gone, open_session, readable
from lake.query.sql import file_list, identifier, literal, qualified
from lake.query.trust import Trust
from lake.query.views import ViewFile, plan_view
from lake.schema.admit import crowd
from storage_backends import Store

_GLOB = re.compile(r"\[([*?\[])\]")
_TEXT = re.compile(r"\"(?:[^\"]|\"\")*\"|'((?:[^']|'')*)'")
"""A text, or a name, in which a quote is none."""
_MOST_DAMAGED = 32


@dataclass(slots=True, weakref_slot=True)
class Sources:
    """What a process is told before it runs a query.

    Attributes:
        statements: make the views; some hold credentials.
        allowed: every file that may be read.
        files: how many of them the log names.
        bytes: of those.
        damaged: what is wrong with the files that are not as landed, by what is read instead.
        held: what must live until the query is over.
    """

    statements: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    damaged: dict[str, LakeError] = field(default_factory=dict)
    held: list[Any] = field(default_factory=list)


class _Heard(list[str]):
    """Hears what a store would tell a connection."""

    def execute(self, statement: str) -> None:
        self.append(statement)


def first(store: Store) -> list[str]:
    """Return the statements that let DuckDB reach a store and hold no credentials."""
    return [text for text in _heard(store) if not _is_secret(text)]


def _heard(store: Store) -> list[str]:
    heard = _Heard()
    store.let_read(heard)
    return heard


def _is_secret(statement: str) -> bool:
    return statement.startswith("CREATE OR REPLACE SECRET")


def of_names(shot: Snapshot, names: Iterable[Sequence[str]]) -> Sources:
    """Return the sources of a query that names these tables, each a schema and a name.

    Raises:
        NoSuchDataset, NoSuchVersion: one is not there, or has no columns yet.
        FileDamaged: a file that each query needs is not the one that the log names, or many are.
    """
    found = _begun(shot)
    for schema, name in names:
        table = f"{schema}.{name}".lower()
        if schema.lower() == "meta" and name.lower() in meta.TABLES:
            _add_meta(shot, found, name.lower())
        elif beside.is_one(table, shot.lake.state):
            _add_beside(shot, found, table)
        elif table in shot.lake.state.datasets:
            state = shot.state()
            _add_view(shot, found, table, state.data_files(table))
        else:
            raise NoSuchDataset(_unknown(shot, table))
    return found


def of_rows(
    shot: Snapshot, dataset: str, files: Sequence[DataFile], *, is_whole: bool
) -> Callable[[Iterable[Sequence[str]]], Sources]:
    """Return what gives the sources of a query over a dataset's rows and where each lies.

    `is_whole`: these are all files, and conditions may leave some out; else each of them is read.
    """

    def sources(names: Iterable[Sequence[str]]) -> Sources:
        found = _begun(shot)
        _add_view(shot, found, dataset, files, with_origin=True)
        if not is_whole:
            for error in found.damaged.values():
                raise error
        return found

    return sources


def _begun(shot: Snapshot) -> Sources:
    log = shot.lake.log
    schemas = [f"CREATE SCHEMA {name}" for name in (*layout.ZONES, "meta")]
    zone = f"SET TimeZone = {literal(log.identity.timezone)}"
    secrets = [text for text in _heard(log.store) if _is_secret(text)]
    return Sources([*secrets, zone, *schemas], held=[shot])


def _add_view(
    shot: Snapshot,
    found: Sources,
    dataset: str,
    files: Sequence[DataFile],
    *,
    with_origin: bool = False,
) -> None:
    state, log = shot.state(), shot.lake.log
    if dataset not in readable(state):
        raise NoSuchVersion(f"{dataset} has no columns yet: all that was landed is held")
    refuse_collected(state, (file.key for file in files), what=dataset)
    url_of, columns = log.store.data_url, crowd(state, dataset)
    damaged = _damaged(shot, dataset, files)
    # A query is planned by the first file of a view.
    seen = [ViewFile(url_of(file.key), file.schema) for file in files]
    seen.sort(key=lambda file: file.url in damaged)
    plan = plan_view(dataset, seen, state.schemas, columns.reconciled(), columns.keys)
    with absent(log, state, dataset):
        _trust(shot).check_leaders(dataset, plan.schema_files)
    rows = plan.select(url_of, with_origin=with_origin)
    _add(shot, found, f"CREATE VIEW {qualified(dataset)} AS {rows}", damaged)
    found.files += len(files)
    found.bytes += sum(file.bytes for file in files)


def _add(shot: Snapshot, found: Sources, statement: str, damaged: Mapping[str, LakeError]) -> None:
    """Let a query read what a view's statement names, but no damaged file."""
    root = shot.lake.log.store.data_url("x").removesuffix("x")
    places, allowed = _stand_ins(found, damaged, root), dict[str, None]()

    def seen(match: re.Match[str]) -> str:
        text = (match[1] or "").replace("''", "'")
        url = _GLOB.sub(r"\1", text)
        if text in places:
            return literal(places[text])
        if url in places:
            return file_list([places[url]])[1:-1]
        if url.startswith(root):
            allowed.update(dict.fromkeys((url, text)))  # DuckDB looks up patterns as they are
        return match[0]

    found.statements.append(_TEXT.sub(seen, statement))
    found.allowed += [*allowed, *places.values()]


def _damaged(shot: Snapshot, dataset: str, files: Iterable[DataFile]) -> dict[str, LakeError]:
    """Return the files that are not what the log says, by where they lie, with why."""
    log, found = shot.lake.log, dict[str, LakeError]()
    for file, why in _trust(shot).damage(dataset, files):
        error: LakeError = (
            why if isinstance(why, FileDamaged) else gone(log, shot.state(), dataset, file.key)
        )
        if len(found) == _MOST_DAMAGED:
            raise error
        found[log.store.data_url(file.key)] = error
    return found


def _stand_ins(found: Sources, damaged: Mapping[str, LakeError], root: str) -> dict[str, str]:
    """Put something that is no Parquet in the place of each damaged file, called as that is.

    A query whose conditions leave the file out runs; any other fails, and says which file it was.
    Were it not allowed instead, DuckDB would refuse every query; were it left out of the view, its
    rows would be missing from an answer without a word.
    """
    places: dict[str, str] = {}
    if not damaged:
        return places
    folder = tempfile.TemporaryDirectory(prefix="clearlake-", ignore_cleanup_errors=True)
    weakref.finalize(found, folder.cleanup)
    for url, error in damaged.items():
        place = Path(folder.name, url.removeprefix(root))
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        except OSError:  # what is a key elsewhere may be too long for a file here
            raise error from None
        places[url] = str(place)
        found.damaged[str(place)] = error
    return places


def _trust(shot: Snapshot) -> Trust:
    trust = shot.memo("trust", lambda: open_session(shot.lake.log, shot.state()).trust)
    shot.lake.log.store.let_read(trust.connection)  # credentials end sooner than snapshots
    return trust


def _add_beside(shot: Snapshot, found: Sources, table: str) -> None:
    dataset, kind = beside.split(table)
    state, log = shot.state(), shot.lake.log
    files = state.data_files(dataset) if kind != "rejected" else []
    damaged = _damaged(shot, dataset, files)
    with shot.meta() as connection:
        rows = beside.select(connection, log, state, dataset, kind)
    _add(shot, found, f"CREATE VIEW {beside.qualified(table)} AS {rows}", damaged)
    found.files += len(files)
    found.bytes += sum(file.bytes for file in files)


def _add_meta(shot: Snapshot, found: Sources, name: str) -> None:
    path = shot.memo(("meta file", name), lambda: _written(shot, name))
    rows = f"SELECT * FROM read_parquet({file_list([path])})"
    found.statements.append(f"CREATE VIEW meta.{identifier(name)} AS {rows}")
    found.allowed.append(path)


def _written(shot: Snapshot, name: str) -> str:
    """Write a metadata table outside of the lake, as a file that lives as long as the snapshot."""
    folder = tempfile.TemporaryDirectory(prefix="clearlake-", ignore_cleanup_errors=True)
    weakref.finalize(shot, folder.cleanup)
    path = str(Path(folder.name) / f"{name}.parquet")
    import duckdb

    try:
        with shot.meta() as connection:
            connection.execute(
                f"COPY (FROM meta.{identifier(name)}) TO {literal(path)} (FORMAT parquet)"
            )
    except duckdb.OutOfMemoryException as exc:
        raise QueryFailed(f"meta.{name} is too large to be asked here: use `lake query`") from exc
    return path


def _unknown(shot: Snapshot, table: str) -> str:
    state = shot.lake.state
    known = [*readable(state), *(f"meta.{name}" for name in meta.TABLES)]
    near = difflib.get_close_matches(table, known, 1, cutoff=0.5)
    advice = f"; perhaps {near[0]} is meant" if near else ""
    return f"There is no {table[:200]} at commit {shot.commit}{advice}"


def hidden(shot: Snapshot, text: str) -> str:
    """Return a text of DuckDB's, without the places of the machine that it may name."""
    root = shot.lake.log.store.data_url("x").removesuffix("x")
    text = text.replace(shot.lake.url, "the lake").replace(root, "")
    text = text.replace(tempfile.gettempdir(), "")
    return re.sub(r"/[\w.-]*clearlake-[\w-]+/", "", text)
