"""One level of a folder on a disk: names of a large one are kept, and what is no object is not."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from storage_backends import Store


def test_a_large_folder_is_asked_for_again_only_once_it_changed(
    local: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage_backends.level._LARGE", 3)
    local.put_new("many/b", b"1")
    folder = tmp_path / "a lake" / "many"
    for name in ("a", "c", "d"):
        (folder / name).write_bytes(b"1")
    os.utime(folder, (1, 1))
    listed: list[bytes] = []

    def listdir(path: bytes) -> list[bytes]:
        listed.append(path)
        return sorted(os.listdir(path), reverse=True)

    fake = SimpleNamespace(**{**vars(os), "listdir": listdir})
    monkeypatch.setattr("storage_backends.level.os", fake)
    assert [one.key for one in local.children("many/", limit=2)] == ["many/a", "many/b"]
    assert [one.key for one in local.children("many/", after="many/b", limit=9)] == [
        "many/c",
        "many/d",
    ]
    assert len(listed) == 1
    local.put_new("many/bb", b"1")
    assert [one.key for one in local.children("many/", after="many/b", limit=1)] == ["many/bb"]
    (folder / "bc").write_bytes(b"1")  # in the same moment, perhaps
    assert [one.key for one in local.children("many/", after="many/bb", limit=1)] == ["many/bc"]
    assert len(listed) == 3


def test_what_is_no_object_is_not_given(local: Store, tmp_path: Path) -> None:
    local.put_new("a/x", b"1")
    root = tmp_path / "a lake"
    (root / "a" / "empty" / "deeper").mkdir(parents=True)
    (root / "a" / "link").symlink_to(root / "a" / "x")
    (root / "a" / "folder").symlink_to(tmp_path)
    os.mkfifo(root / "a" / "pipe")

    assert [one.key for one in local.children("a/", limit=1)] == ["a/x"]
    assert [one.key for one in local.children("_lake/", limit=9)] == []
    assert local.children("a/x/", limit=9) == ()
    with pytest.raises(ValueError, match="symbolic link"):
        local.children("a/folder/", limit=9)
