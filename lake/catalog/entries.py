"""What the log is made of: entries and their changes, and how they are written as JSON.

An entry is immutable and names its predecessor by SHA-256, so the log is a chain. Every change is
a frozen dataclass; fields that hold their default are not written.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias, get_args

FORMAT = 1

Bound: TypeAlias = int | float | str
Role: TypeAlias = Literal["data", "original", "object"]
Why: TypeAlias = Literal["landing", "publication", "rollback", "release"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column as DuckDB reads it from one file, and what its values allow.

    `facts` are what a join of types must know beyond the type: `null` (every value is NULL),
    `wide` (an integer beyond ±2^53), `beyond_ns`, `beyond_us` (a time that TIMESTAMP_NS or
    TIMESTAMP cannot hold); for a leaf of a nested column with its path: `a.b:wide`.
    """

    name: str
    type: str
    facts: tuple[str, ...] = ()


Schema: TypeAlias = tuple[Column, ...]


def schema_id(schema: Schema) -> str:
    """Return a schema's id: 16 hex digits of the SHA-256 of its columns, facts included."""
    text = json.dumps([[c.name, c.type, list(c.facts)] for c in schema], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one column of one file: how many NULLs, and numeric or temporal limits.

    Times are ISO texts, decimals are texts; `None` where a limit is unknown or the type has none.
    """

    nulls: int = 0
    min: Bound | None = None
    max: Bound | None = None


@dataclass(frozen=True, slots=True)
class File:
    """One immutable object.

    Its role: `data` holds rows that views read, `original` a source's own bytes, and `object` one
    of the things in such an original, taken out.
    """

    key: str
    bytes: int
    sha256: str
    rows: int = 0
    schema: str = ""
    bounds: Mapping[str, Bounds] = field(default_factory=dict)
    role: Role = "data"
    each: str = ""
    """The input partition that this fragment was made from (`reads = "each"`)."""


@dataclass(frozen=True, slots=True)
class Landed:
    """What a version of files has beside them; the part that its receipt holds too."""

    at: str
    """ISO time, UTC."""
    receipt: str = ""
    """Key of the receipt."""
    run: str = ""
    origin: Mapping[str, str] = field(default_factory=dict)
    """Of a landing: `url` (no credentials), `sha256` as sent, `etag`, `last_modified`, `name`."""
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Replace:
    """All of a partition's files."""

    action: ClassVar[str] = "replace"
    dataset: str
    partition: str
    files: tuple[File, ...]
    content: str
    landed: Landed
    why: Why = "landing"
    build: str = ""
    """The build key, of a publication."""
    rejects: tuple[str, ...] = ()
    """Contents that a rollback rejected: skipped until another one is published there."""
    cursor: str = ""  # of a rollback: where an append goes on


@dataclass(frozen=True, slots=True)
class Append:
    """More files; valid only where the partition's cursor equals `start`."""

    action: ClassVar[str] = "append"
    dataset: str
    partition: str
    files: tuple[File, ...]
    content: str
    landed: Landed
    start: str = ""
    end: str = ""
    batch: str = ""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Some of a partition's files as others; its content stays."""

    action: ClassVar[str] = "rewrite"
    dataset: str
    partition: str
    removed: tuple[str, ...]
    added: tuple[File, ...]
    landed: Landed


@dataclass(frozen=True, slots=True)
class Remove:
    """A partition is there no longer."""

    action: ClassVar[str] = "remove"
    dataset: str
    partition: str
    rejects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drop:
    """A dataset is there no longer."""

    action: ClassVar[str] = "drop"
    dataset: str


@dataclass(frozen=True, slots=True)
class Rename:
    """A dataset has another name; its files stay where they are."""

    action: ClassVar[str] = "rename"
    dataset: str
    to: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A version that is kept and not current."""

    action: ClassVar[str] = "hold"
    dataset: str
    partition: str
    files: tuple[File, ...]
    content: str
    landed: Landed
    reason: str
    why: Literal["contract", "schema"] = "contract"
    """`schema`: it could not be joined with the others, which a declaration may change."""


@dataclass(frozen=True, slots=True)
class Release:
    """A held version becomes current, as a new version."""

    action: ClassVar[str] = "release"
    dataset: str
    partition: str
    version: int


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found: `failed` rows, of severity `error` or `warn`."""

    name: str
    failed: int = 0
    severity: Literal["error", "warn"] = "error"


@dataclass(frozen=True, slots=True)
class Built:
    """A model was built with `key`, whether or not its data changed.

    For `each`, once per input partition `each`, with the output partitions that it feeds.
    """

    action: ClassVar[str] = "built"
    dataset: str
    key: str
    checks: tuple[CheckResult, ...] = ()
    each: str = ""
    feeds: tuple[str, ...] = ()
    scope: str = ""
    """The output partition that this build made (`same`, ranges); `""` for the whole."""
    gone: bool = False
    """The input partition or output partition of this build is no more."""
    commit: int = 0
    """In which it was published; known to the state only, never written."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth keeping that changes no data.

    `gone`: its source has it no longer; `drift`: a view's column has another type than before.
    """

    action: ClassVar[str] = "note"
    kind: Literal["check", "load", "gone", "drift"]
    dataset: str
    partition: str = ""
    text: str = ""
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Declare:
    """What `lake.toml` or `models/` says of one thing, as text; an empty text takes it back."""

    action: ClassVar[str] = "declare"
    kind: Literal["source", "model", "table", "lake"]
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A name for a snapshot; commit 0 takes the name away."""

    action: ClassVar[str] = "tag"
    name: str
    commit: int


@dataclass(frozen=True, slots=True)
class Doom:
    """Keys that the garbage collector is about to delete; nobody may publish them any more."""

    action: ClassVar[str] = "doom"
    keys: tuple[str, ...]


Change: TypeAlias = (
    Replace
    | Append
    | Rewrite
    | Remove
    | Drop
    | Rename
    | Hold
    | Release
    | Built
    | Note
    | Declare
    | Tag
    | Doom
)
CHANGES: dict[str, type] = {kind.action: kind for kind in get_args(Change)}


@dataclass(frozen=True, slots=True)
class Author:
    """Who published: the run (Prefect's, or a random id), the host and the program's version."""

    run: str = ""
    host: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One numbered entry of the log.

    `changes` is empty in the stored JSON where `changes_file` names them by key and SHA-256.
    """

    lake: str
    commit: int
    id: str
    parent: str
    committed_at: str
    changes: tuple[Change, ...]
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    message: str = ""
    author: Author = Author()
    changes_file: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT
