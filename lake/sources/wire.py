"""An answer over one connection, whose every wait ends at a deadline."""

import socket
from http.client import HTTPMessage, HTTPResponse
from io import BufferedReader, RawIOBase
from types import TracebackType
from typing import Self

from lake.sources.patience import Clock

_CHUNK = 1 << 16
# A server that closes when asked to does so with its last byte.
_LAST_WAIT_S = 0.05


class _Wire(RawIOBase):
    """The receiving side of a socket. A byte now and then does not put off the deadline."""

    def __init__(self, sock: socket.socket, clock: Clock) -> None:
        self.sock, self.clock = sock, clock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        self.sock.settimeout(self.clock.wait_s())
        return self.sock.recv_into(buffer)


class _Reader(BufferedReader):
    """Stays open when `http.client` is done with it, for a look at what comes behind the end."""

    def close(self) -> None:
        pass


class Wire:
    """What `http.client` takes for a socket, with a deadline; it closes nothing."""

    def __init__(self, sock: socket.socket, clock: Clock) -> None:
        """Talk over `sock`, which whoever made it closes."""
        self._sock, self._clock = sock, clock
        self.reader = _Reader(_Wire(sock, clock), _CHUNK)

    def sendall(self, data: bytes) -> None:
        """Send all of `data`."""
        self._sock.settimeout(self._clock.wait_s())
        self._sock.sendall(data)

    def makefile(self, mode: str) -> BufferedReader:
        """Return the one reader."""
        return self.reader

    def close(self) -> None:
        """Do nothing: an answer may still be read."""


class Answer:
    """The answer of a web server, open until it is closed; use it in a `with`."""

    def __init__(self, response: HTTPResponse, sock: socket.socket, wire: Wire) -> None:
        """Take over `sock`, on which `response` came."""
        self._response, self._sock, self._wire = response, sock, wire
        self.status = response.status
        self.headers: HTTPMessage = response.headers
        self.length = None if response.chunked else response.length
        """As announced; None if it is not known."""

    def read(self, byte_count: int) -> bytes:
        """Return what comes next, at most `byte_count` bytes; nothing at the end.

        Raises:
            OSError, http.client.HTTPException: it broke off, or no more came in time.
        """
        # One read of the socket, not as many as fill a chunk: the clock is looked at between.
        return self._response.read1(byte_count)

    def goes_on(self) -> bool:
        """Tell whether more came than the whole body that was announced and read."""
        wire = self._wire.reader.raw
        assert isinstance(wire, _Wire)
        wire.clock = Clock(wire.clock.end, _LAST_WAIT_S)
        try:
            return bool(self._wire.reader.peek(1))
        except OSError:
            return False

    def close(self) -> None:
        """Hang up."""
        self._response.close()
        self._sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
