from datetime import UTC, datetime
from pathlib import Path

import pytest

from lake import layout
from lake.catalog import identity
from lake.errors import InvalidConfig, LogDamaged, NoSuchLake
from storage_backends import open_store
from tests.stores import HookedStore

NOW = datetime(2024, 1, 31, tzinfo=UTC)


def test_a_lake_is_made_once_and_keeps_its_id_and_zone(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "lake"))
    made = identity.create(store, timezone="Europe/Paris", now=NOW)
    assert identity.create(store, timezone="UTC", now=NOW) == identity.read(store) == made
    assert (made.timezone, made.created_at) == ("Europe/Paris", "2024-01-31T00:00:00+00:00")


@pytest.mark.parametrize("name", ["", "Paris", "Europe/../UTC", "/etc/passwd", "localtime", "a\0"])
def test_a_zone_is_an_iana_name(tmp_path: Path, name: str) -> None:
    store = open_store(str(tmp_path / "lake"))
    with pytest.raises(InvalidConfig, match="is no time zone: write one such as Europe/Paris"):
        identity.create(store, timezone=name, now=NOW)
    with pytest.raises(NoSuchLake, match=r"there is no lake at file:.*lake init"):
        identity.read(store)


@pytest.mark.parametrize(
    "said", [b"", b"{}", b"[]", b'{"id":"x","timezone":"UTC","created_at":""}']
)
def test_an_identity_that_is_none_is_damage(tmp_path: Path, said: bytes) -> None:
    store = open_store(str(tmp_path / "lake"))
    store.put_new(layout.LAKE, said)
    with pytest.raises(LogDamaged, match=r"_lake/lake.json is not what it should be: restore it"):
        identity.read(store)


def test_a_log_without_an_identity_is_no_place_for_a_new_lake(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "lake"))
    store.put_new(layout.commit(1), b"an entry")
    why = r"lake.json is missing in file:.*, and the log is there: restore it"
    with pytest.raises(LogDamaged, match=why):
        identity.read(store)
    with pytest.raises(LogDamaged, match=why):
        identity.create(store, timezone="UTC", now=NOW)
    assert [one.key for one in store.list()] == [layout.commit(1)]


def test_a_second_write_that_is_told_to_wait_is_tried_again(tmp_path: Path) -> None:
    asked: list[str] = []

    def throttle(verb: str, key: str) -> None:
        asked.append(verb)
        if asked.count("put_new") in (1, 3):
            raise ConnectionError("too many writes of one key")

    pauses: list[float] = []
    store = HookedStore(open_store(str(tmp_path / "lake")), before=throttle)
    made = identity.create(store, timezone="UTC", now=NOW, pause=pauses.append)
    assert identity.read(store) == made
    assert (asked.count("put_new"), len(pauses)) == (4, 2)
