from datetime import UTC, datetime
from pathlib import Path

import pytest

from lake import layout
from lake.catalog import identity
from lake.errors import InvalidConfig, LogDamaged, NoSuchLake
from storage_backends import open_store

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
