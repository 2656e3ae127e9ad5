"""`column_profiles`: what is known of an address's columns, out of profiles made at landing."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lake import layout, objects
from lake.catalog.entries import Column
from lake.catalog.state import DataFile, State, data_files
from lake.profile.merge import merged
from lake.profile.profile import ColumnProfile, Profile, profiles_of
from lake.query import address as addresses
from lake.schema.admit import crowd
from lake.schema.join import spell
from lake.schema.reconcile import Declared, renaming

if TYPE_CHECKING:
    from lake.lake import Lake


@dataclass(frozen=True, slots=True)
class Profiles:
    """The columns of an address as far as its files were profiled.

    Attributes:
        columns: in the view's order, those of the partition's keys left out.
        rows: of the files that have a profile, which the columns speak of.
        counted: how many of these rows were counted; where fewer, counts are estimates.
        files: how many of the address's files have a profile.
        missing: how many have none, or nothing but limits: "not profiled yet".
        left_out: how many older ones were not looked at.
    """

    columns: tuple[ColumnProfile, ...]
    rows: int = 0
    counted: int = 0
    files: int = 0
    missing: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A column, how it is called in files of each schema, and whether it may be shown."""

    name: str
    type: str
    names: Mapping[str, str]
    personal: bool = False


class _Pair:
    """A file's profile with the schema that the file has."""

    def __init__(self, schema: str, profile: Profile) -> None:
        self.schema, self.profile = schema, profile
        self.columns = {column.name: column for column in profile.columns}


def column_profiles(lake: "Lake", text: str, *, newest: int | None = None) -> Profiles:
    """Return what the profiles beside an address's files say of its columns, all files together.

    No data are read. A column that is declared personal now is not shown, whatever was declared
    when it was landed; a column that a file does not have is NULL there. Of a whole dataset, only
    the `newest` files count, if that is said: those of its last partitions.

    Raises:
        NoSuchDataset, NoSuchPartition, NoSuchVersion: there is none.
        StoreUnavailable: a profile could not be fetched. Safe to retry.
    """
    address = addresses.parse(text)
    state = addresses.state_of(lake.log, lake.state, address)
    name = addresses.find_dataset(state, address.dataset)
    left_out = 0
    if address.partition or address.version is not None:
        version = addresses.version_at(lake.log, lake.state, address)
        files = [
            DataFile(address.partition, f.key, f.schema, f.bytes, f.rows)
            for f in data_files(version)
        ]
        wanted = _of_schemas(state, name, {file.schema for file in files})
    else:
        every, wanted = state.data_files(name), _of_view(state, name)
        files = every if newest is None else every[-newest:]
        left_out = len(every) - len(files)
    found = _read(lake, {file.key for file in files})
    profiled = [file for file in files if _says_something(found.get(file.key))]
    pairs = [_Pair(file.schema, found[file.key]) for file in profiled]
    return Profiles(
        tuple(_merge(column, pairs) for column in wanted),
        rows=sum(pair.profile.rows for pair in pairs),
        counted=sum(pair.profile.profiled for pair in pairs),
        files=len(pairs),
        missing=len(files) - len(pairs),
        left_out=left_out,
    )


def _of_view(state: State, dataset: str) -> list[_Wanted]:
    here = crowd(state, dataset)
    personal = _personal(here.declared)
    return [
        _Wanted(
            column.name,
            column.type,
            {schema: part.name for schema, part in column.parts.items() if part},
            spell(column.name) in personal,
        )
        for column in here.reconciled().columns
        if column.parts
    ]


def _of_schemas(state: State, dataset: str, schemas: Iterable[str]) -> list[_Wanted]:
    """Return the columns as the files have them: a held version fits into no view."""
    declared = crowd(state, dataset).declared
    personal, rename = _personal(declared), renaming(declared)
    columns: dict[str, dict[str, Column]] = {}
    for schema in sorted(schemas):
        for column in state.schemas[schema]:
            columns.setdefault(column.name, {})[schema] = column
    return [
        _Wanted(
            name,
            next(iter(of.values())).type,
            dict.fromkeys(of, name),
            spell(rename(name)) in personal,
        )
        for name, of in columns.items()
    ]


def _personal(declared: Declared) -> set[str]:
    return {spell(name) for name, column in declared.items() if column.personal}


def _read(lake: "Lake", keys: Iterable[str]) -> dict[str, Profile]:
    """Return the profiles that there are, by the key of their file."""
    sidecars = sorted({layout.beside(key, layout.PROFILE) for key in keys})

    at_once = lake.log.parallel

    def fetch(keys: Sequence[str]) -> list[Profile]:
        return [one for key in keys for one in _read_one(lake, key)]

    with ThreadPoolExecutor(at_once) as pool:
        found = pool.map(fetch, (sidecars[first::at_once] for first in range(at_once)))
        return {one.key: one for several in found for one in several}


def _read_one(lake: "Lake", sidecar: str) -> tuple[Profile, ...]:
    try:
        return profiles_of(objects.read(lake.log.store, sidecar))
    except FileNotFoundError:
        return ()


def _says_something(one: Profile | None) -> bool:
    return one is not None and (one.profiled > 0 or one.rows == 0)


def _merge(column: _Wanted, pairs: Sequence[_Pair]) -> ColumnProfile:
    if column.personal:
        return ColumnProfile(column.name, column.type, personal=True)
    parts = []
    for pair in pairs:
        part = pair.columns.get(column.names.get(pair.schema, ""))
        parts.append(part or ColumnProfile(column.name, column.type, nulls=pair.profile.rows))
    return merged(column.name, column.type, parts)
