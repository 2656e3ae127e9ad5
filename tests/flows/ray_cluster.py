"""A Ray cluster for tests, on loopback only (`conftest.py` sees to that): a head with workers."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.flows.waiting import until
from tests.servers import free_port

PORTS = ("port", "ray-client-server-port", "dashboard-agent-listen-port")
ENDS_S = 30


@dataclass(frozen=True)
class RayCluster:
    """A cluster that runs, and the process that all of its others descend from."""

    url: str
    head: psutil.Process

    def busy(self) -> list[psutil.Process]:
        """Return the workers that build something now."""
        found = []
        for one in self.head.children(recursive=True):
            try:
                found += [one] if one.name().startswith("ray::build_on") else []
            except psutil.NoSuchProcess:
                continue
        return found

    def listens(self) -> set[str]:
        """Return the addresses that its processes listen at."""
        return {
            one.laddr.ip.removeprefix("::ffff:")
            for process in [self.head, *self.head.children(recursive=True)]
            for one in process.net_connections("inet")
            if one.status == psutil.CONN_LISTEN
        }


@contextmanager
def ray_cluster(workers: int) -> Iterator[RayCluster]:
    """Run a cluster of so many worker processes, until the block ends."""
    ports = {name: free_port() for name in PORTS}
    metrics = {f"{name}_METRIC_PORT": str(free_port()) for name in ("AUTOSCALER", "DASHBOARD")}
    # Short: the paths of sockets lie below it.
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as folder:
        command = [
            *(str(Path(sys.executable).parent / "ray"), "start", "--head", "--block"),
            *(f"--{name}={port}" for name, port in ports.items()),
            *("--node-ip-address=127.0.0.1", f"--num-cpus={workers}", f"--temp-dir={folder}"),
            *("--include-dashboard=false", "--include-log-monitor=false", "--disable-usage-stats"),
            "--object-store-memory=100000000",
        ]
        log = Path(folder) / "said"
        # Its own servers of clients count on being connected by themselves.
        environ = {**os.environ, **metrics, "RAY_ENABLE_AUTO_CONNECT": "1"}
        with log.open("w") as said:
            started = subprocess.Popen(command, stdout=said, stderr=said, env=environ)
        head = psutil.Process(started.pid)
        try:
            until(lambda: "will now block" in log.read_text() or started.poll() is not None)
            assert started.poll() is None, log.read_text()
            yield RayCluster(f"ray://127.0.0.1:{ports['ray-client-server-port']}", head)
        finally:
            _end(head)
            started.wait()


def _end(head: psutil.Process) -> None:
    """End a cluster and what of it does not follow; no process that is not its own."""
    if not head.is_running():
        return
    whole = [head, *head.children(recursive=True)]
    head.send_signal(signal.SIGTERM)
    for left in psutil.wait_procs(whole, timeout=ENDS_S)[1]:
        left.kill()
