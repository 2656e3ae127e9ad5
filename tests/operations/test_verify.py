import gzip
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
from lake.operations.verify import named, progress_of, verify
from lake.operations.verify_files import check_files, sample
from lake.operations.verify_log import check_log
from tests.lakes import again, land, new_lake


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


@pytest.fixture
def many(tmp_path: Path) -> Lake:
    """A lake with twenty files and nothing else."""
    lk = new_lake(tmp_path)
    for number in range(20):
        land(lk, "raw.many", f"SELECT {number} AS n", part=str(number))
    return lk


def _path(lk: Lake, number: int) -> Path:
    return Path(lk.files(f"raw.many/part={number}")[0])


def test_a_sample_is_drawn_by_its_seed(many: Lake) -> None:
    first = verify(many, share=0.3, seed="a")
    assert 0 < first.files < 20
    assert (verify(many, share=0.3, seed="a"), first.seed) == (first, "a")
    drawn = {file.key for file in sample(named(many), 0.3, "a")}
    assert drawn != {file.key for file in sample(named(many), 0.3, "b")}
    assert verify(many, share=0.3).seed != verify(many, share=0.3).seed
    assert verify(many, share=0.000001, seed="a").files == 1


def test_a_run_that_was_stopped_goes_on_where_it_was(many: Lake) -> None:
    read: list[int] = []

    def stop(more: int) -> None:
        read.append(more)
        if len(read) > 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(many, told=stop)
    found = verify(again(many), resume=True)
    assert (found.files + found.sound_before, found.damage) == (20, ())
    assert found.sound_before >= 10
    assert verify(many, resume=True).files == 20


def test_what_was_found_damaged_is_found_again(many: Lake) -> None:
    _path(many, 3).write_bytes(b"rotten")
    progress = progress_of(many)
    damage = list(check_files(many.log.store, named(many), lambda more: None, progress))
    found = verify(many, resume=True)
    assert (found.sound_before, found.files) == (19, 1)
    assert found.damage == tuple(damage)
    assert not (progress.path and progress.path.exists())


def test_a_line_that_was_cut_off_counts_for_nothing(many: Lake) -> None:
    progress = progress_of(many)
    assert progress.path
    list(check_files(many.log.store, named(many), lambda more: None, progress))
    text = progress.path.read_text()
    progress.path.write_text(text[:-5])
    assert verify(many, resume=True).files == 1


def test_a_surplus_file_in_a_published_folder_is_named(many: Lake) -> None:
    surplus = _path(many, 3).with_name("more.parquet")
    surplus.write_bytes(_path(many, 4).read_bytes())
    (found,) = verify(many).damage
    assert (found.kind, found.key.endswith("more.parquet")) == ("surplus", True)
    assert found.found == "its version is published without it"


@pytest.mark.parametrize(
    ("name", "kind", "data"),
    [
        ("_rejected.jsonl.gz", "rejects", b"no gzip"),
        ("_rejected.jsonl.gz", "rejects", gzip.compress(b"{}\n{", mtime=0)),
        ("_rejected.jsonl.gz", "rejects", gzip.compress(b"{}\n", mtime=0)[:-6]),
        ("_profile.json", "profile", b"{"),
        ("_profile.json", "profile", b"[]"),
    ],
)
def test_a_sidecar_that_cannot_be_read_is_named(
    many: Lake, name: str, kind: str, data: bytes
) -> None:
    sidecar = _path(many, 3).with_name(name)
    sidecar.write_bytes(data)
    (found,) = verify(many).damage
    assert (found.kind, found.key.endswith(name)) == (kind, True)
    sidecar.write_bytes(gzip.compress(b"{}\n", mtime=0) if kind == "rejects" else b"{}")
    assert verify(many).damage == ()


def test_of_two_files_that_changed_places_both_are_named(many: Lake) -> None:
    one, other = _path(many, 3), _path(many, 4)
    swap = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(swap)
    assert {found.kind for found in verify(many).damage} <= {"sha256", "size"}
    assert len(verify(many).damage) == 2
