"""`lake server`."""

import os
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from lake.cli.call import Call, verb
from lake.cli.output import document, line, talk

if TYPE_CHECKING:
    from pathlib import Path

    from lake_flows.server import Running

DATABASE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"


@verb(name="server", short_help="run a Prefect server for this lake's flows, until Ctrl-C")
@click.option("--database", metavar="URL", help=f"Its database; else {DATABASE}, else its own.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address it listens on.")
@click.option("--port", default=4200, show_default=True, help="The port of its pages and its API.")
def command(call: Call, database: str | None, host: str, port: int) -> None:
    """Run a Prefect server, until Ctrl-C: on PostgreSQL, with a password, telemetry off.

    Runs that ended 90 days ago are forgotten, and one that was silent for 9 minutes is marked
    Crashed. Our blocks are registered. Without a database it keeps its data in a folder of yours.
    Its password is made there, unless PREFECT_SERVER_API_AUTH_STRING names one.
    """
    from lake_flows import server

    folder = server.home()
    url = database or os.environ.get(DATABASE)
    code = 0
    # Ctrl-C is how it is stopped.
    with (
        suppress(KeyboardInterrupt),
        server.running(url, folder=folder, host=host, port=port) as found,
    ):
        _equip(found)
        _tell(call, found, folder)
        code = found.process.wait()
    if code:
        log = folder / "server.log"
        raise server.ServerFailed(f"the Prefect server ended: {server.last_words(log)}; see {log}")


def _equip(found: "Running") -> None:
    """Give a server what our flows want of it; what is there already stays."""
    import asyncio

    from prefect.settings import (
        PREFECT_API_AUTH_STRING,
        PREFECT_API_URL,
        temporary_settings,
    )

    from lake_flows import zombies
    from lake_flows.api import connected
    from lake_flows.blocks import register

    async def equip() -> None:
        async with connected() as client:
            await zombies.ensure(client)
            await register(client)

    with temporary_settings({PREFECT_API_URL: found.api_url, PREFECT_API_AUTH_STRING: found.auth}):
        asyncio.run(equip())


def _tell(call: Call, found: "Running", folder: "Path") -> None:
    """Say how clients find the server; where its password is, and not what it is."""
    from lake_flows.server import AUTH

    place, file = found.api_url.removesuffix("/api"), folder / "auth"
    is_named = bool(os.environ.get(AUTH))
    if call.json:
        auth = {"auth_variable": AUTH} if is_named else {"auth_file": str(file)}
        document({"url": place, "api": found.api_url, **auth})
        return
    line(f"# {place} asks for the password in {f'${AUTH}' if is_named else file}")
    line(f"export PREFECT_API_URL={found.api_url}")
    held = f"${AUTH}" if is_named else f"$(cat {shlex.quote(str(file))})"
    line(f'export PREFECT_API_AUTH_STRING="{held}"')
    talk("Ctrl-C stops it")
