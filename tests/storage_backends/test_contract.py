"""What every backend must give; each guarantee of `Store`, over real stores."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import IO

import duckdb
import pytest

from lake.query.sql import file_list
from storage_backends import Listed, Store, is_refusal, open_store

ODD_KEYS = [
    "raw/x/month=2024-01/version=20240101T000000Z-00000000-0000/a.parquet",
    "raw/a blank and  two/ leading",
    "raw/k=v=w/100%25/%2F%2e%2e/50%",
    "raw/čaj – 茶 🍵/é.csv",
    f"raw/{'x' * 200}/{'é' * 100}",
    "raw/.hidden/~/$HOME/'quoted\"/#?&;*[x]",
    "raw/...",
]
NO_KEYS = [
    "", "/", "/etc/passwd", "..", "../x", "raw/../../x", "raw/..", ".", "./x", "raw/./x", "raw//x",
    "raw/", "/raw", "raw\\x", "raw\0x", "raw/\udcff",
]  # fmt: skip


def keys(store: Store, prefix: str = "", *, after: str = "") -> list[str]:
    return [found.key for found in store.list(prefix, after=after)]


def test_what_was_put_is_read_back(store: Store) -> None:
    store.put_new("a/b", b"bytes")

    assert store.get("a/b") == b"bytes"
    assert store.size("a/b") == 5
    assert list(store.list()) == [Listed("a/b", 5)]


def test_an_empty_object_is_an_object(store: Store) -> None:
    store.put_new("a", b"")

    assert (store.get("a"), store.size("a"), list(store.list())) == (b"", 0, [Listed("a", 0)])


def test_a_taken_key_keeps_its_bytes(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"third")
    store.put_new("a", b"first")

    with pytest.raises(FileExistsError, match="a") as put:
        store.put_new("a", b"second")
    with pytest.raises(FileExistsError, match="a") as uploaded:
        store.upload(source, "a")

    assert store.get("a") == b"first"
    assert not is_refusal(put.value)
    assert not is_refusal(uploaded.value)


def test_a_plain_put_replaces(store: Store) -> None:
    store.put("_lake/checkpoint.json", b"a longer old text")
    store.put("_lake/checkpoint.json", b"new")

    assert store.get("_lake/checkpoint.json") == b"new"
    assert keys(store) == ["_lake/checkpoint.json"]


def test_of_sixteen_threads_exactly_one_creates_a_key(store: Store) -> None:
    barrier = Barrier(16)

    def create(key: str, text: bytes) -> bytes | None:
        barrier.wait()
        try:
            store.put_new(key, text)
        except FileExistsError:
            return None
        return text

    with ThreadPoolExecutor(16) as pool:
        for turn in range(10):
            tries = [pool.submit(create, f"log/{turn}", b"%d" % n * 4000) for n in range(16)]
            won = [text for text in (attempt.result() for attempt in tries) if text]
            assert won == [store.get(f"log/{turn}")]
    assert len(keys(store)) == 10


RACER = """
import os, sys
from storage_backends import open_store
store, text = open_store(sys.argv[1]), str(os.getpid())
for line in iter(sys.stdin.readline, ""):
    try:
        store.put_new(line.strip(), text.encode())
    except FileExistsError:
        text_or_lost = "lost"
    else:
        text_or_lost = text
    print(text_or_lost, flush=True)
"""


def test_of_four_processes_exactly_one_creates_a_key(store: Store) -> None:
    racers = [_racer(store.url) for _ in range(4)]
    try:
        for turn in range(10):
            for racer in racers:
                _stream(racer.stdin).write(f"log/new folder {turn}/key\n")
            for racer in racers:
                _stream(racer.stdin).flush()
            answers = [_stream(racer.stdout).readline().strip() for racer in racers]
            won = [answer for answer in answers if answer != "lost"]
            assert won == [store.get(f"log/new folder {turn}/key").decode()]
    finally:
        for racer in racers:
            racer.communicate()


def _racer(url: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", RACER, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _stream(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def test_an_upload_and_a_download_keep_every_byte(store: Store, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(range(256)) * 13_001)

    store.upload(source, "raw/file")
    source.write_bytes(b"changed afterwards")
    store.download("raw/file", target)

    assert target.read_bytes() == bytes(range(256)) * 13_001
    assert store.size("raw/file") == target.stat().st_size


def test_no_reader_sees_a_part_of_an_upload(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 40_000_000)

    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(store.upload, source, "raw/big")
        seen = {_size_or_missing(store, "raw/big")}
        while not upload.done():
            seen |= {_size_or_missing(store, "raw/big"), *_listed_sizes(store)}
        upload.result()

    assert seen <= {None, 40_000_000}
    assert None in seen
    assert store.get("raw/big", start=39_999_990) == b"x" * 10


def _size_or_missing(store: Store, key: str) -> int | None:
    try:
        return store.size(key)
    except FileNotFoundError:
        return None


def _listed_sizes(store: Store) -> list[int]:
    return [found.byte_count for found in store.list()]


def test_a_reader_of_a_replaced_object_sees_it_whole(store: Store) -> None:
    texts = [bytes([65 + n]) * 300_000 for n in range(4)]
    store.put("hint", texts[0])

    def write() -> None:
        for n in range(40):
            store.put("hint", texts[n % 4])

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        seen = {store.get("hint")}
        while not writer.done():
            seen.add(store.get("hint"))

    assert seen <= set(texts)


@pytest.mark.parametrize(
    ("start", "length", "text"),
    [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (3, 4, b"3456"),
        (8, 2, b"89"),
        (8, 100, b"89"),
        (8, 10**15, b"89"),
        (10, 5, b""),
        (10, None, b""),
        (99, 5, b""),
        (0, 0, b""),
    ],
)
def test_a_range_ends_where_the_object_ends(
    store: Store, start: int, length: int | None, text: bytes
) -> None:
    store.put_new("a", b"0123456789")

    assert store.get("a", start=start, length=length) == text


@pytest.mark.parametrize(("start", "length"), [(-1, None), (0, -1)])
def test_a_negative_range_is_refused(store: Store, start: int, length: int | None) -> None:
    store.put_new("a", b"0123456789")

    with pytest.raises(ValueError, match="0 or more"):
        store.get("a", start=start, length=length)


def test_a_missing_key_is_not_found(store: Store, tmp_path: Path) -> None:
    store.put_new("a/b", b"")

    for key in ("c", "a", "a/b/c", "a/c", "x/y"):
        with pytest.raises(FileNotFoundError, match=key):
            store.get(key)
        with pytest.raises(FileNotFoundError, match=key):
            store.size(key)
        with pytest.raises(FileNotFoundError, match=key):
            store.download(key, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_download_overwrites_nothing(store: Store, tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"mine")
    store.put_new("a", b"theirs")

    with pytest.raises(FileExistsError, match="target"):
        store.download("a", tmp_path / "target")

    assert (tmp_path / "target").read_bytes() == b"mine"


def test_deleting_twice_is_fine(store: Store) -> None:
    store.put_new("a/b", b"1")
    store.put_new("a/c", b"2")

    for key in ("a/b", "a/b", "never/was", "a", "a/c/d"):
        store.delete(key)

    assert keys(store) == ["a/c"]
    store.put_new("a/b", b"again")
    assert store.get("a/b") == b"again"


TREE = ["a", "b-c/x", "b.txt", "b/x", "b/x-1/y", "b/x.y", "b/z/1", "b/z/2", "b0", "č", "🍵/1"]


def test_a_listing_is_complete_and_sorted_by_key(store: Store) -> None:
    for key in reversed(TREE):
        store.put_new(key, b"1")

    assert keys(store) == sorted(TREE)


def test_a_listing_takes_any_prefix_and_any_start(store: Store) -> None:
    for key in TREE:
        store.put_new(key, b"1")
    texts = sorted({key[:n] for key in TREE for n in range(len(key) + 1)} | {"0", "b/z/1x", "zz"})

    for prefix in texts:
        for after in texts:
            expected = [key for key in sorted(TREE) if key.startswith(prefix) and key > after]
            assert keys(store, prefix, after=after) == expected


def one_level(prefix: str, after: str) -> list[str]:
    """Return what `children` is to give of `TREE`, worked out in another way."""
    mine = [key.removeprefix(prefix) for key in TREE if key.startswith(prefix)]
    names = {name.partition("/")[0] + "/" * ("/" in name) for name in mine}
    return sorted(f"{prefix}{name}" for name in names if f"{prefix}{name}" > after)


def test_a_folder_gives_one_level_from_any_start(store: Store) -> None:
    for key in TREE:
        store.put_new(key, b"12")
    folders = ["", "b/", "b/z/", "b/x-1/", "nothing/", "🍵/"]
    starts = ["", *TREE, "b", "b/", "b-c/", "b/x-1/", "b/z/", "0", "b/z/1x", "zz", "🍵/"]

    for prefix in folders:
        for after in starts:
            expected = one_level(prefix, after)
            for limit in (1, 2, 100):
                found = store.children(prefix, after=after, limit=limit)
                assert [one.key for one in found] == expected[:limit], (prefix, after, limit)
            sizes = {one.byte_count for one in found if not one.key.endswith("/")}
            assert sizes <= {2}


def test_a_folder_of_many_is_given_page_by_page_and_none_is_lost(store: Store) -> None:
    names = sorted([f"log/{n:04}{'/deep/x' * (n % 3 == 0)}" for n in range(60)])
    for name in names:
        store.put(name, b"")

    found: list[str] = []
    while page := store.children("log/", after=found[-1] if found else "", limit=7):
        found += [one.key for one in page]
    assert found == sorted({"/".join(n.split("/")[:2]) + "/" * ("deep" in n) for n in names})


@pytest.mark.parametrize("prefix", ["..", "../", "/", "raw", "raw//", "raw/../", "raw\\x/"])
def test_no_level_outside_of_the_root_is_given(store: Store, prefix: str) -> None:
    with pytest.raises(ValueError, match=r"is no (key|folder)"):
        store.children(prefix, limit=1)


def test_an_empty_store_lists_nothing(store: Store) -> None:
    assert keys(store) == keys(store, "raw/") == keys(store, "raw/x", after="raw/") == []


def test_a_listing_of_many_objects_has_no_hole(store: Store) -> None:
    names = [f"log/{n:05}" for n in range(1100)]
    for name in names:
        store.put(name, b"")

    assert keys(store, "log/") == names
    assert keys(store, "log/", after=names[1000]) == names[1001:]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_odd_key_comes_back_as_it_was(store: Store, key: str, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"bytes")
    store.upload(tmp_path / "source", key)
    store.download(key, tmp_path / "target")

    assert store.get(key) == (tmp_path / "target").read_bytes() == b"bytes"
    assert keys(store) == keys(store, key) == keys(store, key[:-1]) == [key]
    store.delete(key)
    assert keys(store) == []


CALLS: dict[str, Callable[[Store, str], object]] = {
    "put_new": lambda store, key: store.put_new(key, b""),
    "put": lambda store, key: store.put(key, b""),
    "upload": lambda store, key: store.upload(Path(__file__), key),
    "get": lambda store, key: store.get(key),
    "download": lambda store, key: store.download(key, Path("never made")),
    "size": lambda store, key: store.size(key),
    "delete": lambda store, key: store.delete(key),
    "data_url": lambda store, key: store.data_url(key),
}


@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize("key", NO_KEYS)
def test_a_key_that_is_none_is_refused(store: Store, key: str, verb: str) -> None:
    with pytest.raises(ValueError, match="is no key") as refused:
        CALLS[verb](store, key)

    assert is_refusal(refused.value)
    assert keys(store) == []


@pytest.mark.parametrize("prefix", ["../", "/etc/", "raw/../../", "raw//", "./"])
def test_a_prefix_that_leads_out_is_refused_at_the_call(store: Store, prefix: str) -> None:
    with pytest.raises(ValueError, match="is no key"):
        store.list(prefix)


def test_an_object_is_found_again_under_the_store_s_url(store: Store) -> None:
    store.put_new("a", b"1")

    again = open_store(store.url)

    assert again.get("a") == b"1"
    assert again.url == store.url
    assert not store.url.endswith("/")


def test_duckdb_reads_what_was_uploaded(store: Store, tmp_path: Path) -> None:
    source, key = tmp_path / "x.parquet", "raw/x/k=a%2Fb/version=1/[x] *.parquet"
    duckdb.sql(f"copy (select 42 as answer) to '{source}'")
    store.upload(source, key)

    connection = duckdb.connect()
    store.let_read(connection)
    files = file_list([store.data_url(key)])
    query = f"select answer from read_parquet({files}, hive_partitioning = false)"
    assert connection.sql(query).fetchall() == [(42,)]


def test_the_store_s_time_is_aware_and_about_now(store: Store) -> None:
    store.put_new("a", b"")

    assert store.now().utcoffset() == timedelta(0)
    assert abs(store.now() - datetime.now(UTC)) < timedelta(minutes=5)
