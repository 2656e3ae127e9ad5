"""Servers of the clouds' protocols, on loopback; `localstack/services.py` starts them."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.storage.blob import ContainerSasPermissions, generate_container_sas

SCRIPT = Path(__file__).parent.parent / "localstack" / "services.py"
BUCKET = "clearlake"
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
SURROUNDINGS = dict(os.environ)
"""As they were before a test changed them: a server's program stays in the developer's cache."""


@contextmanager
def running(*names: str, **more: str) -> Iterator[dict[str, str]]:
    """Run servers, and give the environment in which their clients find them.

    They see `more` beside this process's environment, and end with it, however that ends: they wait
    for the end of its pipe.
    """
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), *names, "--with-parent"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=SURROUNDINGS | more,
        text=True,
    ) as server:
        assert server.stdin
        assert server.stdout
        told = {}
        for line in server.stdout:
            if line == "ready\n":
                break
            if line.startswith("export "):
                key, _, value = line.removeprefix("export ").strip().partition("=")
                told[key] = value.strip("'")
        else:
            raise RuntimeError(f"{', '.join(names)} did not start; its own words are above")
        yield told
        server.stdin.close()
        server.wait(30)


def addresses(told: Mapping[str, str]) -> list[str]:
    """Return the addresses that clients are told."""
    return sorted({found for value in told.values() for found in _ADDRESS.findall(value)})


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def signed(connection: str, rights: str, *, lasts: timedelta = timedelta(hours=1)) -> str:
    """Return a connection string with a signature that has these rights."""
    told = dict(part.split("=", 1) for part in connection.rstrip(";").split(";"))
    sas = generate_container_sas(
        told["AccountName"],
        BUCKET,
        account_key=told["AccountKey"],
        permission=ContainerSasPermissions.from_string(rights),
        start=datetime.now(UTC) - timedelta(hours=2),
        expiry=datetime.now(UTC) + lasts,
        protocol="https,http",
    )
    return f"BlobEndpoint={told['BlobEndpoint']};SharedAccessSignature={sas}"
