"""Walks in processes of their own; see `killer`."""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
VERBS = ["land", "transform", "load"]
NOTHING = {"land": ["unchanged"] * 3, "transform": ["unchanged"] * 2, "load": []}


class Walker:
    """The process that forks one for every walk."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.killer"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, root: Path, verbs: list[str], **more: Any) -> Any:
        """Run the verbs of a project; `more` is what else `killer` knows of a job."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"root": str(root), "verbs": verbs, **more}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
