import hashlib
import io
import os
import re
import threading
from io import FileIO
from pathlib import Path

import pytest

from lake.errors import SourceIncomplete, SourceMissing, SourceUnreadable, StoreUnavailable
from lake.sources.copy import Fetched, Sink, copy
from lake.sources.fetch import fetch, fetch_stream

BODY = os.urandom(3_000_001)


def test_a_file_is_copied_and_hashed(tmp_path: Path) -> None:
    source = tmp_path / "trips é.parquet"
    source.write_bytes(BODY)
    os.utime(source, (0, 1_700_000_000))
    to = tmp_path / "to"
    assert fetch(str(source), to) == Fetched(
        path=to,
        name="trips é.parquet",
        bytes=len(BODY),
        sha256=hashlib.sha256(BODY).hexdigest(),
        url=f"file://{tmp_path}/trips%20%C3%A9.parquet",
        last_modified="Tue, 14 Nov 2023 22:13:20 GMT",
    )
    assert to.read_bytes() == BODY
    assert to.stat().st_ino != source.stat().st_ino


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    fetched = fetch(f"file://{tmp_path}/empty", tmp_path / "to")
    assert fetched is not None
    assert (fetched.bytes, fetched.sha256) == (0, hashlib.sha256(b"").hexdigest())


def test_a_stream_is_written_and_hashed(tmp_path: Path) -> None:
    fetched = fetch_stream(io.BytesIO(BODY), tmp_path / "to", name="stdin")
    assert fetched.sha256 == hashlib.sha256(BODY).hexdigest()
    assert (fetched.name, fetched.url, fetched.bytes) == ("stdin", "-", len(BODY))


def _check_refused(path: Path, kind: type[Exception], said: str) -> None:
    to = path.parent / "to"
    with pytest.raises(kind, match=f"^{re.escape(said)}$"):
        fetch(str(path), to)
    assert not to.exists()


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    said = f"there is no file {tmp_path}/x.csv: look at the name, or at the folder"
    _check_refused(tmp_path / "x.csv", SourceMissing, said)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    said = f"{tmp_path}/d is a folder: name a file, or a glob such as {tmp_path}/d/*"
    _check_refused(tmp_path / "d", SourceUnreadable, said)


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    said = f"{tmp_path}/pipe is a named pipe: name a file"
    _check_refused(tmp_path / "pipe", SourceUnreadable, said)


def test_a_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "zero").symlink_to("/dev/zero")
    said = f"{tmp_path}/zero is a device: name a file"
    _check_refused(tmp_path / "zero", SourceUnreadable, said)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").touch(mode=0)
    said = f"{tmp_path}/secret cannot be opened: Permission denied"
    _check_refused(tmp_path / "secret", SourceUnreadable, said)


def test_a_file_that_grows_while_it_is_read_is_incomplete(tmp_path: Path) -> None:
    source, stop = tmp_path / "log.csv", threading.Event()
    source.write_bytes(bytes(20_000_000))
    begun = threading.Event()

    def grow() -> None:
        with source.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"x")
                begun.set()

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        assert begun.wait(10)
        with pytest.raises(
            SourceIncomplete,
            match=r"log\.csv changed while it was read \([0-9]+ bytes before, [0-9]+ read\)",
        ):
            fetch(str(source), tmp_path / "to")
    finally:
        stop.set()
        writer.join()
    assert not (tmp_path / "to").exists()


def test_what_is_there_already_is_not_overwritten(tmp_path: Path) -> None:
    for name in ("from", "to"):
        (tmp_path / name).write_text(name)
    with pytest.raises(StoreUnavailable, match=r"/to cannot be written: File exists; make room"):
        fetch(str(tmp_path / "from"), tmp_path / "to")
    assert (tmp_path / "to").read_text() == "to"


def test_a_full_disk_is_no_fault_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "from").write_bytes(BODY)
    with pytest.raises(StoreUnavailable, match=r"full cannot be written: No space left on device;"):
        _copy_to_full_disk(tmp_path)


def _copy_to_full_disk(folder: Path) -> None:
    with FileIO(folder / "from") as source, FileIO("/dev/full", "w") as full:
        copy(source, Sink(folder / "full", full))
