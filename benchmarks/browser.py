"""The pages of a lake of 200 datasets and 100,000 files: how quick they are, what they weigh."""

import http.client
import itertools
import json
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from benchmarks import lakes, places
from benchmarks.measure import LAKE, Figure
from lake.opening import init

CLIENTS = 8
ROUNDS = 3
DATASETS = 100
"""Of the 200, which the pages that are asked for are of."""
KEYS = 1_000_000
SETTLED_S = 3
"""A folder that was changed within the last two seconds is listed anew for each page."""
_SLOW = "SELECT count(*) FROM range(100000) a, range(100000) b WHERE (a.range * b.range) % 7 = 1"


@dataclass(frozen=True, slots=True)
class _Server:
    """A running `lake browse`."""

    url: str
    pid: int

    def get(self, path: str) -> tuple[float, int, int]:
        """Return the seconds, the bytes and the status of a page."""
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=120)
        begun = time.perf_counter()
        connection.request("GET", path, headers={"Sec-Fetch-Site": "none"})
        answer = connection.getresponse()
        body = answer.read()
        taken = time.perf_counter() - begun
        connection.close()
        return taken, len(body), answer.status

    @property
    def resident(self) -> int:
        """The bytes of memory that it has taken at most."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(text.partition("VmHWM:")[2].split()[0]) * 1024


@contextmanager
def _served(lake: Path) -> Iterator[_Server]:
    command = [str(LAKE), "browse", "--json", "--port", "0", "--lake", str(lake)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            text = "".join(itertools.takewhile(lambda line: line != "}\n", process.stdout)) + "}"
            yield _Server(json.loads(text)["url"], process.pid)
        finally:
            process.terminate()


def figures() -> list[Figure]:
    wide = lakes.wide_lake()
    with _served(wide) as server:
        cold, _, _ = server.get("/")
        pages = [*_pages()]
        weights = [_asked(server, path)[1] for path in pages]
        taken = _by_clients(server, pages * ROUNDS)
        found = [
            _seconds("the first page of a server that has just begun", 1.0, [cold]),
            _p95("pages of 200 datasets and 100,000 files, 8 clients", 0.1, taken),
            _bytes("the heaviest page", 150 * 1024, max(weights)),
        ]
        found.append(_p95("the same beside 10 slow queries", 0.2, _beside_queries(server, pages)))
        found.append(_bytes("resident memory of the server", 300 << 20, server.resident))
    return [*found, _bucket()]


def _pages() -> Iterator[str]:
    yield from ("/", "/?raw=100", "/search?q=wide_01", "/search?q=fare", "/commits", "/runs")
    for number in range(0, 200, 200 // DATASETS):
        name = f"/raw/wide_{number:03}"
        yield from (name, f"{name}/columns", f"{name}/versions", f"{name}/checks")
        yield f"{name}/day=2024-03-{1 + number % 28:02}/v1"
        yield f"/commits/{1 + number}"
        yield f"/bucket?prefix={quote(f'raw/wide_{number:03}/')}"


def _asked(server: _Server, path: str) -> tuple[float, int]:
    taken, weight, status = server.get(path)
    assert status == 200, (path, status)
    return taken, weight


def _by_clients(server: _Server, pages: Sequence[str]) -> list[float]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        return [taken for taken, _ in pool.map(lambda path: _asked(server, path), pages)]


def _beside_queries(server: _Server, pages: Sequence[str]) -> list[float]:
    """Ask for pages while ten slow queries run or wait."""
    asked = [f"/sql.json?sql={quote(f'{_SLOW} + {number} * 0')}" for number in range(10)]
    threads = [threading.Thread(target=server.get, args=(path,)) for path in asked]
    for thread in threads:
        thread.start()
    time.sleep(1)
    return _by_clients(server, pages)


def _bucket() -> Figure:
    """Ask for pages of one prefix with a million keys."""
    with places.scratch() as folder:
        root = folder / "lake"
        init(str(root))
        wide = root / "raw" / "wide"
        wide.mkdir(parents=True)
        for number in range(KEYS):
            (wide / f"{number:07}.txt").touch()
        time.sleep(SETTLED_S)
        with _served(root) as server:
            paths = [
                f"/bucket?prefix=raw/wide/&after={quote(f'raw/wide/{number:07}.txt')}"
                for number in range(0, KEYS, KEYS // 60)
            ]
            first, *taken = [_asked(server, path)[0] for path in (paths[0], *paths)]
    what = "a page of the bucket, 1 million keys in one prefix"
    return _p95(f"{what} (the first took {first:.2f} s)", 0.3, taken)


def _p95(what: str, bound: float, taken: Sequence[float]) -> Figure:
    p95 = statistics.quantiles(taken, n=20)[-1]
    note = f"of {len(taken)}; at most {max(taken):.3f} s"
    return Figure(f"{what}: p95", bound, p95, statistics.median(taken), "s", note=note)


def _seconds(what: str, bound: float, taken: Sequence[float]) -> Figure:
    return Figure(what, bound, min(taken), statistics.median(taken), "s")


def _bytes(what: str, bound: int, found: int) -> Figure:
    return Figure(f"{what}, MiB", bound / (1 << 20), found / (1 << 20), found / (1 << 20), "x")
