import json
import shutil
from functools import partial
from pathlib import Path

import duckdb
import pytest

import lake as clearlake
from lake import Lake
from lake.catalog.entries import Tag
from lake.catalog.publish import Draft, publish
from lake.catalog.state import State
from lake.operations.verify import verify
from lake.operations.verify_log import check_log


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a dataset and so many commits that it has a checkpoint, and some behind it."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKE_CACHE", "")
        made = clearlake.init(str(folder / "lake"))
        (folder / "a.csv").write_text("id\n1\n")
        made.land(folder / "a.csv", dataset="raw.a")
        for number in range(130):
            draft = Draft((Tag(f"t{number}", 1),))
            plan = partial(_always, draft)
            publish(made.log, made.state, plan, commit_id=made.new_id())
    return folder / "lake"


def _always(draft: Draft, state: State) -> Draft:
    del state
    return draft


@pytest.fixture
def made(template: Path, tmp_path: Path) -> Lake:
    """The lake of `template`, as one's own."""
    shutil.copytree(template, tmp_path / "lake")
    return clearlake.open(str(tmp_path / "lake"))


def _checkpoint(made: Lake, name: str) -> Path:
    root = Path(made.log.store.data_url("x")).parent
    (path,) = (root / "_lake" / "checkpoints").glob(f"*-{name}")
    return path


def test_a_checkpoint_that_the_log_folds_to_is_sound(made: Lake) -> None:
    assert made.state.checkpoints
    assert list(check_log(made.log, made.state)) == []
    assert verify(made, told=lambda more: None).damage == ()


def test_a_checkpoint_that_says_something_else_is_damage(made: Lake) -> None:
    path = _checkpoint(made, "state.json")
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "tags": {**document["tags"], "t1": 2}}))
    key = f"_lake/checkpoints/{path.name}"
    assert list(check_log(made.log, made.state)) == [
        ("checkpoint", key, "its tags are not what the log says")
    ]


@pytest.mark.parametrize("name", ["current", "history", "commits"])
def test_a_row_that_a_checkpoint_lost_is_damage(made: Lake, name: str, tmp_path: Path) -> None:
    path = _checkpoint(made, f"{name}.parquet")
    less = tmp_path / "less.parquet"
    rows = duckdb.connect().sql(f"SELECT * FROM '{path}' OFFSET 1")
    rows.write_parquet(str(less))
    less.replace(path)
    key = f"_lake/checkpoints/{path.name}"
    assert list(check_log(made.log, made.state)) == [
        ("checkpoint", key, "its rows are not what the log says")
    ]


def test_a_part_of_a_checkpoint_that_is_missing_is_damage(made: Lake) -> None:
    _checkpoint(made, "history.parquet").unlink()
    (found,) = check_log(made.log, made.state)
    assert (found[0], found[2]) == ("checkpoint", "a part of it is missing or cannot be read")


@pytest.mark.parametrize("number", [1, 60, 131])
def test_an_entry_that_was_changed_is_damage(made: Lake, number: int) -> None:
    root = Path(made.log.store.data_url("x")).parent
    path = root / "_lake" / "log" / f"{number:020}.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "message": "something else"}))
    (found,) = check_log(made.log, made.state)
    assert found[0] == "log"


def test_the_bytes_read_are_told(made: Lake) -> None:
    told: list[int] = []
    found = verify(made, told=told.append)
    assert (found.files, sum(told)) == (2, found.bytes)


def test_the_verdict_counts_what_no_version_names(made: Lake) -> None:
    assert verify(made, told=lambda more: None).verdict == "all as the log says"
    made.log.store.put_new("raw/a/version=20260101T000000Z-00000000-0000/a.csv", b"id\n")
    assert verify(made, told=lambda more: None).verdict == (
        "all as the log says; 1 object that no version names, left by attempts that did not finish"
    )
