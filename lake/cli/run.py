"""Run one command, and turn however it ends into an exit code."""

import atexit
import gc
import io
import os
import signal
import sys
import threading
from collections.abc import Sequence

import click

from lake.cli.output import deafen, plain, talk
from lake.cli.verbs import group
from lake.errors import LakeError, SeveralFailed
from lake.words import cause

PROGRAMS = ("lake", "clearlake")
INTERRUPTED = 130


def run(words: Sequence[str]) -> int:
    """Run one command; see `lake.cli`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Paths may hold bytes that are no text; they go out as they came in.
        sys.stdout.reconfigure(errors="surrogateescape")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    # What there is at the end is not looked through for cycles, which would take 20 ms.
    atexit.register(gc.freeze)
    code = _exit_code(words)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        deafen()
    return code


def _stop(number: int, frame: object) -> None:
    """End as an error does, so that what lies in scratch folders is taken away."""
    raise SystemExit(128 + number)


def _exit_code(words: Sequence[str]) -> int:
    try:
        return _invoke(words)
    except click.UsageError as error:
        return _usage(error)
    except LakeError as error:
        return _failed(error)
    except (KeyboardInterrupt, click.Abort):
        talk("error: interrupted; run the same command again to go on")
        return INTERRUPTED
    except BrokenPipeError:
        deafen()
        return 0
    except OSError as error:
        place = f"{error.filename}: " if isinstance(error.filename, str) else ""
        talk(f"error: {plain(f'{place}{cause(error)}')}")
        return 1


def _invoke(words: Sequence[str]) -> int:
    variables = [completion_variable(program) for program in PROGRAMS]
    variable = next((name for name in variables if name in os.environ), variables[0])
    code = group().main(
        args=list(words), prog_name="lake", complete_var=variable, standalone_mode=False
    )
    return code if isinstance(code, int) else 0


def completion_variable(program: str) -> str:
    """Return the variable by which a shell asks a program for completions."""
    return f"_{program.upper()}_COMPLETE"


def _usage(error: click.UsageError) -> int:
    where = error.ctx.command_path if error.ctx else "lake"
    said = plain(error.format_message()).rstrip(".")
    talk(f"error: {said}{' See' if said.endswith('?') else '; see'} `{where} --help`")
    return 2


def _failed(error: LakeError) -> int:
    for one in _each(error):
        talk(f"error: {plain(str(one))}")
    return 1


def _each(error: LakeError) -> list[LakeError]:
    if isinstance(error, SeveralFailed):
        return [leaf for one in error.errors for leaf in _each(one)]
    return [error]
