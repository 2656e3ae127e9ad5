"""A lake whose log, checkpoints, hint or cache are not what they should be."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import lake
from lake import layout
from lake.catalog import checkpoint
from lake.errors import FileDamaged, InvalidConfig, LakeTooNew, LogDamaged
from lake.lake import Lake
from lake.operations.doctor import doctor
from lake.operations.start import start
from lake.operations.verify import verify
from tests.faults.example import Project, publish_again
from tests.faults.refusal import contents, exactly, like

Damage = Callable[[bytes], bytes]
DAMAGES: tuple[Damage, ...] = (
    lambda data: b"",
    lambda data: b"{",
    lambda data: b"\xff\xfe",
    lambda data: data[: len(data) // 2],
    lambda data: b"[]",
)
OVERTAKEN = "{}: the log was changed behind the lake's back; restore it from a copy"


def entry(project: Project, number: int) -> Path:
    return project.lake / layout.commit(number)


def of_lake(project: Project, message: str) -> str:
    """Return the pattern of what is said of an object of the project's lake."""
    return exactly(f"{project.lake.as_uri()}: {message}")


def no_cache(project: Project) -> None:
    shutil.rmtree(project.root.parent / "cache", ignore_errors=True)


def edit(path: Path, **said: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_bytes()) | said))


def lands(project: Project) -> None:
    """Make sure that the lake, once it was mended, lands what is new."""
    no_cache(project)
    publish_again(project.root)
    assert [one.outcome for one in project.open().land_sources()] == [
        "unchanged",
        "landed",
        "unchanged",
    ]


@pytest.mark.parametrize(
    ("key", "said", "message"),
    [
        (
            layout.commit(3),
            {"format": 2},
            "_lake/log/00000000000000000003.json has format 2, this clearlake knows 1: upgrade"
            " clearlake",
        ),
        (
            layout.commit(3),
            {"changes": [{"action": "frobnicate"}]},
            "_lake/log/00000000000000000003.json holds the change 'frobnicate', which this"
            " clearlake does not know: upgrade it",
        ),
        (
            layout.commit(3),
            {"changes": [{"action": "erase"}]},
            "erased at commit 3: _lake/log/00000000000000000003.json needs a later clearlake",
        ),
        (
            layout.HINT,
            {"format": 2},
            "_lake/checkpoint.json has format 2, this clearlake knows 1: upgrade clearlake",
        ),
    ],
)
def test_a_lake_of_a_newer_format_is_neither_read_nor_written(
    walked: Project, key: str, said: dict[str, object], message: str
) -> None:
    path = walked.lake / key
    before = path.read_bytes()
    edit(path, **said)
    with pytest.raises(LakeTooNew, match=of_lake(walked, message)):
        walked.open()
    path.write_bytes(before)
    lands(walked)


def test_a_lake_of_a_newer_format_is_known_by_its_identity_too(walked: Project) -> None:
    (walked.lake / layout.HINT).unlink()
    edit(walked.lake / layout.LAKE, format=2)
    message = "_lake/lake.json has format 2, this clearlake knows 1: upgrade clearlake"
    with pytest.raises(LakeTooNew, match=of_lake(walked, message)):
        walked.open()


def test_a_hole_in_the_log_is_named(walked: Project) -> None:
    kept = entry(walked, 2).rename(walked.root / "kept")
    message = (
        f"the log has a hole: {layout.commit(2)} is missing and {layout.commit(3)} or a later one"
        " is there; restore it from a copy"
    )
    with pytest.raises(LogDamaged, match=of_lake(walked, message)):
        walked.open()
    kept.rename(entry(walked, 2))
    lands(walked)


@pytest.mark.parametrize("number", [1, 3])
def test_nobody_writes_into_a_hole_that_a_reader_takes_for_the_head(
    walked: Project, number: int
) -> None:
    kept = entry(walked, number).rename(walked.root / "kept")
    publish_again(walked.root)
    lk = walked.open()
    assert lk.commit == number - 1
    message = (
        f"the log in {lk.url} has a hole: {layout.commit(number)} is missing, and commits up to 4"
        " are there; restore it from a copy"
    )
    with pytest.raises(lake.LakeError, match=exactly(message)):
        lk.land_sources()
    assert not entry(walked, number).exists()
    kept.rename(entry(walked, number))
    no_cache(walked)
    assert walked.open().land_sources()[1].commit == 5


def test_a_log_that_ends_before_its_hint_is_damaged(walked: Project) -> None:
    lk = walked.open()
    assert checkpoint.write(lk.log, lk.state)
    no_cache(walked)
    shutil.rmtree(walked.lake / "_lake" / "checkpoints")
    kept = entry(walked, 4).rename(walked.root / "kept")
    message = (
        f"_lake/checkpoint.json says that commit 4 was published, the log in {lk.url} ends at 3:"
        f" restore {layout.commit(4)} from a copy"
    )
    with pytest.raises(LogDamaged, match=exactly(message)):
        walked.open()
    kept.rename(entry(walked, 4))
    lands(walked)


def test_an_entry_that_was_changed_behind_our_back_is_noticed(walked: Project) -> None:
    path = entry(walked, 2)
    before = path.read_bytes()
    path.write_bytes(before.replace(b'"rows":3', b'"rows":4'))
    message = f"{layout.commit(3)} does not follow from the entry before it"
    with pytest.raises(LogDamaged, match=of_lake(walked, OVERTAKEN.format(message))):
        walked.open()
    path.write_bytes(before)
    lands(walked)


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_entry_that_is_none_is_noticed(walked: Project, damage: Damage) -> None:
    path = entry(walked, 2)
    before = path.read_bytes()
    path.write_bytes(damage(before))
    message = f"{layout.commit(2)} is no log entry: restore it from a copy of the lake"
    with pytest.raises(LogDamaged, match=of_lake(walked, message)):
        walked.open()
    path.write_bytes(before)
    lands(walked)


@pytest.mark.parametrize("damage", [*DAMAGES, lambda data: data.replace(b'"commit": 0', b'"x": 0')])
def test_a_damaged_hint_is_only_a_hint(walked: Project, damage: Damage) -> None:
    path = walked.lake / layout.HINT
    path.write_bytes(damage(path.read_bytes()))
    assert walked.open().commit == 4
    path.unlink()
    assert walked.open().commit == 4
    lands(walked)


def test_without_hint_and_identity_nobody_knows_whose_log_it_is(walked: Project) -> None:
    (walked.lake / layout.HINT).unlink()
    identity = walked.lake / layout.LAKE
    before = identity.read_bytes()
    identity.write_bytes(b"{")
    message = "_lake/lake.json is not what it should be: restore it from a copy of the lake"
    with pytest.raises(LogDamaged, match=of_lake(walked, message)):
        walked.open()
    identity.unlink()
    message = (
        f"_lake/lake.json is missing in {walked.lake.as_uri()}, and the log is there: restore it"
        " from a copy of the lake"
    )
    for act in (walked.open, lambda: lake.init(str(walked.lake))):
        with pytest.raises(LogDamaged, match=exactly(message)):
            act()
    assert not identity.exists()
    identity.write_bytes(before)
    lands(walked)


def test_an_identity_that_is_lost_is_made_again_from_the_hint(walked: Project) -> None:
    identity = walked.lake / layout.LAKE
    before = json.loads(identity.read_bytes())
    identity.unlink()
    assert start(str(walked.lake), timezone="UTC").lake.commit == 4
    assert json.loads(identity.read_bytes()) == before
    lands(walked)


def test_published_files_behind_a_hole_are_neither_left_over_nor_collected(
    walked: Project,
) -> None:
    kept = entry(walked, 3).rename(walked.root / "kept")
    no_cache(walked)
    lk = walked.open()
    message = f"the log in {lk.url} has a hole: {layout.commit(3)} is missing, and commits up to 4"
    named = [one for one in verify(lk).damage if one.kind == "log"]
    assert [one.found.startswith(message) for one in named] == [True]
    with pytest.raises(LogDamaged, match=exactly(f"{message} are there; restore it from a copy")):
        lk.gc()
    assert {one.tried for one in doctor(lk.log.store) if not one.ok} == {"log"}
    kept.rename(entry(walked, 3))
    lands(walked)


PARTS = ("current.parquet", "history.parquet", "commits.parquet", "state.json")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("damage", [None, DAMAGES[0], DAMAGES[3]])
def test_a_checkpoint_that_is_missing_or_cut_off_costs_nothing_but_time(
    walked: Project, part: str, damage: Damage | None
) -> None:
    lk = walked.open()
    before = contents(lk)
    assert checkpoint.write(lk.log, lk.state)
    no_cache(walked)
    path = walked.lake / layout.checkpoint(4, part)
    data = path.read_bytes()
    path.unlink()
    if damage:
        path.write_bytes(damage(data))
    fresh = walked.open()
    assert (fresh.commit, contents(fresh)) == (4, before)
    assert fresh.sql("SELECT count(*) FROM meta.commits").fetchall() == [(4,)]
    assert fresh.at(2).sql("SELECT count(*) FROM raw.trips").fetchall() == [(6,)]
    lands(walked)


def test_a_checkpoint_that_is_damaged_inside_says_what_to_delete(walked: Project) -> None:
    lk = walked.open()
    assert checkpoint.write(lk.log, lk.state)
    no_cache(walked)
    path = walked.lake / layout.checkpoint(4, "current.parquet")
    data = path.read_bytes()
    path.write_bytes(data[:40] + bytes(byte ^ 0xFF for byte in data[40:120]) + data[120:])
    message = f"{path} is damaged: delete it, and the lake is read from its log"
    with pytest.raises(LogDamaged, match=exactly(message)):
        walked.open().sql("SELECT count(*) FROM raw.trips")
    path.unlink()
    lands(walked)


def cached(project: Project) -> list[Path]:
    walk = (project.root.parent / "cache").rglob("*.json")
    return sorted(path for path in walk if path.is_file())


@pytest.mark.parametrize(
    "damage", [*DAMAGES, lambda data: data.replace(b"raw.trips", b"raw.tripz")]
)
def test_a_damaged_cache_is_not_believed(walked: Project, damage: Damage) -> None:
    before = contents(walked.open())
    assert len(cached(walked)) == 4
    for path in cached(walked):
        path.write_bytes(damage(path.read_bytes()))
    assert contents(walked.open()) == before


def test_a_damaged_copy_of_the_head_does_not_get_into_the_log(walked: Project) -> None:
    """The next entry names the SHA-256 of the head, which may come from the cache."""
    walked.open()
    head = cached(walked)[-1]
    head.write_bytes(head.read_bytes().replace(b"load daily", b"LOAD DAILY"))
    publish_again(walked.root)
    assert walked.open().land_sources()[1].commit == 5
    no_cache(walked)
    assert walked.open().commit == 5


def test_a_cache_that_cannot_be_used_is_no_error(walked: Project) -> None:
    walked.open()
    for path in cached(walked):
        path.unlink()
        path.mkdir()
    assert walked.open().commit == 4
    no_cache(walked)
    (walked.root.parent / "cache").write_text("a file, where a folder should be")
    assert walked.open().commit == 4


def test_a_missing_schema_file_is_named(walked: Project) -> None:
    schemas = walked.lake / "_lake" / "schemas"
    kept = schemas.rename(walked.root / "schemas")
    lk = walked.open()
    message = (
        f"_lake/schemas/… is missing in {lk.url}, so raw.trips cannot be read: restore it from a"
        " copy of the lake"
    )
    with pytest.raises(FileDamaged, match=like(message)):
        lk.sql("SELECT count(*) FROM raw.trips")
    with pytest.raises(FileDamaged, match=like(message.replace("raw.trips", "curated.daily"))):
        lk.connect()
    kept.rename(schemas)
    lands(walked)


def test_a_missing_data_file_is_named_and_other_datasets_are_read(walked: Project) -> None:
    lk = walked.open()
    key = lk.sql("SELECT key FROM meta.files WHERE dataset = 'raw.trips'").fetchall()[0][0]
    (walked.lake / key).rename(walked.root / "kept")
    missing = f"{key} is missing in {lk.url}"
    fresh = walked.open()
    message = f"{missing}, so raw.trips cannot be read: restore it from a copy of the lake"
    with pytest.raises(FileDamaged, match=exactly(message)):
        fresh.sql("SELECT count(*) FROM raw.trips")
    with pytest.raises(FileDamaged, match=exactly(f"{missing}: restore it from a copy")):
        fresh.get("raw.trips/month=2024-01", walked.root / "got")
    assert fresh.sql("SELECT count(*) FROM raw.zones").fetchall() == [(3,)]
    assert fresh.sql("SELECT count(*) FROM curated.daily").fetchall() == [(4,)]


def test_a_swapped_file_is_not_given_back(walked: Project) -> None:
    lk = walked.open()
    key = lk.sql("SELECT key FROM meta.files WHERE dataset = 'raw.zones'").fetchall()[0][0]
    original = walked.lake / key.replace("data.parquet", "zones.csv")
    original.write_bytes(original.read_bytes().replace(b"Bronx", b"bronx"))
    message = (
        "raw/zones/version=…/zones.csv is not the file that the log names: restore it from a copy"
    )
    with pytest.raises(FileDamaged, match=like(message)):
        lk.get("raw.zones", walked.root / "got")
    assert list((walked.root / "got").iterdir()) == []


def test_a_damaged_catalog_file_is_made_anew(walked: Project) -> None:
    path = walked.lake / layout.CATALOG
    path.write_bytes(b"not a database")
    walked.open().land_sources()
    assert path.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("url", "kind", "message"),
    [
        (
            "ftp://host/x",
            InvalidConfig,
            "'ftp://host/x' can be no lake: no backend for ftp://: use s3://, gs://, az://,"
            " or a folder (a path or file:///path)",
        ),
    ],
)
def test_a_url_that_can_be_no_lake_is_refused(
    url: str, kind: type[Exception], message: str
) -> None:
    def init() -> Lake:
        return lake.init(url)

    for act in (init, lambda: lake.open(url)):
        with pytest.raises(kind, match=exactly(message)):
            act()
