"""`lake browse`."""

import os
from typing import Any

import click

from lake.cli.call import Call, verb
from lake.cli.output import document, line
from lake.errors import InvalidConfig, MissingExtra

TOKEN = "LAKE_BROWSER_TOKEN"


@verb(name="browse")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address it listens on.")
@click.option("--port", default=8383, show_default=True, help="Its port; 0 for any that is free.")
@click.option("--hostname", multiple=True, help="A name by which browsers call it, of several.")
@click.option("--proxy-header", default="", help="A header by which a proxy vouches for people.")
@click.option("--proxy-from", multiple=True, help="The address of such a proxy, of several.")
def command(call: Call, host: str, port: int, **said: Any) -> None:
    """Show the lake in a web browser: what is there, where it came from, how it changed.

    It reads, and writes nothing. For others than this machine it asks for the token that
    LAKE_BROWSER_TOKEN holds, or trusts a proxy.
    """
    try:
        from lake.browser.serve import serve
        from lake.browser.window import Window
    except ImportError as exc:
        raise MissingExtra("the browser needs its extra: pip install 'clearlake[browser]'") from exc
    from lake.browser.guard import guarded

    guard = guarded(
        host,
        token=os.environ.get(TOKEN, ""),
        header=said["proxy_header"],
        proxies=said["proxy_from"],
        hostnames=said["hostname"],
    )
    window = Window(call.open)
    window.head()  # that there is no lake is said here

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
