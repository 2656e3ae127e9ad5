import random
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from lake import layout
from lake.errors import InvalidName

NOON = datetime(2024, 1, 31, 12, 0, 5, tzinfo=UTC)
COMMIT = "018d5f5e-0000-7000-8000-00000000beef"


@pytest.mark.parametrize(
    "name", ["raw.x", "curated.daily_revenue", "raw.a1_b2", "raw." + "a" * 200]
)
def test_a_dataset_has_a_zone_and_a_plain_name(name: str) -> None:
    assert layout.dataset(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "x", "raw", "raw.", ".x", "meta.x", "raw.X", "raw.1x", "raw._x", "raw.a__b", "raw.a-b",
     "raw.a b", "raw.a.b", "raw.é", "raw.../x", "raw.a\n", "raw.a\0", "raw." + "a" * 201],
)  # fmt: skip
def test_no_other_name_is_a_datasets(name: str) -> None:
    with pytest.raises(InvalidName, match="is no dataset"):
        layout.dataset(name)


@pytest.mark.parametrize("name", ["good", "Q1", "v1.0", "release-2024", "v", "vN", "v2a"])
def test_a_tag_starts_with_a_letter(name: str) -> None:
    assert layout.tag(name) == name


@pytest.mark.parametrize(
    "name", ["", "3", "v3", "2024-01-31", "-a", "_a", "a b", "a/b", "é", "a" * 201]
)
def test_a_tag_looks_like_nothing_else(name: str) -> None:
    with pytest.raises(InvalidName, match="is no tag"):
        layout.tag(name)


def texts(seed: int, count: int) -> list[str]:
    """Random texts of what people and programs put into names."""
    dice = random.Random(seed)
    signs = "aZ09 ./%=&?#+@\\'\"*[]{}~\n\t\0é日🚕_-"
    return ["".join(dice.choices(signs, k=dice.randint(1, 12))) for _ in range(count)]


def test_any_value_survives_in_a_partitions_text() -> None:
    for value in [*texts(1, 500), ".", "..", "NULL", "%2F", "a=b", "__HIVE_DEFAULT_PARTITION__"]:
        text = layout.partition({"city": value, "month": "2024-01"})
        assert layout.partition_values(text) == {"city": value, "month": "2024-01"}
        assert text.count("/") == 1
        assert text.isascii()
        assert text.isprintable()


def test_the_order_of_keys_is_kept_and_none_is_the_empty_text() -> None:
    assert layout.partition({"b": "1", "a": "2"}) == "b=1/a=2"
    assert layout.partition({}) == ""
    assert layout.partition_values("") == {}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"": "1"}, "'' is no partition key"),
        ({"a b": "1"}, "'a b' is no partition key"),
        ({"1a": "1"}, "'1a' is no partition key"),
        ({"Version": "1"}, "'Version' is no partition key"),
        ({"filename": "1"}, "'filename' is no partition key"),
        ({"../a": "1"}, "is no partition key"),
        ({"a": ""}, "partition 'a' has an empty value"),
        ({"a": "x" * 199}, "partition value of 'a' is too long: 199 bytes .* at most 198 fit"),
        ({"a": "🚕" * 17}, "is too long: 204 bytes"),
        ({"a": "\ud800"}, "is no valid text"),
    ],
)
def test_a_partition_that_could_be_no_folder_is_refused(
    values: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidName, match=message):
        layout.partition(values)


@pytest.mark.parametrize(
    "text", ["month", "=1", "a=1/a=2", "a=1//b=2", "a=1/", "/a=1", "version=1"]
)
def test_a_text_that_is_no_partition_is_refused(text: str) -> None:
    with pytest.raises(InvalidName, match="is no partition"):
        layout.partition_values(text)


def test_the_logs_keys_sort_as_their_numbers() -> None:
    assert layout.commit(42) == "_lake/log/00000000000000000042.json"
    assert sorted(map(layout.commit, [10, 9, 100])) == [*map(layout.commit, [9, 10, 100])]
    assert layout.commit_number(layout.commit(42)) == 42
    for key in (layout.commit_changes(42, COMMIT), "_lake/log/42.json", layout.HINT, "_lake/log/"):
        assert layout.commit_number(key) is None


def test_a_versions_folder_says_when_what_and_whose() -> None:
    here = NOON.astimezone(timezone(timedelta(hours=9)))
    found = layout.version(
        "raw.x", "month=2024-01", at=here, content="3fa92c1bff", commit_id=COMMIT
    )
    assert found == "raw/x/month=2024-01/version=20240131T120005Z-3fa92c1b-beef/"
    whole = layout.version("raw.x", "", at=NOON, content="3fa92c1bff", commit_id=COMMIT)
    assert whole == "raw/x/version=20240131T120005Z-3fa92c1b-beef/"


@pytest.mark.parametrize(
    ("name", "is_parquet", "kept"),
    [
        ("green_tripdata_2024-01.parquet", True, "green_tripdata_2024-01.parquet"),
        ("zones.csv", False, "zones.csv"),
        ("a b (1),+@.csv", False, "a b (1),+@.csv"),
        ("data.PARQUET", True, "data.PARQUET"),
        ("data.bin", True, "data.bin.parquet"),
        ("data", True, "data.parquet"),
        ("fake.parquet", False, "fake.parquet.original"),
        (".parquet", False, "x.parquet.original"),
        (".csv", False, "x.csv"),
        ("_receipt.json", False, "x_receipt.json"),
        ("a/../b.csv", False, "a%2F..%2Fb.csv"),
        ("", False, "data"),
        ("bad\udcff.csv", False, "bad%FF.csv"),
        ("a_name_without_a_dot_that_is_long", False, "a_name_without_a_dot_that_is_long"),
    ],
)
def test_a_source_keeps_its_name_as_far_as_a_bucket_lets_it(
    name: str, is_parquet: bool, kept: str
) -> None:
    assert layout.original(name, is_parquet=is_parquet) == kept


@pytest.mark.parametrize("is_parquet", [True, False])
def test_only_rows_end_in_parquet_and_no_name_is_too_long(is_parquet: bool) -> None:
    names = texts(2, 500)
    names += [one * 40 for one in names[:50]] + ["é" * 99 + "." + "é" * 99, ".parquet" * 60]
    for name in names:
        kept = layout.original(name, is_parquet=is_parquet)
        assert kept.lower().endswith(".parquet") is is_parquet, name
        assert len(kept.encode()) <= layout.SEGMENT_BYTES
        assert "/" not in kept
        assert not kept.startswith(("_", "."))
        assert "%" not in re.sub("%[0-9A-F]{2}", "", kept), "half of an encoded byte"


def test_keys_that_differ_only_in_case_are_no_two_columns() -> None:
    message = "^the partition keys 'A' and 'a' differ only in case, and would be one column: rename"
    with pytest.raises(InvalidName, match=message):
        layout.partition({"A": "1", "a": "2"})
