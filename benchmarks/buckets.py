"""A lake in a bucket, beside what others move files with; MinIO on loopback stands for S3.

One gigabyte is sent and fetched as a landing and `lake get` do it; beside it boto3 sends the same
file, and obstore fetches it. Of the small partitions each is landed by a call of its own, too. For
the last two, a proxy waits 30 ms before each request.
"""

import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import boto3
import duckdb
from boto3.s3.transfer import TransferConfig

from benchmarks import lakes, places
from benchmarks.measure import (
    LAKE,
    Figure,
    Missing,
    faster,
    interleaved,
    process,
    python,
    ratio,
    seconds,
    timed,
)
from lake.lake import Lake
from lake.opening import init
from storage_backends import open_store
from tests import servers
from tests.faults.proxy import Proxy, Rule

ROWS = 67_000_000
SMALL = 200
DELAY_S = 0.03
_LOOP = """
import sys, lake
url, folder, count = sys.argv[1:]
lk = lake.open(url)
for n in range(int(count)):
    lk.land(f"{folder}/{n:03}.parquet", dataset="raw.x", partition={"part": f"{n:03}"})
"""


def figures() -> list[Figure | Missing]:
    with places.scratch() as folder, servers.running("minio") as told, _told(told):
        found = [*_large(folder), _small(folder)]
        return [*found, *_far(told)]


def _large(folder: Path) -> list[Figure | Missing]:
    source = _gigabyte()
    bucket = boto3.client("s3")
    lk = init(_url())
    landed = timed(lambda: lk.land(source, dataset="raw.x"))

    def send() -> float:
        key = f"{uuid.uuid4().hex}/{source.name}"
        os.sync()
        return timed(
            lambda: bucket.upload_file(str(source), servers.BUCKET, key, Config=TransferConfig())
        )

    def store() -> float:
        os.sync()
        return timed(lambda: lk.log.store.upload(source, uuid.uuid4().hex))

    sent, ours = interleaved(6, send, store)
    up = faster("1 GB sent to MinIO, times as fast as boto3's `upload_file`", 0.9, ours, sent)
    note = f"{up.note}; landed, with a copy and its SHA-256: {landed:.2f} s"
    return [replace(up, note=note), _fetched(lk, folder, source)]


def _fetched(lk: Lake, folder: Path, source: Path) -> Figure | Missing:
    what = "1 GB fetched from MinIO, beside obstore"
    if not find_spec("obstore"):
        return Missing(what, "needs obstore: `make bench` installs it")
    from obstore.store import S3Store

    store = S3Store(servers.BUCKET, client_options={"allow_http": True})
    key = f"{uuid.uuid4().hex}/{source.name}"
    boto3.client("s3").upload_file(str(source), servers.BUCKET, key)
    ((source_key,),) = lk.sql("SELECT key FROM meta.files").fetchall()

    def theirs() -> float:
        def fetch(target: Path) -> None:
            with target.open("wb") as file:
                for block in store.get(key).stream(min_chunk_size=8 << 20):
                    file.write(block)

        with places.scratch() as at:
            os.sync()  # what was written before is not to be waited for now
            return timed(lambda: fetch(at / "theirs"))

    def ours() -> float:
        with places.scratch() as at:
            os.sync()
            return timed(lambda: lk.log.store.download(source_key, at / "ours"))

    mine, other = interleaved(3, ours, theirs)
    got = timed(lambda: lk.get("raw.x", folder / "got"))
    return ratio(what, 1.2, mine, other, note=f"held against its SHA-256, too: {got:.2f} s")


def _small(folder: Path) -> Figure:
    files = folder / "files"
    files.mkdir()
    with duckdb.connect() as connection:
        for number in range(SMALL):
            rows = f"SELECT n, hash(n, {number}) AS h FROM range(64000) t(n)"
            connection.execute(f"COPY ({rows}) TO '{files}/{number:03}.parquet' (FORMAT parquet)")
    together, alone = interleaved(2, lambda: _together(files, folder), lambda: _one_by_one(files))
    what = f"{SMALL} partitions of 1 MB in MinIO, times as fast as one after the other"
    return faster(what, 3, together, alone)


def _together(files: Path, folder: Path) -> float:
    project, url = places.emptied(folder / "together"), _url()
    values = ", ".join(f'"{n:03}"' for n in range(SMALL))
    (project / "lake.toml").write_text(
        f'[lake]\nurl = "{url}"\n[sources.x]\n'
        f'url = "{files}/{{part}}.parquet"\npartition.part = {{ values = [{values}] }}\n'
    )
    init(url)
    return process("env", "-C", project, LAKE, "land", "x")


def _one_by_one(files: Path) -> float:
    url = _url()
    init(url)
    return python(_LOOP, url, files, str(SMALL))


def _far(told: dict[str, str]) -> list[Figure]:
    url = _url()
    store, local = open_store(url), open_store(str(lakes.big_lake()))
    wanted = [one.key for one in local.list() if one.key.startswith("_lake/")]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: store.put(key, local.get(key)), wanted))
    upstream = told["AWS_ENDPOINT_URL"]
    with Proxy.before(upstream) as proxy, _told({"AWS_ENDPOINT_URL": proxy.url, "LAKE_CACHE": ""}):
        proxy.fail(Rule("slow", times=10**9, seconds=DELAY_S))
        code = "import sys, lake; assert lake.open(sys.argv[1]).commit >= 10_000"
        opened, listed = interleaved(
            3, lambda: python(code, url), lambda: process(LAKE, "ls", "--lake", url)
        )
    where = "on an S3 that is 30 ms away, 100,000 files"
    return [
        seconds(f"{where}: first open, a whole process", 2, opened),
        seconds(f"{where}: `lake ls`", 1.2, listed),
    ]


def _gigabyte() -> Path:
    path = places.cache() / "gigabyte.parquet"
    if not path.exists():
        part = path.with_suffix(".part")
        rows = f"SELECT hash(n) AS a, hash(n, 1) AS b FROM range({ROWS}) t(n)"
        duckdb.sql(f"COPY ({rows}) TO '{part}' (FORMAT parquet, COMPRESSION uncompressed)")
        part.rename(path)
    return path


def _url() -> str:
    return f"s3://{servers.BUCKET}/{uuid.uuid4().hex}"


@contextmanager
def _told(told: dict[str, str]) -> Iterator[None]:
    """Find the server by the environment, and the processes that are started, too."""
    before = dict(os.environ)
    os.environ.update(told)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
