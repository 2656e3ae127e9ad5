"""`lake.toml`: found, read, and checked as a whole, with every `[env.NAME]` of it."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lake.config import build, table
from lake.config.secrets import literal_secrets
from lake.config.table import Table
from lake.config.types import Config
from lake.errors import InvalidConfig

FILE = "lake.toml"
_PLACE = re.compile(r"(.*) \(at line ([0-9]+), column ([0-9]+)\)", re.DOTALL)


def load(
    path: Path | None,
    *,
    env: str | None,
    environ: Mapping[str, str],
    cwd: Path,
    as_written: bool = False,
) -> Config:
    """Read `lake.toml` of `cwd` or the nearest folder above, and check every key of it.

    Variables in `lake` and `warehouse` are looked up here, those of a source when it is asked.

    Args:
        path: the file, if it is not to be looked for.
        env: the `[env.NAME]` to apply; without it, `LAKE_ENV` says.
        environ: the environment.
        cwd: the current folder.
        as_written: leave every `${NAME}` as it is, for who hands the configuration on.

    Raises:
        InvalidConfig: the file is not there although named, or something in it is wrong; one
            line with file, table and key.
    """
    found = (cwd / path).absolute() if path else find(cwd)
    if found is None:
        return _without_file(env, cwd)
    document = read(found)
    name = env or environ.get("LAKE_ENV", "")
    envs = _envs(found, document)
    if name and name not in envs:
        known = table.nearest(name, envs) if envs else "there is no [env.…] at all: leave out --env"
        raise InvalidConfig(f"{found}: there is no [env.{name}]: {known}")
    # The others are checked too: a typo there would be met on the day of a release.
    for other in envs:
        build.config(_told(found, document, other), root=found.parent, environ=None)
    told = _told(found, document, name)
    looked_up = None if as_written else environ
    return build.config(told, root=found.parent, environ=looked_up, path=found, env=name)


def _without_file(env: str | None, cwd: Path) -> Config:
    if env:
        raise InvalidConfig(
            f"there is no {FILE} in {cwd} or above it, so no [env.{env}]: leave out --env, or"
            " go to the folder of your project"
        )
    return Config(root=cwd.absolute())


def find(cwd: Path) -> Path | None:
    """Return the `lake.toml` of `cwd` or of the nearest folder above it that has one."""
    folder = cwd.absolute()
    return next((f / FILE for f in (folder, *folder.parents) if (f / FILE).is_file()), None)


def read(path: Path) -> dict[str, Any]:
    """Return what the file at `path` says, if it is TOML and holds no secret.

    Raises:
        InvalidConfig: it cannot be read; for a syntax error with line and column.
    """
    try:
        document = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise InvalidConfig(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidConfig(
            f"{path}: byte {error.start} is no UTF-8: save the file as UTF-8"
        ) from error
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.fullmatch(str(error))
        where = f"{path}:{place[2]}:{place[3]}: {place[1]}" if place else f"{path}: {error}"
        raise InvalidConfig(f"{where}: the file is no valid TOML") from error
    for key in literal_secrets(document):
        raise InvalidConfig(
            f"{path}: {key} holds a secret: write ${{NAME}} in its place, and set NAME in the"
            " environment"
        )
    return document


def _envs(path: Path, document: Mapping[str, Any]) -> dict[str, Table]:
    return table.inners(table.inner(Table(str(path), "", document), "env"))


def _told(path: Path, document: Mapping[str, Any], env: str) -> Table:
    """Return the file's top table with the overrides of `env` in it."""
    base = {key: value for key, value in document.items() if key != "env"}
    if not env:
        return Table(str(path), "", base)
    return Table(f"{path} with [env.{env}]", "", _merged(base, document["env"][env]))


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merged[key] = _merged(base[key], value)
        else:
            merged[key] = value
    return merged
