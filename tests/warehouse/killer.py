"""Loads that kill themselves at one call of the statement hook."""

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeAlias

from lake.warehouse.load import TableLoad

Kill: TypeAlias = Callable[[str, TableLoad, Path, int], int]

# Runs one load per request, each in a process of its own that kills itself at one call of the
# statement hook, and answers with its exit status. It forks: to import DuckDB anew for each of a
# hundred kills would take longer than all the rest.
KILLER = """
import importlib, os, pickle, signal, sys
from lake.warehouse.load import load

for module in sys.argv[1:]:
    importlib.import_module(module)

def run(url, job, root, at):
    calls = 0
    def hook(statement):
        nonlocal calls
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        calls += 1
    load(url, job, root=root, statement_hook=hook)

while True:
    try:
        url, job, root, at = pickle.load(sys.stdin.buffer)
    except EOFError:
        break
    child = os.fork()
    if not child:
        try:
            run(url, job, root, at)
        except BaseException as exc:
            print(repr(exc), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@contextmanager
def killer(*modules: str) -> Iterator[Kill]:
    """Give a function that loads and dies at a call of the hook; it returns the exit status.

    What a load imports late it need not import in every process, if it is named here.
    """
    with subprocess.Popen(
        [sys.executable, "-c", KILLER, *modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        requests, answers = _pipes(process)

        def kill(url: str, job: TableLoad, root: Path, at: int) -> int:
            requests.write(pickle.dumps((url, job, root, at)))
            requests.flush()
            return int(answers.readline())

        yield kill
        requests.close()


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin
    assert process.stdout
    return process.stdin, process.stdout
