"""Objects that are created under keys of their own: what a lost answer does to them."""

import pytest

from lake import objects
from storage_backends import Store
from tests.stores import HookedStore


class _Lossy(HookedStore):
    """Fail the first `times` creations, before or after they are applied."""

    def __init__(self, inner: Store, error: OSError, *, times: int, is_applied: bool) -> None:
        self.left = times

        def lose(verb: str, key: str) -> None:
            if verb == "put_new" and self.left:
                self.left -= 1
                raise error

        super().__init__(inner, **{"after" if is_applied else "before": lose})


def create(store: Store, data: bytes = b"mine") -> list[float]:
    """Create an object; return how long it was waited in between."""
    pauses: list[float] = []
    objects.create(store, "k", data, pause=pauses.append)
    return pauses


@pytest.mark.parametrize("is_applied", [False, True])
@pytest.mark.parametrize("error", [ConnectionError("lost"), FileExistsError("a conflict")])
def test_a_lost_answer_is_asked_for_again(local: Store, error: OSError, is_applied: bool) -> None:
    store = _Lossy(local, error, times=3, is_applied=is_applied)
    pauses = create(store)
    assert local.get("k") == b"mine"
    assert all(0 < pause < 10 for pause in pauses)
    assert bool(pauses) is not (isinstance(error, FileExistsError) and is_applied)


def test_a_look_that_fails_says_nothing(local: Store) -> None:
    local.put_new("k", b"mine")
    looks = iter([ConnectionError("lost")])

    def lose(verb: str, key: str) -> None:
        if verb == "get" and (error := next(looks, None)):
            raise error

    assert len(create(HookedStore(local, before=lose))) == 1


def test_other_bytes_at_the_key_are_told(local: Store) -> None:
    local.put_new("k", b"another's")
    with pytest.raises(FileExistsError, match="k"):
        create(local)
    assert local.get("k") == b"another's"


def test_a_refusal_is_not_asked_again(local: Store) -> None:
    store = _Lossy(local, PermissionError("no"), times=1, is_applied=False)
    with pytest.raises(PermissionError, match="no"):
        create(store)


def test_a_store_that_never_answers_is_given_up(local: Store) -> None:
    store = _Lossy(local, ConnectionError("lost"), times=objects.TRIES, is_applied=False)
    with pytest.raises(ConnectionError, match="lost"):
        create(store)
    assert not list(local.list())
