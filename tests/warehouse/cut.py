"""A way to a server that breaks: the answer to a COMMIT is lost."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def losing_the_answer_to(word: bytes, host: str, port: int) -> Iterator[int]:
    """Give a port that leads to a server, until `word` was sent: its answer is thrown away.

    The server has answered by then, so that what was asked of it is done.
    """
    with socket.create_server(("127.0.0.1", 0)) as door:
        guide = threading.Thread(target=_let_in, args=(door, word, host, port), daemon=True)
        guide.start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)
        guide.join()


def _let_in(door: socket.socket, word: bytes, host: str, port: int) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = door.accept()
            with client, socket.create_connection((host, port)) as server:
                _pass_on(client, server, word)


def _pass_on(client: socket.socket, server: socket.socket, word: bytes) -> None:
    said = threading.Event()
    back = threading.Thread(target=_bring_back, args=(client, server, said), daemon=True)
    back.start()
    while data := client.recv(1 << 16):
        if word in data:
            said.set()
        server.sendall(data)
        if said.is_set():
            break
    else:
        server.shutdown(socket.SHUT_WR)
    back.join()


def _bring_back(client: socket.socket, server: socket.socket, said: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while data := server.recv(1 << 16):
            if said.is_set():
                break
            client.sendall(data)
        client.shutdown(socket.SHUT_RDWR)
