"""Asset keys of Prefect: the URIs by which its events name sources, datasets and tables."""

import re

from lake.config import Source, recorded
from lake.lake import Lake

# What Prefect takes in no key; a key of a partition stands in braces.
_REFUSED = re.compile(r"[\s\0#?&%\"'<>\[\]{}|\\^`$]+")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_MOST = 512


def of_source(source: Source) -> str:
    """Return the key of what a source asks: its URL with `*` for the partition, without secrets."""
    if source.database:
        named = source.database.url
        where = named if isinstance(named, str) else "/".join(f"{k}/{v}" for k, v in named.items())
        return _key(f"database://{where}/{source.database.table or source.name}")
    url = re.sub(r"(?<!\$)\{[^}]*\}", "*", source.url)
    scheme, colon, rest = url.partition(":")
    if url.startswith("${"):
        return _key(f"environment://{url}")
    if not colon:
        return _key(f"file://{(source.root.absolute() / url).as_posix()}")
    # python:package.module:name
    return _key(recorded(url) if rest.startswith("//") else f"{scheme}://{rest.replace(':', '/')}")


def of_dataset(lake: Lake, dataset: str) -> str:
    """Return the key of a dataset of a lake: `s3://acme/prod/raw/trips`."""
    zone, _, name = dataset.partition(".")
    return _key(f"{recorded(lake.url).rstrip('/')}/{zone}/{name}")


def of_table(url: str, table: str) -> str:
    """Return the key of a table: `postgresql://db:5432/ny_taxi/public.revenue`."""
    scheme, _, rest = url.partition("://")
    # A file has no host, and nothing to hide.
    where = url if rest.startswith("/") else recorded(url)
    where = where.partition("?")[0].rstrip("/").removeprefix(scheme)
    return _key(f"{scheme.partition('+')[0]}{where}/{table}")


def _key(url: str) -> str:
    return _REFUSED.sub("_", _VARIABLE.sub(r"\1", url))[:_MOST]
