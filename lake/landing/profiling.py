"""The profile of a version, written beside its files: now, or while the commit is on its way."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from lake import layout
from lake.convert.tables import Table
from lake.errors import LakeError
from lake.landing.stage import Attempt, put_beside
from lake.parquet.inspect import Inspected

_SMALL_BYTES = 1_000_000
_LARGE_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class ToProfile:
    """A Parquet that is to be profiled.

    Attributes:
        path: where it lies here.
        key: under which it lies in the lake.
        personal: its columns that speak of people.
        is_source: it was no more than copied, so that little time may go into it.
        has_limits_only: no values are counted.
    """

    path: Path
    key: str
    name: str
    inspected: Inspected
    personal: frozenset[str]
    is_source: bool
    has_limits_only: bool


def to_profile(
    attempt: Attempt, table: Table, inspected: Inspected, key: str, personal: frozenset[str]
) -> ToProfile:
    """Return what is to be profiled of a table: as much as costs little beside its landing."""
    # Counting takes longer than all else that is done with a small one of very many.
    is_small = attempt.is_bulk and table.path.stat().st_size < _SMALL_BYTES
    return ToProfile(table.path, key, table.name, inspected, personal, table.is_source, is_small)


def put_profiles(attempt: Attempt, wanted: Sequence[ToProfile], folder: str) -> None:
    """Write the profile of a version; of files that lie in the lake here already, soon.

    Raises:
        SourceUnreadable: its rows cannot be read, as far as it was written now.
    """
    places = [Path(attempt.log.store.data_url(one.key)) for one in wanted]
    if attempt.later and all(place.is_file() for place in places):
        there = [replace(one, path=place) for one, place in zip(wanted, places, strict=True)]
        attempt.later(lambda: _put_if_it_can_be(attempt, there, folder))
    else:
        _put(attempt, wanted, folder)


def _put_if_it_can_be(attempt: Attempt, wanted: Sequence[ToProfile], folder: str) -> None:
    with suppress(LakeError, OSError):  # the version is published: it just has no profile
        _put(attempt, wanted, folder)


def _at_most(one: ToProfile) -> int:
    """Return of how many rows values are counted."""
    from lake.profile.profile import AS_LANDED, CONVERTED, LARGE_AS_LANDED

    if one.has_limits_only:
        return 0
    if not one.is_source:
        return CONVERTED
    return AS_LANDED if one.inspected.byte_count < _LARGE_BYTES else LARGE_AS_LANDED


def _put(attempt: Attempt, wanted: Sequence[ToProfile], folder: str) -> None:
    from lake.profile.profile import profile, profile_document

    made = [
        profile(
            one.path,
            key=one.key,
            name=one.name,
            inspected=one.inspected,
            personal=one.personal,
            at_most=_at_most(one),
        )
        for one in wanted
    ]
    put_beside(attempt, folder + layout.PROFILE, profile_document(made))
