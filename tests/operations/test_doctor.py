from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lake import init
from lake.operations.doctor import doctor
from storage_backends import Listed, Store, open_store
from tests.stores import HookedStore


class Overwriting(HookedStore):
    """A store whose create-only write is none."""

    def put_new(self, key: str, data: bytes) -> None:
        self.inner.put(key, data)


class Late(HookedStore):
    """A store in whose time it is an hour earlier."""

    def now(self) -> datetime:
        return self.inner.now() - timedelta(hours=1)


class Undeleting(HookedStore):
    """A store that deletes nothing."""

    def delete(self, key: str) -> None:
        pass


class Forbidding(HookedStore):
    """A store that does not tell an absent key from one that may not be read."""

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        try:
            return super().get(key, start=start, length=length)
        except FileNotFoundError:
            raise PermissionError(f"403 for {key}") from None


class Lagging(HookedStore):
    """A store whose listings miss what is new."""

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[Listed]:
        return iter([*self.inner.list(prefix, after=after)][:-1])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    init(str(tmp_path / "lake"))
    return open_store(str(tmp_path / "lake"))


def _failed(store: Store) -> dict[str, str]:
    return {finding.tried: finding.found for finding in doctor(store) if not finding.ok}


def test_a_sound_store_passes_and_keeps_nothing(store: Store) -> None:
    before = [item.key for item in store.list()]
    assert _failed(store) == {}
    assert [item.key for item in store.list()] == before


def test_a_store_that_overwrites_would_lose_commits(store: Store) -> None:
    assert _failed(Overwriting(store)) == {
        "create-only": "16 of 16 writers were told that they created one key: commits would be"
        " lost; use a store with create-only writes"
    }


def test_a_clock_that_is_off_is_named(store: Store) -> None:
    assert _failed(Late(store)) == {"clock": "this host is +3600 s off the store: set its clock"}


def test_a_store_that_does_not_delete_is_named(store: Store) -> None:
    assert _failed(Undeleting(store)) == {
        "delete": "9 objects are still there after they were deleted"
    }


def test_a_key_that_may_not_be_read_is_never_absent(store: Store) -> None:
    assert list(_failed(Forbidding(store))) == ["log", "absent key"]


def test_a_listing_that_lags_is_named(store: Store) -> None:
    assert _failed(Lagging(store))["list"] == ("2 of 3 new objects are listed: listings lag behind")
