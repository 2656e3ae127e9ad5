"""The wrappers of `tests/stores.py`, which other tests rely on."""

import pytest

from storage_backends import Store
from tests.stores import CountingStore, HookedStore


def test_a_counting_store_records_every_request(store: Store) -> None:
    counted = CountingStore(store)
    counted.put_new("a", b"1")
    with pytest.raises(FileNotFoundError, match="b"):
        counted.get("b")
    assert [found.key for found in counted.list("", after="")] == ["a"]

    assert counted.requests == [("put_new", "a"), ("get", "b"), ("list", "")]
    assert (counted.count(), counted.count("get", "list"), counted.url) == (3, 2, store.url)


def test_hooks_run_around_a_request_and_may_break_it_off(store: Store) -> None:
    seen: list[str] = []

    def fail(verb: str, key: str) -> None:
        seen.append(f"{verb} {key} {len(list(store.list()))}")
        if verb == "put":
            raise ConnectionError("cut off")

    hooked = HookedStore(store, before=fail, after=fail)
    hooked.put_new("a", b"1")
    with pytest.raises(ConnectionError, match="cut off"):
        hooked.put("b", b"2")

    assert seen == ["put_new a 0", "put_new a 1", "put b 1"]
