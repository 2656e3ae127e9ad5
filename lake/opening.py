"""Finding a lake: open the one that is meant, or make it."""

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from lake import config as configuration
from lake import layout
from lake.catalog import checkpoint, identity
from lake.catalog.cache import cache_for
from lake.catalog.log import open_log, read_hint
from lake.config import Config, url_of
from lake.errors import InvalidConfig, LakeError, MissingExtra, unavailable
from lake.lake import Lake
from lake.words import said_by
from storage_backends import Store, masked, open_store


def open_lake(
    url: str | None = None,
    *,
    config: Config | None = None,
    env: str | None = None,
) -> Lake:
    """Open a lake at its head.

    Args:
        url: `s3://bucket/prefix`, `file:///path`, a plain path; without it `LAKE_URL`, else the
            `lake.toml` of this folder or one above.
        config: a configuration that was read already.
        env: the `[env.NAME]` of `lake.toml`; without it `LAKE_ENV`.

    Raises:
        NoSuchLake: there is none.
        InvalidConfig: nothing says where it is, or `lake.toml` is wrong.
    """
    config = config or configuration.load(None, env=env, environ=os.environ, cwd=Path.cwd())
    log, state = open_log(
        store_of(where(url, config)),
        cache_of=lambda place, lake_id: cache_for(place, lake_id, os.environ),
    )
    return Lake(log, state, config)


def store_of(url: str) -> Store:
    """Return the store at a lake's URL, whether or not a lake is there.

    Raises:
        InvalidConfig: it can be no lake's.
        MissingExtra: its package is missing.
    """
    try:
        return open_store(url)
    except ImportError as exc:
        raise MissingExtra(str(exc)) from exc
    except ValueError as exc:
        raise InvalidConfig(f"{masked(url)!r} can be no lake: {exc}") from exc


def where(url: str | None, config: Config) -> str:
    """Return the URL of the lake that is meant; a block that names it is looked up.

    Raises:
        InvalidConfig: nothing says it.
    """
    found = url or os.environ.get("LAKE_URL") or config.url
    if not found:
        raise InvalidConfig(
            "no lake is named: give --lake URL, set LAKE_URL, or write a lake.toml with `lake init`"
        )
    return url_of(found)


def init(url: str, *, timezone: str = "UTC") -> Lake:
    """Make a lake at `url`, or open the one that is there.

    Args:
        url: where.
        timezone: IANA name; what a bare date means in this lake.
    """
    store = store_of(url)
    try:
        identity.zone(timezone)  # before the store is asked
        hint = read_hint(store)
        former = hint.identity if hint else None
        who = identity.create(store, timezone=timezone, now=datetime.now(UTC), former=former)
        with suppress(FileExistsError):
            store.put_new(layout.HINT, checkpoint.hint(who, 0))
    except LakeError:
        raise
    except (OSError, ValueError) as exc:
        text = f"no lake can be made at {said_by(store.url, exc)}; mend that, or name another place"
        raise unavailable(text, exc) from exc
    config = configuration.load(None, env=None, environ=os.environ, cwd=Path.cwd())
    return open_lake(store.url, config=config)
