"""`diff`: what is different between two versions, snapshots or commits of the lake."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lake.catalog import snapshot
from lake.catalog.state import DataFile, State, Version, data_files
from lake.config import source_from_text
from lake.errors import InvalidAddress, NoSuchVersion
from lake.operations.diff_lake import LakeDiff, diff_states
from lake.operations.diff_rows import Asked, Side, TableDiff, diff_tables
from lake.query import address as addresses

if TYPE_CHECKING:
    from lake.lake import Lake

LIMIT = 20


@dataclass(frozen=True, slots=True)
class _Held:
    """What an address holds: its state, its files, and the version where it is one."""

    label: str
    address: addresses.Address
    state: State
    files: tuple[DataFile, ...]
    version: Version | None = None


def diff(
    lake: "Lake",
    before: str | int | None = None,
    after: str | int | None = None,
    *,
    key: Sequence[str] = (),
    limit: int = LIMIT,
    gaps: bool = False,
) -> LakeDiff | TableDiff:
    """Return what is different between two addresses, or between two commits of the whole lake.

    `@WHEN` without a dataset (or only a number) is the whole lake, of which the log alone tells:
    no data are read. With one address it is compared with what it held before its last change;
    without any, it is the newest commit.

    Rows are matched by `key`, else by the key that the dataset's source declares, else as
    multisets: then none is changed, but removed and added. -0.0 equals 0.0, NaN equals NaN, NULL
    equals NULL; values of two types are compared as the type that holds both exactly.

    `key` are columns of both; at most `limit` rows are given, and all are counted. `gaps` counts
    the rows that do not differ between those, too.

    Raises:
        InvalidAddress: one is a dataset, the other the whole lake.
        InvalidName: `key` names a column that one of them has not.
        NoSuchDataset, NoSuchPartition, NoSuchVersion: there is none, or nothing before it.
        FileDamaged: a file is not the one that the log names.
    """
    one = None if before is None else _whole(before)
    other = one if after is None else _whole(after)
    if (one is None) != (other is None) and before is not None:
        raise InvalidAddress(
            f"{before} and {after} cannot be compared: one is the whole lake; give two datasets,"
            " or two commits such as @12 @20"
        )
    if before is None or one is not None:
        return diff_states(*_states(lake, one, None if after is None else other))
    asked = Asked(tuple(key), bool(key), limit, gaps)
    return _tables(lake, str(before), None if after is None else str(after), asked)


def _tables(lake: "Lake", before: str, after: str | None, asked: Asked) -> TableDiff:
    left, right = _held(lake, before, after)
    left_files, right_files = _cancelled(left, right)
    if not asked.key:
        asked = replace(asked, key=_declared_key(right))
    return diff_tables(lake.log, _side(left, left_files), _side(right, right_files), asked)


def _whole(text: str | int) -> str | None:
    """Return the WHEN of an address of the whole lake; None of a dataset's."""
    said = str(text)
    if said.startswith("@") and len(said) > 1:
        return said[1:]
    return said if said.isascii() and said.isdigit() else None


def _states(lake: "Lake", one: str | None, other: str | None) -> tuple[State, State]:
    if other is not None:
        first, second = (snapshot.resolve(lake.log, lake.state, w or "0") for w in (one, other))
    else:
        second = lake.commit if one is None else snapshot.resolve(lake.log, lake.state, one)
        first = max(second - 1, 0)
    states = [snapshot.state_at(lake.log, lake.state, number) for number in (first, second)]
    return states[0], states[1]


def _held(lake: "Lake", before: str, after: str | None) -> tuple[_Held, _Held]:
    if after is not None:
        return _found(lake, before), _found(lake, after)
    now = _found(lake, before)
    version = now.version
    last = version.commit if version else now.state.datasets[now.address.dataset].changed_in
    path = before.partition("@")[0]
    if last > 1:
        former = snapshot.state_at(lake.log, lake.state, last - 1)
        known = former.datasets.get(now.address.dataset)
        if known and known.last_schema and (not version or _current(former, now.address)):
            return _found(lake, f"{path}@{last - 1}"), now
    raise NoSuchVersion(
        f"{before} held nothing before commit {last}: there is nothing to compare it with"
    )


def _current(state: State, address: addresses.Address) -> Version | None:
    return state.partition(address.dataset, address.partition).current


def _found(lake: "Lake", text: str) -> _Held:
    address = addresses.parse(text)
    state = addresses.state_of(lake.log, lake.state, address)
    name = addresses.find_dataset(state, address.dataset)
    is_one = address.partition or address.version is not None or not state.datasets[name].keys
    if not is_one:
        return _Held(_label(text, state), address, state, tuple(state.data_files(name)))
    version = addresses.version_at(lake.log, lake.state, address)
    files = tuple(
        DataFile(address.partition, file.key, file.schema, file.bytes, file.rows)
        for file in data_files(version)
    )
    return _Held(f"{text.partition('@')[0]}@v{version.number}", address, state, files, version)


def _label(text: str, state: State) -> str:
    return text if "@" in text else f"{text}@{state.commit}"


def _side(held: _Held, files: Sequence[DataFile]) -> Side:
    partition = held.address.partition
    rows = sum(file.rows for file in held.files)
    return Side(
        held.label, held.address.dataset, held.state, tuple(files), held.files, rows, partition
    )


def _cancelled(left: _Held, right: _Held) -> tuple[list[DataFile], list[DataFile]]:
    """Leave out the files that both hold: equal bytes are equal rows, and need not be read."""
    same = {file.key for file in left.files} & {file.key for file in right.files}
    rest = [[f for f in side.files if f.key not in same] for side in (left, right)]
    digests = _digests(left, rest[0]) | _digests(right, rest[1])
    # Where one partition is compared with another, its name is no difference.
    is_named = bool(left.address.partition and right.address.partition)

    def content(file: DataFile) -> tuple[str, str]:
        return ("" if is_named else file.partition, digests[file.key])

    common = Counter(map(content, rest[0])) & Counter(map(content, rest[1]))
    return _without(rest[0], common, content), _without(rest[1], common, content)


def _without(
    files: Sequence[DataFile],
    common: "Counter[tuple[str, str]]",
    content: Callable[[DataFile], tuple[str, str]],
) -> list[DataFile]:
    left = Counter(common)
    kept = []
    for file in files:
        if left[content(file)]:
            left[content(file)] -= 1
        else:
            kept.append(file)
    return kept


def _digests(held: _Held, files: Sequence[DataFile]) -> dict[str, str]:
    if held.version:
        return {file.key: file.sha256 for file in held.version.files}
    name, texts = held.address.dataset, dict.fromkeys(file.partition for file in files)
    held.state.prefetch((name, text) for text in texts)
    return {
        file.key: file.sha256
        for text in texts
        for file in data_files(held.state.partition(name, text).current)
    }


def _declared_key(held: _Held) -> tuple[str, ...]:
    zone, _, name = held.address.dataset.partition(".")
    text = held.state.declared("source").get(name, "") if zone == "raw" else ""
    return source_from_text(text, name).reading.key if text else ()
