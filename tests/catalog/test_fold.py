from collections import Counter
from pathlib import Path

import pytest

from lake.catalog import snapshot
from lake.catalog.entries import (
    Append,
    Drop,
    Hold,
    Note,
    Release,
    Remove,
    Rename,
    Rewrite,
)
from lake.catalog.log import advance
from lake.catalog.state import Dataset, State, data_files
from tests.catalog.changes import (
    History,
    Writer,
    everything,
    file,
    landed,
    opened,
    query,
    replace,
    walk,
    writer,
)

JANUARY, FEBRUARY = "month=2024-01", "month=2024-02"


@pytest.fixture
def at(tmp_path: Path) -> Writer:
    return writer(tmp_path / "lake")


def keys(state: State, dataset: str, partition: str) -> list[str]:
    current = state.partition(dataset, partition).current
    return [one.key.split("/")[-1].split(".")[0] for one in current.files] if current else []


def recount(state: State, name: str) -> Dataset:
    """Count a dataset's current partitions one by one."""
    current = [p.current for p in state.current(name) if p.current]
    data = [one for version in current for one in data_files(version)]
    known = state.datasets[name]
    counts = Counter(one.schema for one in data)
    return Dataset(
        name,
        partitions=len(current),
        versions=known.versions,
        held=sum(len(p.held) for p in state.partitions(name)),
        files=sum(len(version.files) for version in current),
        rows=sum(one.rows for one in data),
        bytes=sum(one.bytes for version in current for one in version.files),
        keys=("month",),
        schemas={name: (count, known.schemas[name][1]) for name, count in counts.items()},
        last_schema=known.last_schema,
        changed_in=known.changed_in,
        changed_at=known.changed_at,
    )


@pytest.mark.parametrize("seed", range(4))
def test_totals_equal_a_recount_whatever_happens(at: Writer, seed: int) -> None:
    walk(at, History(seed), 60)
    assert len(at.state.datasets) > 1
    for name in at.state.datasets:
        assert at.state.datasets[name] == recount(at.state, name)
        assert set(at.state.datasets[name].schemas) <= set(at.state.schemas)


@pytest.mark.parametrize("seed", range(2))
def test_a_state_from_a_checkpoint_and_the_tail_is_the_folded_one(at: Writer, seed: int) -> None:
    walk(at, History(seed), 50, checkpoints=9)
    folded = State(lake=at.log.identity.id)
    advance(at.log, folded)
    assert everything(at.state) == everything(folded)
    assert everything(opened(at.log.store)[1]) == everything(folded)


def test_every_commit_can_be_gone_back_to(at: Writer) -> None:
    known, history = [everything(at.state)], History(1)
    for _ in range(26):
        walk(at, history, 1, checkpoints=8)
        known.append(everything(at.state.fork()))
    log, head = opened(at.log.store)
    for number, expected in enumerate(known):
        assert everything(snapshot.state_at(log, head, number)) == expected


@pytest.mark.parametrize("seed", range(2))
def test_the_history_says_of_every_commit_which_files_were_current(at: Writer, seed: int) -> None:
    expected: list[set[str]] = [set()]
    history = History(seed)
    for _ in range(40):
        walk(at, history, 1, checkpoints=17)
        names = at.state.datasets
        expected.append(
            {
                f.key
                for n in names
                for p in at.state.current(n)
                if p.current
                for f in p.current.files
            }
        )
    rows = query(at.state, "SELECT key, added_in, removed_in FROM meta.files")
    for number, wanted in enumerate(expected):
        found = [k for k, added, removed in rows if added <= number < (removed or 1000)]
        assert sorted(found) == sorted(wanted), number


@pytest.mark.parametrize("seed", range(2))
def test_one_version_of_each_living_partition_is_current(at: Writer, seed: int) -> None:
    walk(at, History(seed), 60, checkpoints=13)
    living = [(n, p.text) for n in at.state.datasets for p in at.state.current(n)]
    found = query(at.state, "SELECT dataset, partition FROM meta.versions WHERE current")
    assert sorted(found) == sorted(living)


def test_a_dataset_can_be_landed_under_a_name_that_was_given_away(at: Writer) -> None:
    at.commit(replace("raw.a", JANUARY, file("old")))
    at.commit(Rename("raw.a", "raw.b"))
    at.commit(replace("raw.a", JANUARY, file("new")))
    assert keys(at.state, "raw.a", JANUARY) == ["new"]
    assert keys(at.state, "raw.b", JANUARY) == ["old"]
    assert at.state.partition("raw.a", JANUARY).versions == 1
    assert query(at.state, "SELECT dataset, version, current FROM meta.versions") == [
        ("raw.b", 1, True),
        ("raw.a", 1, True),
    ]


def test_version_numbers_go_on_after_a_drop(at: Writer) -> None:
    at.commit(replace("raw.a", JANUARY, file("one")))
    at.commit(Drop("raw.a"))
    assert "raw.a" not in at.state.datasets
    at.commit(replace("raw.a", JANUARY, file("two")))
    assert at.state.partition("raw.a", JANUARY).versions == 3
    assert query(at.state, "SELECT version, action, current FROM meta.versions") == [
        (1, "landing", False),
        (2, "drop", False),
        (3, "landing", True),
    ]


def test_what_was_held_goes_with_its_dropped_dataset(at: Writer) -> None:
    at.commit(replace("raw.a", JANUARY, file("one")))
    at.commit(Hold("raw.a", FEBRUARY, (file("bad"),), "bad", landed(), "no"))
    at.commit(Drop("raw.a"))
    assert [p.held for p in at.state.partitions("raw.a")] == [(), ()]


def test_a_held_version_becomes_current_by_its_release(at: Writer) -> None:
    at.commit(replace("raw.a", JANUARY, file("one")))
    at.commit(Hold("raw.a", JANUARY, (file("two"),), "two", landed(), "it broke its contract"))
    assert keys(at.state, "raw.a", JANUARY) == ["one"]
    assert at.state.datasets["raw.a"].held == 1
    at.commit(Release("raw.a", JANUARY, 2))
    assert keys(at.state, "raw.a", JANUARY) == ["two"]
    assert at.state.datasets["raw.a"].held == 0
    assert query(at.state, "SELECT version, current, held FROM meta.versions") == [
        (1, False, False),
        (2, False, True),
        (3, True, False),
    ]


def test_a_removed_partition_comes_back_by_a_rollback(at: Writer) -> None:
    one = file("one")
    at.commit(replace("raw.a", JANUARY, one))
    at.commit(Remove("raw.a", JANUARY, rejects=("gone",)))
    assert at.state.datasets["raw.a"].rows == 0
    at.commit(replace("raw.a", JANUARY, one, why="rollback", rejects=("worse",)))
    assert keys(at.state, "raw.a", JANUARY) == ["one"]
    assert at.state.partition("raw.a", JANUARY).rejects == ("gone", "worse")
    at.commit(replace("raw.a", JANUARY, file("two")))
    assert at.state.partition("raw.a", JANUARY).rejects == ()


def test_what_is_appended_comes_behind_what_was_there(at: Writer) -> None:
    at.commit(Append("raw.a", "", (file("one"),), "c1", landed(), start="", end="5"))
    at.commit(Append("raw.a", "", (file("two"),), "c2", landed(), start="5", end="9"))
    assert keys(at.state, "raw.a", "") == ["one", "two"]
    current = at.state.partition("raw.a", "").current
    assert current
    assert (current.cursor, current.content, current.number) == ("9", "c2", 2)


def test_an_append_makes_only_its_own_schema_the_newest(at: Writer) -> None:
    at.commit(Append("raw.a", "", (file("one", kind=0),), "c1", landed()))
    at.commit(Append("raw.a", "", (file("two", kind=1),), "c2", landed()))
    assert [last for _, last in at.state.datasets["raw.a"].schemas.values()] == [1, 2]


def test_a_rewrite_keeps_the_content_and_the_cursor(at: Writer) -> None:
    at.commit(Append("raw.a", "", (file("one"), file("two")), "c1", landed(), end="5"))
    at.commit(Rewrite("raw.a", "", (file("one").key,), (file("smaller"),), landed()))
    current = at.state.partition("raw.a", "").current
    assert current
    assert (current.content, current.cursor) == ("c1", "5")
    assert keys(at.state, "raw.a", "") == ["two", "smaller"]


def test_compacting_what_the_source_has_no_longer_leaves_it_marked(at: Writer) -> None:
    at.commit(replace("raw.a", JANUARY, file("one")))
    at.commit(Note("gone", "raw.a", JANUARY))
    at.commit(Rewrite("raw.a", JANUARY, (file("one").key,), (file("smaller"),), landed()))
    assert at.state.partition("raw.a", JANUARY).gone
    at.commit(replace("raw.a", JANUARY, file("back")))
    assert not at.state.partition("raw.a", JANUARY).gone


def test_a_dataset_whose_partitions_are_all_gone_may_be_cut_by_another_key(at: Writer) -> None:
    at.commit(replace("raw.a", JANUARY, file("one")))
    at.commit(Remove("raw.a", JANUARY))
    at.commit(replace("raw.a", "day=2024-01-31", file("two")))
    assert at.state.datasets["raw.a"].keys == ("day",)


def test_one_commit_may_cut_a_dataset_anew(at: Writer) -> None:
    at.commit(replace("raw.a", JANUARY, file("one")))
    at.commit(replace("raw.a", "day=2024-01-31", file("two")), Remove("raw.a", JANUARY))
    assert at.state.datasets["raw.a"].keys == ("day",)
