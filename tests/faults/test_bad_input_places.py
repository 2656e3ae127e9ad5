"""A disk that is full, and a folder that may only be read."""

import os
import random
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pytest

import lake
from lake.errors import CommitRefused, StoreUnavailable
from lake.lake import Lake
from lake.query.sql import literal
from tests.faults.example import Project, publish_again
from tests.faults.refusal import exactly, like, refuses

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
AGAIN = "; nothing was published, run the same command again when that is mended"


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A filesystem of 2 MB, where one may be mounted."""
    folder = Path(tempfile.mkdtemp(prefix="clearlake-small-"))
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    done = shutil.which("mount") and subprocess.run(command, capture_output=True, check=False)
    if not done or done.returncode:
        folder.rmdir()
        pytest.skip("no filesystem can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


def fill(disk: Path, *, but: int = 0) -> Path:
    """Fill a disk, leaving about `but` bytes."""
    path = disk / "filler"
    free = os.statvfs(disk)
    size = free.f_bavail * free.f_frsize - but
    with suppress(OSError), path.open("wb", buffering=0) as file:
        for _ in range(0, size, 4096):
            file.write(b"\0" * 4096)
    return path


def noise(path: Path, byte_count: int) -> Path:
    text = random.Random(7).randbytes(byte_count // 2).hex()
    path.write_text(
        "id,noise\n" + "".join(f"{i},{text[i : i + 64]}\n" for i in range(0, len(text), 64))
    )
    return path


def test_a_full_disk_under_the_lake_publishes_nothing(
    small_disk: Path, good: Path, tmp_path: Path
) -> None:
    lk = lake.init(str(small_disk / "lake"))
    lk.land(good, dataset="raw.x")
    filler = fill(small_disk, but=100_000)
    big = noise(tmp_path / "big.csv", 1_000_000)
    refuses(
        lk,
        lambda: lk.land(big, dataset="raw.big"),
        StoreUnavailable,
        f"raw.big could not be stored in {lk.url}: No space left on device{AGAIN}",
    )
    filler.unlink()
    filler = fill(small_disk)
    refuses(
        lk,
        lambda: lk.tag("kept"),
        CommitRefused,
        f"commit 2 was refused by {lk.url}: No space left on device{AGAIN}",
    )
    assert lk.sql("SELECT count(*) FROM raw.x").fetchall() == [(100,)]
    filler.unlink()
    assert lk.tag("kept") == 1


def test_a_full_disk_under_a_transform_publishes_nothing(small_disk: Path, tmp_path: Path) -> None:
    root = small_disk / "project"
    root.mkdir()
    (root / "models").mkdir()
    (root / "lake.toml").write_text('[lake]\nurl = "lake"\n')
    lk = Project(root).init()
    lk.land(noise(tmp_path / "noise.csv", 300_000), dataset="raw.noise")
    Project(root).model("noise", "SELECT id, noise, noise || id AS more FROM raw.noise")
    filler = fill(small_disk, but=100_000)
    refuses(
        lk,
        lk.transform,
        StoreUnavailable,
        f"models/noise.sql could not be stored in {lk.url}: No space left on device{AGAIN}",
    )
    filler.unlink()
    assert [run.status for run in lk.transform().runs] == ["built"]


LIMITED = """
import resource, signal, sys
import lake
from tests.faults.example import Project
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
lk = Project(Path(sys.argv[1])).open()
resource.setrlimit(resource.RLIMIT_FSIZE, (800, 800))
for verb in (lk.land_sources, lk.transform, lk.load):
    try:
        verb()
    except lake.LakeError as error:
        print(type(error).__name__, error)
"""


def test_a_disk_that_takes_no_more_bytes_anywhere_stops_the_landing_in_one_line(
    walked: Project,
) -> None:
    publish_again(walked.root)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(walked.root)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    wanted = (
        "StoreUnavailable raw.trips/month=2024-02 could not be stored in file://…: File too large;"
        " nothing was published, run the same command again when that is mended"
    )
    assert re.search(like(wanted), done.stdout.strip())
    assert walked.open().commit == 4
    assert walked.walk().commit == 7


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody write below `folder`, not even who runs the tests as root."""
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in folders}
    for path in folders:
        path.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user reaches; pytest's own are its user's."""
    folder = Path(tempfile.mkdtemp(prefix="clearlake-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_folder_that_may_only_be_read_is_read_and_not_written(
    open_folder: Path, good: Path
) -> None:
    home = open_folder / "lake"
    source = shutil.copy(good, open_folder / "good.parquet")
    other = write_other(open_folder / "other.parquet")
    lk = lake.init(str(home))
    lk.land(source, dataset="raw.x")
    with read_only(home):
        refuses(
            lk,
            lambda: lk.land(other, dataset="raw.x"),
            StoreUnavailable,
            f"raw.x could not be stored in {lk.url}: Permission denied{AGAIN}",
        )
        refuses(
            lk,
            lambda: lk.tag("kept"),
            CommitRefused,
            f"commit 2 was refused by {lk.url}: Permission denied{AGAIN}",
        )
        assert lk.land(source, dataset="raw.x").outcome == "unchanged"
        assert lake.open(str(home)).sql("SELECT count(*) FROM raw.x").fetchall() == [(100,)]
    assert lk.land(other, dataset="raw.x").version == 2


def write_other(path: Path) -> Path:
    with duckdb.connect() as con:
        con.execute(f"COPY (SELECT 1 AS id, 'x' AS h) TO {literal(str(path))} (FORMAT parquet)")
    return path


def test_no_lake_is_made_where_nothing_may_be_written(open_folder: Path) -> None:
    def init() -> Lake:
        return lake.init(str(open_folder / "lake"))

    url = (open_folder / "lake").as_uri()
    with read_only(open_folder):
        message = (
            f"no lake can be made at {url}: Permission denied; mend that, or name another place"
        )
        with pytest.raises(StoreUnavailable, match=exactly(message)):
            init()
    assert init().commit == 0


def test_no_lake_is_made_where_a_file_is(open_folder: Path) -> None:
    (open_folder / "lake").write_text("a file")
    message = (
        f"no lake can be made at {(open_folder / 'lake').as_uri()}: cannot store '_lake/lake.json'"
        f" below {open_folder}/lake: a file is where a folder must be; move it away or choose"
        " another place; mend that, or name another place"
    )
    with pytest.raises(StoreUnavailable, match=exactly(message)):
        lake.init(str(open_folder / "lake"))
