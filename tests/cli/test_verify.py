import json
from pathlib import Path

import pytest

from tests.cli.ran import Ran, Run


def _only(here: Path, pattern: str) -> Path:
    (path,) = here.glob(f".lake/{pattern}")
    return path


def test_a_sound_lake_is_said_to_be_one(lake: Run) -> None:
    code, out, err = lake("verify")
    assert (code, err) == (0, "")
    assert out.startswith("4 files, ")
    assert out.endswith(" read: all as the log says\n")
    assert out.count("\n") == 1


def test_a_changed_byte_is_named_and_exits_with_1(lake: Run, here: Path) -> None:
    path = _only(here, "raw/trips/month=2024-01/*/trips_2024-01.csv")
    path.write_bytes(path.read_bytes().replace(b"2.5", b"9.5"))
    code, out, err = lake("verify")
    assert code == 1
    assert out.splitlines()[0] == (
        "sha256  raw/trips/month=2024-01/version=V/trips_2024-01.csv: SHA256, the log says SHA256"
    )
    assert err == "error: 1 damaged in file://HERE/.lake: restore it from a copy of the lake\n"


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [
        ("raw/trips/month=2024-01/*/data.parquet", "missing"),
        ("raw/trips/month=2024-02/*/_receipt.json", "receipt"),
        ("_lake/schemas/*.parquet", "schema"),
        ("_lake/log/*1.json", "log"),
    ],
)
def test_what_is_missing_is_named(lake: Run, here: Path, pattern: str, kind: str) -> None:
    lake("ls")
    _only(here, pattern).unlink()
    ran = lake("verify", "--json")
    assert [one["kind"] for one in json.loads(ran.out)["damage"]] == [kind]
    assert (ran.code, ran.err.count("\n")) == (1, 1)


def test_a_file_that_was_cut_is_told_by_its_size(lake: Run, here: Path) -> None:
    path = _only(here, "raw/trips/month=2024-02/*/trips_2024-02.csv")
    path.write_bytes(b"id")
    assert lake("verify", "raw.trips/month=2024-01").code == 0
    code, out, _ = lake("verify", "raw.trips")
    assert code == 1
    assert out.splitlines()[0] == (
        "size  raw/trips/month=2024-02/version=V/trips_2024-02.csv: 2 bytes, the log says 14"
    )


def test_what_a_killed_landing_left_is_told_and_is_no_damage(lake: Run, here: Path) -> None:
    folder = here / ".lake" / "raw" / "trips" / "month=2024-01" / "version=x"
    folder.mkdir()
    (folder / "data.parquet").write_bytes(b"left")
    code, out, err = lake("verify")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == (
        "orphan  raw/trips/month=2024-01/version=x/data.parquet:"
        " no version names it, nothing reads it"
    )


def test_doctor_finds_nothing_wrong_and_leaves_nothing_behind(lake: Run, here: Path) -> None:
    before = sorted((here / ".lake").rglob("*"))
    code, out, err = lake("doctor")
    assert (code, err) == (0, "")
    assert [text.split()[0] for text in out.splitlines()] == ["ok"] * 12
    assert "ok    create-only   no two winners of 16 writers, 5 times\n" in out
    assert sorted((here / ".lake").rglob("*")) == before


def test_doctor_says_what_fails_and_exits_with_1(run: Run) -> None:
    code, out, err = run("doctor", "--lake", "/proc/lake", "--json")
    failed = [one["tried"] for one in json.loads(out) if not one["ok"]]
    of_written = ["read", "list", "create-only", "lost answer", "delete"]
    assert failed == ["lake", "log", "write", *of_written]
    assert (code, err) == (1, "")


def test_every_damage_counts_once(lake: Run, here: Path) -> None:
    for path in (here / ".lake" / "raw").rglob("*.parquet"):
        path.unlink()
    assert lake("verify", "raw.trips@1") == Ran(
        1,
        "missing  raw/trips/month=2024-01/version=V/data.parquet: there is no such object\n"
        "2 files, 401 B read: 1 damaged\n".replace("401 B", _size(here, "month=2024-01")),
        "error: 1 damaged in file://HERE/.lake: restore it from a copy of the lake\n",
    )


def _size(here: Path, partition: str) -> str:
    log = json.loads(next((here / ".lake" / "_lake" / "log").glob("*1.json")).read_text())
    change = next(one for one in log["changes"] if one["partition"] == partition)
    return f"{sum(file['bytes'] for file in change['files'])} B"


def test_a_sample_says_how_to_draw_it_again(lake: Run) -> None:
    code, out, err = lake("verify", "--sample", "50%", "--seed", "a")
    assert (code, err) == (0, "a sample of 50%: --seed a draws the same files again\n")
    assert out.endswith(" read: all as the log says\n")
    code, out, err = lake("verify", "--sample", "none")
    assert (code, out) == (2, "")
    assert "--sample 'none' is no share: write 5% or 0.05" in err


def test_a_surplus_file_exits_with_1(lake: Run, here: Path) -> None:
    path = _only(here, "raw/trips/month=2024-01/*/data.parquet")
    path.with_name("more.parquet").write_bytes(b"")
    code, out, _ = lake("verify")
    assert (code, out.splitlines()[0]) == (
        1,
        "surplus  raw/trips/month=2024-01/version=V/more.parquet: its version is published without"
        " it",
    )
