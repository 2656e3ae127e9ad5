"""What a folder gives beyond the contract, and how it fails."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage_backends import Store, is_refusal, local, open_store
from storage_backends.local import LocalStore

UPLOAD = """
import sys
from pathlib import Path
from storage_backends import open_store
open_store(sys.argv[1]).upload(Path(sys.argv[2]), "raw/x/version=1/x.parquet")
"""
KEY = "raw/x/version=1/x.parquet"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def store(root: Path) -> Store:
    return LocalStore(root)


def staged(root: Path) -> list[Path]:
    return list((root / "_lake" / ".tmp").iterdir())


@pytest.fixture
def killed(root: Path, tmp_path: Path) -> Path:
    """The root of a store whose writer was killed after some of 4 MB."""
    fifo = tmp_path / "source"
    os.mkfifo(fifo)
    child = subprocess.Popen([sys.executable, "-c", UPLOAD, str(root), str(fifo)])
    with fifo.open("wb", buffering=0) as source:
        # A pipe holds less than this, so most of it has reached the staging folder.
        source.write(b"x" * 4_000_000)
        assert [path.stat().st_size > 0 for path in staged(root)] == [True]
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    return root


def test_a_writer_killed_in_an_upload_leaves_nothing_visible(killed: Path) -> None:
    store = LocalStore(killed)

    assert list(store.list()) == []
    assert [*killed.glob("**/*.parquet")] == []
    with pytest.raises(FileNotFoundError, match="parquet"):
        store.get(KEY)
    store.put_new(KEY, b"the next try")
    assert store.get(KEY) == b"the next try"


def test_leftovers_are_swept_when_they_are_a_day_old(killed: Path) -> None:
    LocalStore(killed).put_new("a", b"")
    young = staged(killed)
    two_days_ago = time.time() - 2 * 86400
    os.utime(young[0], (two_days_ago, two_days_ago))
    LocalStore(killed).put_new("b", b"")

    assert len(young) == 1
    assert staged(killed) == []


def test_an_upload_is_invisible_until_it_is_whole(root: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "source"
    os.mkfifo(fifo)
    child = subprocess.Popen([sys.executable, "-c", UPLOAD, str(root), str(fifo)])
    with fifo.open("wb", buffering=0) as source:
        source.write(b"x" * 4_000_000)
        during = list(LocalStore(root).list())
    assert child.wait() == 0

    assert during == []
    assert LocalStore(root).size(KEY) == 4_000_000


def test_nothing_stays_in_the_staging_folder(store: Store, root: Path) -> None:
    store.put_new("a", b"1")
    store.put("a", b"2")
    with pytest.raises(FileExistsError, match="taken"):
        store.put_new("a", b"3")

    assert staged(root) == []
    assert (root / "a").stat().st_nlink == 1


def test_an_object_is_made_by_a_link_and_only_after_its_bytes_are_durable(
    root: Path, tmp_path: Path
) -> None:
    calls = _traced(root, tmp_path / "trace")

    assert [name for name, _ in calls] == ["fsync", "link", "fsync", "unlink"]
    assert "/_lake/.tmp/" in calls[0][1]
    assert f'"{root}/_lake/made"' in calls[1][1]
    assert calls[2][1].endswith(f"{root}/_lake>)")


def _traced(root: Path, trace: Path) -> list[tuple[str, str]]:
    """Return the calls that change names or sync them while one object is put in a known folder."""
    code = "import sys; from storage_backends import open_store; s = open_store(sys.argv[1]);"
    code += "s.put_new('_lake/first', b''); s.put_new('_lake/made', b'bytes')"
    names = "fsync,fdatasync,link,linkat,rename,renameat,renameat2,unlink,unlinkat,mkdir"
    command = ["strace", "-f", "-y", "-s", "9999", "-e", f"trace={names}", "-o", str(trace)]
    try:
        subprocess.run([*command, sys.executable, "-c", code, str(root)], check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("strace is not installed or not allowed here")
    lines = trace.read_text().splitlines()
    calls = [line.split(maxsplit=1)[1].rpartition(" = ")[0].strip() for line in lines]
    calls = [call for call in calls if str(root) in call][-4:]
    return [(call.partition("(")[0].removesuffix("at"), call) for call in calls]


@pytest.fixture
def closed_folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder of the mode given; root, whom no mode stops, becomes nobody for a while."""
    with tempfile.TemporaryDirectory() as text:
        Path(text).chmod(request.param)
        was_root = os.geteuid() == 0
        if was_root:
            os.seteuid(65534)
        try:
            yield Path(text)
        finally:
            if was_root:
                os.seteuid(0)
            Path(text).chmod(0o755)


@pytest.mark.parametrize("closed_folder", [0o555], indirect=True)
def test_a_read_only_folder_refuses(closed_folder: Path) -> None:
    for store in (LocalStore(closed_folder), LocalStore(closed_folder / "new")):
        with pytest.raises(PermissionError, match=str(closed_folder)) as refused:
            store.put_new("a", b"1")
        assert is_refusal(refused.value)
        assert list(store.list()) == []


@pytest.mark.parametrize("closed_folder", [0o000], indirect=True)
def test_a_folder_that_may_not_be_read_is_neither_empty_nor_missing(closed_folder: Path) -> None:
    store = LocalStore(closed_folder)

    with pytest.raises(PermissionError, match=str(closed_folder)):
        list(store.list())
    with pytest.raises(PermissionError, match=str(closed_folder)):
        store.get("a")


def test_a_file_where_a_folder_must_be_refuses(store: Store, root: Path) -> None:
    store.put_new("a", b"1")
    for place, key in ((store, "a/b"), (store, "a/b/c"), (LocalStore(root / "a"), "b")):
        with pytest.raises(ValueError, match="a file is where a folder must be") as refused:
            place.put_new(key, b"2")
        assert is_refusal(refused.value)
    for folder in ("_lake", "b"):
        (root / folder).mkdir(exist_ok=True)
        with pytest.raises(ValueError, match="a folder is there"):
            store.put(folder, b"2")

    assert [found.key for found in store.list()] == ["a"]


FULL = """
import resource, sys
from pathlib import Path
from storage_backends import is_refusal, open_store
if len(sys.argv) > 3:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
store = open_store(sys.argv[1])
for call in (
    lambda: store.put_new("log/1", b"x" * 2_000_000),
    lambda: store.put("hint", b"x" * 2_000_000),
    lambda: store.upload(Path(sys.argv[2]), "raw/x"),
):
    try:
        call()
    except OSError as error:
        print(error.strerror, is_refusal(error))
store.put_new("small", b"x")
print([found.key for found in store.list()], len(list(Path(sys.argv[1], "_lake/.tmp").iterdir())))
"""


def test_a_file_size_limit_is_a_refusal_and_leaves_nothing(root: Path, tmp_path: Path) -> None:
    assert _fill(root, tmp_path, "1000000") == ["File too large True"] * 3 + ["['small'] 0"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if sys.platform != "linux" or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_a_refusal_and_leaves_nothing(small_disk: Path, tmp_path: Path) -> None:
    text = "No space left on device True"
    assert _fill(small_disk, tmp_path) == [text] * 3 + ["['small'] 0"]


def _fill(root: Path, tmp_path: Path, *limit: str) -> list[str]:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 2_000_000)
    command = [sys.executable, "-c", FULL, str(root), str(source), *limit]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_filesystem_without_hard_links_is_refused(small_disk: Path, root: Path) -> None:
    # Another filesystem mounted below the root is the one that every Linux can show.
    store = LocalStore(small_disk.parent)

    with pytest.raises(PermissionError, match="no hard link") as refused:
        store.put_new("disk/a", b"1")

    assert is_refusal(refused.value)
    assert [found.key for found in store.list()] == []


@pytest.mark.parametrize("key", ["_lake/.tmp", "_lake/.tmp/x", "_LAKE/.Tmp/x"])
def test_the_staging_folder_holds_no_keys(store: Store, key: str) -> None:
    with pytest.raises(ValueError, match="where writes are prepared"):
        store.put_new(key, b"")


def test_a_key_never_leaves_through_a_symbolic_link(store: Store, root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    store.put_new("raw/a", b"1")
    (root / "raw" / "link").symlink_to(outside)
    (root / "raw" / "file").symlink_to(outside / "secret")

    for key in ("raw/link/secret", "raw/link/new", "raw/file"):
        for call in (store.get, store.size, store.delete, lambda key: store.put(key, b"")):
            with pytest.raises(ValueError, match="symbolic link"):
                call(key)
    with pytest.raises(ValueError, match="listing would be partial"):
        list(store.list())

    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert [found.key for found in store.list("raw/a")] == ["raw/a"]


def test_a_root_behind_a_symbolic_link_is_one_store(root: Path) -> None:
    root.mkdir()
    (root.parent / "link").symlink_to(root)
    LocalStore(root.parent / "link").put_new("a", b"1")

    assert LocalStore(root).get("a") == b"1"
    assert LocalStore(root.parent / "link").url == LocalStore(root).url


def test_a_failed_download_leaves_no_file(store: Store, tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path; from storage_backends import open_store;"
    )
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
    code += "open_store(sys.argv[1]).download('a', Path(sys.argv[2]))"
    store.put_new("a", b"x" * 5000)
    command = [sys.executable, "-c", code, store.url, str(tmp_path / "target")]
    done = subprocess.run(command, capture_output=True, text=True)

    assert "File too large" in done.stderr
    assert not (tmp_path / "target").exists()


def test_a_failure_after_the_link_is_no_refusal(
    store: Store, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_new("first", b"1")
    real = local._sync

    def full_once_linked(file: int) -> None:
        if (root / "a").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        real(file)

    monkeypatch.setattr(local, "_sync", full_once_linked)
    with pytest.raises(OSError, match="perhaps not durably") as unresolved:
        store.put_new("a", b"1")

    assert not is_refusal(unresolved.value)
    assert store.get("a") == b"1"


def test_the_source_s_name_and_mode_do_not_matter(store: Store, root: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"1")
    source.chmod(0o400)
    store.upload(source, "a")

    assert (root / "a").stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_open_store_takes_paths_and_file_urls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    url = f"{tmp_path.resolve().as_uri()}/a%20%25%20lake%231"

    assert open_store(url).url == url
    assert open_store(f"{url}/").url == url
    assert open_store(url.replace("file:///", "file://localhost/")).url == url
    for path in ("a % lake#1", "./a % lake#1/", "~/a % lake#1", "x/../a % lake#1"):
        assert open_store(path).url == url
    assert not (tmp_path / "a % lake#1").exists()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://", "s3:// is followed by a bucket's name: s3://bucket/prefix$"),
        ("gs://user:secret@b", "gs:// is followed by a bucket's name: gs://bucket/prefix$"),
        ("az://abc/../p", "'../p' is no key: it is relative"),
        ("s3:/bucket/x", "two slashes belong behind s3: .or write ./s3:/… for a folder.$"),
        ("file://me:secret@host/x", "^file://…@host/x names a host or a relative path"),
        ("ftp://user:secret@h/", "no backend for ftp://: use s3://, gs://, az://, or a folder"),
        ("file://host/x", "file://host/x names a host or a relative path: write file:///path"),
        ("", "'' is no folder: give a path or file:///path"),
        ("file:///a%00b", r"'/a\\x00b' is no folder: give a path or file:///path"),
    ],
)
def test_open_store_says_what_it_can_open(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        open_store(url)


def test_a_file_of_the_scratch_folder_becomes_the_object_itself(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    scratch = store.scratch()
    assert scratch is not None
    made = scratch / "made"
    made.write_bytes(b"bytes")
    store.upload(made, "a/b")
    assert os.stat(store.data_url("a/b")).st_ino == made.stat().st_ino
    made.unlink()
    assert store.get("a/b") == b"bytes"
    assert [item.key for item in store.list()] == ["a/b"]


def test_a_folder_that_a_dead_process_left_in_scratch_is_swept_away(tmp_path: Path) -> None:
    left = tmp_path / "_lake" / ".tmp" / "clearlake-left"
    left.mkdir(parents=True)
    (left / "fetched-0").write_bytes(b"half")
    os.utime(left, (0, 0))
    LocalStore(tmp_path).put_new("k", b"")
    assert not left.exists()
