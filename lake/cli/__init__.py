"""The command line: `lake VERB`, one module per verb, loaded when it is asked for.

Data go to stdout, talk to stderr. Exit codes: 0 done, 1 expected failure (`error: …` on stderr, one
line per error), 2 wrong usage, 130 interrupted. With `--json` stdout holds exactly one JSON
document, of what was done; a failure is still the exit code and the line on stderr, and stdout is
empty where nothing was done before it.
"""

import sys
from collections.abc import Sequence

from lake.version import VERSION

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        args: the words behind the program's name; those of this process if not given.
    """
    words = list(sys.argv[1:] if args is None else args)
    if words == ["--version"]:
        # Answered before click is imported: scripts ask it often.
        sys.stdout.write(f"lake {VERSION}\n")
        return 0
    from lake.cli.run import run

    return run(words)
