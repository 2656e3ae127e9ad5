"""`lake browse`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lake.cli.call import Call, verb
from lake.cli.output import document, line
from lake.errors import InvalidConfig, MissingExtra
from lake.words import counted

if TYPE_CHECKING:
    from lake.browser.guard import Guard
    from lake.browser.window import Window

TOKEN = "LAKE_BROWSER_TOKEN"


@verb(name="browse")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address it listens on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8383,
    show_default=True,
    help="Its port; 0 for any that is free.",
)
@click.option("--hostname", multiple=True, help="A name by which browsers call it, of several.")
@click.option("--proxy-header", default="", help="A header by which a proxy vouches for people.")
@click.option("--proxy-from", multiple=True, help="The address of such a proxy, of several.")
@click.option(
    "--static",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a README.md and an index.html per dataset into this folder, and end.",
)
@click.option("--into-lake", is_flag=True, help="Write them into the lake's own bucket, and end.")
def command(
    call: Call,
    host: str,
    port: int,
    hostname: tuple[str, ...],
    proxy_header: str,
    proxy_from: tuple[str, ...],
    static: Path | None,
    into_lake: bool,
) -> None:
    """Show the lake in a web browser: what is there, where it came from, how it changed.

    It reads, and writes nothing but with --into-lake. For others than this machine it asks for the
    token that LAKE_BROWSER_TOKEN holds, or trusts a proxy.
    """
    if static and into_lake:
        raise click.UsageError("--static and --into-lake are two places: name one of them")
    try:
        from lake.browser.guard import guarded
        from lake.browser.window import Window
    except ImportError as exc:
        raise MissingExtra("the browser needs its extra: pip install 'clearlake[browser]'") from exc
    window = Window(call.open)
    if static or into_lake:
        _write(call, window, static)
        return
    token = os.environ.get(TOKEN, "")
    guard = guarded(host, token=token, header=proxy_header, proxies=proxy_from, hostnames=hostname)
    window.head()  # that there is no lake is said here
    _serve(call, window, guard, host, port)


def _write(call: Call, window: "Window", folder: Path | None) -> None:
    """Write the pages as files into a folder; without one, into the lake."""
    from lake.browser.still import write_folder, write_lake

    shot = window.head()
    now = shot.lake.log.clock()
    count = write_folder(shot, folder, now) if folder else write_lake(shot, now)
    where = str(folder) if folder else shot.lake.url
    if call.json:
        document({"files": count, "in": where})
    else:
        line(f"{counted(count, 'file')} in {where}: begin with README.md or index.html")


def _serve(call: Call, window: "Window", guard: "Guard", host: str, port: int) -> None:
    from lake.browser.serve import serve

    def told(url: str) -> None:
        if call.json:
            document({"url": url})
        else:
            line(f"{url}/  (Ctrl-C stops it)")

    try:
        serve(window, guard, host=host, port=port, told=told)
    except OSError as exc:
        raise InvalidConfig(
            f"{host}:{port} cannot be listened on ({exc.strerror or exc}): name another --port"
        ) from exc
