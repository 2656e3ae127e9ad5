import pytest

from lake.errors import ModelInvalid
from lake.models.graph import order, upstream

READS = {
    "curated.c": ("curated.b", "raw.z"),
    "curated.b": ("curated.a",),
    "curated.a": ("raw.x",),
    "curated.d": ("curated.a",),
    "curated.e": ("raw.z",),
}


def test_models_come_after_what_they_read_and_otherwise_by_name() -> None:
    assert order(READS) == ("curated.a", "curated.b", "curated.c", "curated.d", "curated.e")
    assert order({"curated.b": [], "curated.a": []}) == ("curated.a", "curated.b")
    assert order({"curated.a": ["curated.z"], "curated.z": []}) == ("curated.z", "curated.a")


def test_a_circle_is_named() -> None:
    reads = {"curated.a": ["curated.b"], "curated.b": ["curated.c"], "curated.c": ["curated.b"]}
    with pytest.raises(
        ModelInvalid, match=r"in a circle: curated\.b → curated\.c → curated\.b; break it"
    ):
        order(reads)


def test_a_circle_is_found_from_the_models_that_hang_on_it() -> None:
    with pytest.raises(ModelInvalid, match=r"in a circle: curated\.a → curated\.a"):
        order({"curated.0": ["curated.a"], "curated.a": ["curated.a"]})


def test_upstream_is_every_model_that_it_hangs_on() -> None:
    assert upstream(READS, ["curated.c"]) == {"curated.b", "curated.a"}
    assert upstream(READS, ["curated.a", "curated.e"]) == frozenset()
