"""`lake sql` alone: a prompt with a history."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lake.cli.answer import Answer, run
from lake.cli.output import line, plain, talk
from lake.errors import LakeError

if TYPE_CHECKING:
    from lake.lake import Lake

_QUOTED = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$|--[^\n]*|/\*.*?\*/""",
    re.DOTALL,
)
_HELP = "statements end in ';'; .tables lists the datasets, .quit or ctrl-D leaves"
_HISTORY_LINES = 1000


def prompt(lake: "Lake") -> None:
    """Read statements from the terminal and answer each, until ctrl-D."""
    talk(plain(f"{lake.url} at commit {lake.commit}; {_HELP}"))
    with _history(lake.log.cache.path("sql_history")):
        for text in _statements():
            try:
                _answer(lake, text)
            except LakeError as error:
                talk(f"error: {plain(str(error))}")
            except KeyboardInterrupt:
                talk("interrupted")


def _answer(lake: "Lake", text: str) -> None:
    if text == ".tables":
        for name in sorted(lake.state.datasets):
            line(name)
    elif text.startswith("."):
        talk(_HELP)
    else:
        run(lake.session(), text, Answer())


def _statements() -> Iterator[str]:
    """Give what is typed, statement by statement; ctrl-C drops what was begun."""
    begun = ""
    while True:
        try:
            typed = input("  ...> " if begun else "lake> ")
        except EOFError:
            line()
            return
        except KeyboardInterrupt:
            line()
            begun = ""
            continue
        if not begun and typed.strip() in (".quit", ".exit"):
            return
        begun = f"{begun}\n{typed}" if begun else typed
        if not begun.strip():
            begun = ""
        elif begun.startswith(".") or is_complete(begun):
            yield begun.strip()
            begun = ""


def is_complete(text: str) -> bool:
    """Tell whether `text` ends in a `;` that is not inside quotes or a comment."""
    bare = _QUOTED.sub(" ", text)
    is_open = any(mark in bare for mark in ("'", '"', "/*", "$$"))
    return not is_open and bare.rstrip().endswith(";")


@contextmanager
def _history(path: Path | None) -> Iterator[None]:
    """Let the arrow keys find what was typed before, also in an earlier prompt."""
    try:
        import readline
    except ImportError:
        yield
        return
    if path:
        with suppress(OSError):
            readline.read_history_file(path)
    try:
        yield
    finally:
        readline.set_history_length(_HISTORY_LINES)
        if path:
            with suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                readline.write_history_file(path)
