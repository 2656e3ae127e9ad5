"""The server: a socket, and the pages behind it, until Ctrl-C."""

import asyncio
import socket
import sys
from collections.abc import Callable
from contextlib import closing, suppress

import uvicorn
from starlette.concurrency import run_in_threadpool

from lake.browser.app import App, application
from lake.browser.guard import Guard
from lake.browser.window import Window
from lake.errors import LakeError

_SWITCH_S = 0.0005
"""After which a thread lets another one work: those that ask the disk would wait ten times that."""


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
        sys.setswitchinterval(_SWITCH_S)
        number, app = taken.getsockname()[1], App(window, guard)
        config = uvicorn.Config(
            application(app),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",  # a second Ctrl-C would end it with a traceback
            timeout_graceful_shutdown=1,  # a page may still take long
        )
        _look_into(window)
        told(f"http://{f'[{host}]' if ':' in host else host}:{number}")
        with suppress(KeyboardInterrupt):
            asyncio.run(_Server(config, app.close).serve(sockets=[taken]))


class _Server(uvicorn.Server):
    """A server that ends queries before it waits for the answers that are on their way."""

    def __init__(self, config: uvicorn.Config, end: Callable[[], None]) -> None:
        super().__init__(config)
        self._end = end

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the queries, whoever asked them is told so, and then the rest."""
        await run_in_threadpool(self._end)
        await super().shutdown(sockets)


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
