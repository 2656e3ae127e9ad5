"""Walks in processes of their own; see `killer`."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
VERBS = ["land", "transform", "load"]
NOTHING = {"land": ["unchanged"] * 3, "transform": ["unchanged"] * 2, "load": []}


class Worker:
    """A module of the tests that runs as a process, which lines of JSON come into and go out of."""

    def __init__(self, module: str, surroundings: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env=surroundings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Walker(Worker):
    """The process that forks one for every walk."""

    def __init__(self) -> None:
        super().__init__("tests.faults.killer")

    def run(self, root: Path, verbs: list[str], **more: Any) -> Any:
        """Run the verbs of a project; `more` is what else `killer` knows of a job."""
        self.say(json.dumps({"root": str(root), "verbs": verbs, **more}))
        return self.hear()
