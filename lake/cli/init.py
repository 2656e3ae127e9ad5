"""`lake init`."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lake.cli.call import Call, verb
from lake.cli.output import document, line, plain, talk
from lake.policy import ROLES, Role, policy

if TYPE_CHECKING:
    from lake.config import Config
    from lake.operations.start import Started


@verb(name="init")
@click.argument("url", required=False)
@click.option("--timezone", metavar="TZ", help="What a bare date means, such as Europe/Paris.")
@click.option(
    "--example",
    type=click.Choice(["nyc-taxi"]),
    help="Write a lake.toml and models/ for real public data.",
)
@click.option(
    "--policy",
    "role",
    type=click.Choice(ROLES),
    help="Print what the cloud must be told for a reader, writer or loader; make nothing.",
)
def command(
    call: Call, url: str | None, timezone: str | None, example: str | None, role: Role | None
) -> None:
    """Make a lake, or see that it is there.

    With a URL nothing but the lake is made. Without one the lake.toml of this or a parent folder
    says where it is; where there is none, a small one is written here, with a folder models/.
    """
    from lake.opening import where
    from lake.operations.start import start

    url = url or call.lake
    if role:
        click.echo(policy(role, where(url, call.config())))
        return
    if url and example:
        raise click.UsageError("--example writes a lake.toml with the URL: leave the URL out")
    written = [] if url else _project(call, example)
    config = call.config()
    started = start(where(url, config), timezone=timezone or config.timezone)
    if call.json:
        _document(started, written)
    else:
        _tell(started, written, timezone, is_named=_is_named(config))
        if example:
            _tell_next()


def _project(call: Call, example: str | None) -> list[Path]:
    """Write the project's files where there are none yet."""
    from lake.config import find
    from lake.operations.example import EXAMPLES
    from lake.operations.start import MINIMAL, write_files

    here = Path.cwd()
    if example:
        return write_files(here, EXAMPLES[example])
    if find(here) or os.environ.get("LAKE_URL"):
        return []
    written = write_files(here, {"lake.toml": MINIMAL})
    (here / "models").mkdir(exist_ok=True)
    return written


def _is_named(config: "Config") -> bool:
    """Tell whether later commands find the lake here without being told."""
    return bool(config.url or os.environ.get("LAKE_URL"))


def _tell_next() -> None:
    from lake.operations.example import NEXT_STEPS

    for step in NEXT_STEPS:
        talk(step)


def _document(started: "Started", written: list[Path]) -> None:
    lake = started.lake
    document(
        {
            "lake": lake.url,
            "id": lake.log.identity.id,
            "timezone": lake.log.identity.timezone,
            "new": started.is_new,
            "commit": lake.commit,
            "written": written,
        }
    )


def _tell(started: "Started", written: list[Path], timezone: str | None, *, is_named: bool) -> None:
    for path in written:
        line(plain(f"wrote {path.relative_to(Path.cwd())}"))
    lake, identity = started.lake, started.lake.log.identity
    if started.is_new:
        line(plain(f"made the lake {lake.url}, time zone {identity.timezone}"))
        if not is_named:
            said = f"export LAKE_URL={shlex.quote(lake.url)}"
            talk(plain(f"to work with it: {said}, or name it in lake.toml"))
        return
    line(plain(f"the lake {lake.url} is there already, at commit {lake.commit}"))
    if timezone and timezone != identity.timezone:
        talk(f"its time zone is {identity.timezone} and stays so")
