"""The server: a socket, and the pages behind it, until Ctrl-C."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import closing, suppress

import uvicorn

from lake.browser.app import application
from lake.browser.guard import Guard
from lake.browser.window import Window
from lake.errors import LakeError


def serve(
    window: Window,
    guard: Guard,
    *,
    host: str,
    port: int,
    told: Callable[[str], None],
) -> None:
    """Serve the pages of a lake until Ctrl-C or SIGTERM.

    Args:
        window: the lake, which the first page finds looked into already.
        guard: who may look.
        host: where.
        port: 0 is any that is free.
        told: hears of the URL as soon as it answers there.

    Raises:
        OSError: the place is taken, or none of this machine.
    """
    with closing(bound(host, port)) as taken:
        number = taken.getsockname()[1]
        config = uvicorn.Config(
            application(window, guard),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="on",
            timeout_graceful_shutdown=1,  # a query may still take long
        )
        _look_into(window)
        told(f"http://{f'[{host}]' if ':' in host else host}:{number}")
        with suppress(KeyboardInterrupt):
            asyncio.run(uvicorn.Server(config).serve(sockets=[taken]))


def _look_into(window: Window) -> None:
    """Work out before the first page what all pages need; that one says what is amiss."""
    with suppress(LakeError):
        window.head().rows("SELECT 1")


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        OSError: the place is taken, or none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio leaves small packets waiting for 40 ms.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(128)
    except OSError:
        made.close()
        raise
    return made
