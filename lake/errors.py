"""Every error that the lake raises on purpose.

    LakeError
    ├── InvalidName, InvalidAddress, InvalidConfig      (ValueError)    what was asked for cannot be
    ├── NoSuchLake, NoSuchDataset, NoSuchPartition, NoSuchVersion,
    │   NoSuchSource, NoSuchModel, NoSuchTable          (LookupError)   what was named is not there
    ├── LakeTooNew, ClockSkewed, MissingExtra                           the surroundings are wrong
    ├── StoreUnavailable (OSError)
    │   └── StoreRefused (PermissionError)
    ├── CommitRefused, CommitUnknown, VersionConflict, LogDamaged,
    │   VersionExpired                                                  the log
    ├── SourceUnreadable (ValueError), SourceIncomplete, SourceMissing,
    │   VersionHeld, SchemaConflict, FileDamaged                        landing and reading
    ├── QueryFailed (ValueError)                                        a person's SQL
    ├── ModelInvalid (ValueError), BuildFailed, CheckFailed             models
    ├── WarehouseLocked, LoadRefused                                    loading
    └── SeveralFailed                                   some of many; the others went through

Each is also the builtin that it resembles. A message says what was tried, what is true now and what
to do next; it never holds a secret.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


class LakeError(Exception):
    """The base of all; the command line prints it as one line and exits with 1."""

    _public = ""

    @property
    def public(self) -> str:
        """The message without values of the data, for what others keep: logs, run histories."""
        return self._public or str(self)

    def told_as(self, public: str) -> Self:
        """Give an error whose message quotes the data one that does not; return it."""
        self._public = public
        return self

    def hush(self) -> Self:
        """Say nothing but the public message from now on, whoever asks; return it."""
        self.args = (self.public,)
        return self


class InvalidName(LakeError, ValueError):
    """A dataset, partition, column or tag name that cannot be one."""


class InvalidAddress(LakeError, ValueError):
    """Text that is no `DATASET[/k=v…][@WHEN]`."""


class InvalidConfig(LakeError, ValueError):
    """`lake.toml`, a lake's URL or an environment variable says something impossible."""


class NoSuchLake(LakeError, LookupError):
    """There is no lake at this URL."""


class NoSuchDataset(LakeError, LookupError):
    """The lake has no such dataset at this commit."""


class NoSuchPartition(LakeError, LookupError):
    """The dataset has no such partition at this commit."""


class NoSuchVersion(LakeError, LookupError):
    """No such commit, tag, time or version."""


class NoSuchSource(LakeError, LookupError):
    """Neither `lake.toml` nor the lake declares such a source."""


class NoSuchModel(LakeError, LookupError):
    """Neither `models/` nor the lake has such a model."""


class NoSuchTable(LakeError, LookupError):
    """`[warehouse]` names no such table."""


class LakeTooNew(LakeError, RuntimeError):
    """The lake was written in a format that this version does not know. Upgrade clearlake."""


class ClockSkewed(LakeError, RuntimeError):
    """This host's clock is more than 5 minutes off the store's. Safe to retry once it is set."""


class MissingExtra(LakeError, ImportError):
    """A package is missing; the message holds the command that installs it."""


class StoreUnavailable(LakeError, OSError):
    """The store did not answer, or is full. Safe to retry."""


class StoreRefused(StoreUnavailable, PermissionError):
    """The store refuses these credentials or this object: a retry is no use before that is mended.

    Nothing is lost: the same command goes on then.
    """


def unavailable(text: str, why: BaseException) -> StoreUnavailable:
    """Return the error for what a store's own error `why` keeps from being done."""
    is_refused = isinstance(why, PermissionError)
    return StoreRefused(text) if is_refused else StoreUnavailable(text)


class CommitRefused(LakeError, PermissionError):
    """The store definitely refused the commit: nothing was published. Safe to retry."""


class CommitUnknown(LakeError, ConnectionError):
    """The store never said whether the commit was stored. Safe to retry: the log decides."""

    def __init__(self, commit_id: str, number: int) -> None:
        super().__init__(
            f"commit {commit_id} may or may not have been published as number {number}: the store"
            " gave no clear answer; run the same command again, which finds out and completes it"
        )
        self.commit_id = commit_id
        self.number = number


class VersionConflict(LakeError, RuntimeError):
    """What the commit names has moved meanwhile: nothing was published. Look again, then retry."""


class LogDamaged(LakeError, RuntimeError):
    """The log has a hole or an entry that does not follow from the one before. Nobody writes."""


class VersionExpired(LakeError, LookupError):
    """The snapshot's files were collected: it is older than what is kept."""


class SourceUnreadable(LakeError, ValueError):
    """The source's bytes are not what they claim to be. Nothing was logged; a retry is no use."""


class SourceIncomplete(LakeError, ConnectionError):
    """The source sent fewer bytes than it announced. Nothing was logged. Safe to retry."""


class SourceMissing(LakeError, FileNotFoundError):
    """The source has nothing at this place (a path that is not there, HTTP 404 or 410)."""

    def __str__(self) -> str:
        return str(self.args[0])


class VersionHeld(LakeError, ValueError):
    """The bytes are kept, but cannot be joined with the rest. The views stay as they were."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two columns that cannot be joined: their types, the ids of their schemas, and why not.

    `column` is the newest spelling, with the path of a nested leaf behind it: `trip.fee`. The
    left schema is the older one; both are the same where one file holds a name twice.
    """

    column: str
    left_type: str
    right_type: str
    left_schema: str
    right_schema: str
    why: str


class SchemaConflict(LakeError, TypeError):
    """Two columns that no rule joins without loss.

    Args:
        conflict: what does not fit together.
        left: how to name the older file; its schema's id where it is not known.
        right: how to name the newer one, or the declaration.
        where: what the message starts with, such as the table of `lake.toml` that is at fault.
    """

    def __init__(
        self, conflict: Conflict, *, left: str = "", right: str = "", where: str = ""
    ) -> None:
        left = left or f"schema {conflict.left_schema}"
        right = right or f"schema {conflict.right_schema}"
        super().__init__(
            f"{where}column {conflict.column!r} is {conflict.left_type} in {left} and"
            f" {conflict.right_type} in {right}: {conflict.why}"
        )
        self.conflict = conflict


class FileDamaged(LakeError, ValueError):
    """A file in the lake is not the one that the log names."""


class QueryFailed(LakeError, ValueError):
    """DuckDB refuses a query given on the command line; the message names line and column."""


class ModelInvalid(LakeError, ValueError):
    """A model's header or SQL is wrong; the message names file, line and column."""


class BuildFailed(LakeError, RuntimeError):
    """A model could not be built; nothing of it was published."""


class CheckFailed(LakeError, RuntimeError):
    """A check found rows. Its model and what hangs on it were not published."""


class WarehouseLocked(LakeError, BlockingIOError):
    """Another process has the warehouse open. Safe to retry once it is closed."""

    def __str__(self) -> str:
        return str(self.args[0])


class LoadRefused(LakeError, ValueError):
    """The table cannot take this load; it stayed as it was."""


class SeveralFailed(LakeError, RuntimeError):
    """Some of many failed, each named in the message; the others went through."""

    def __init__(self, errors: "list[LakeError]") -> None:
        super().__init__("; ".join(dict.fromkeys(str(error) for error in errors)))
        self.errors = errors

    @property
    def public(self) -> str:
        """What all of them say without values of the data."""
        return "; ".join(dict.fromkeys(error.public for error in self.errors))

    def hush(self) -> Self:
        """Say nothing but the public messages from now on, nor let any of them say more."""
        super().hush()
        for error in self.errors:
            error.hush()
        return self


def raise_all(errors: Sequence[LakeError]) -> None:
    """Raise what failed of many things, if anything did."""
    if errors:
        raise errors[0] if len(errors) == 1 else SeveralFailed(list(errors))
