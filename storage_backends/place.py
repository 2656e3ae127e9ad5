"""Where a store in a cloud is, as its URL says, and how a URL may be quoted."""

import re
from typing import NamedTuple

from storage_backends import keys

CLOUDS = {"s3": "s3", "gs": "gcs", "az": "azure"}
"""The module of each scheme, which is the name of its extra, too."""
_NAMES = {
    "s3": r"[A-Za-z0-9._-]{3,255}",  # as the oldest buckets may be called
    "gs": r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]",
    "az": r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
}
_REFUSED = re.compile(r"[?#*\[\]{}\x00-\x1f\x7f-\x9f]")
"""What DuckDB or a policy takes for a pattern, and a URL for the end of the path."""


class Place(NamedTuple):
    """A folder of a bucket: `prefix` has no `/` at its ends, and is empty for the whole bucket."""

    scheme: str
    bucket: str
    prefix: str


def in_cloud(url: str) -> Place | None:
    """Return which bucket and prefix `url` names; None, where it is a folder's.

    Raises:
        ValueError: it can be nobody's; the message quotes nothing that may be a secret.
    """
    scheme, is_url, rest = url.partition("://")
    scheme = scheme.lower()
    if not is_url or scheme == "file":
        return None
    if scheme not in CLOUDS:
        raise ValueError(
            f"no backend for {scheme}://: use s3://, gs://, az://, or a folder (a path or"
            " file:///path)"
        )
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    if not re.fullmatch(r"[\w.-]+", bucket):
        raise ValueError(f"{scheme}:// is followed by a bucket's name: {scheme}://bucket/prefix")
    if not re.fullmatch(_NAMES[scheme], bucket):
        kind = "container" if scheme == "az" else "bucket"
        raise ValueError(f"{bucket!r} can be no {kind}'s name")
    if found := _REFUSED.search(prefix):
        text = "what signs a link belongs into the environment"
        if found[0] not in "?#":
            text = "DuckDB and policies would take it for a pattern, or for the end of a line"
        raise ValueError(f"its prefix holds {found[0]!r}, which none may: {text}")
    if prefix:
        keys.check(prefix)
    return Place(scheme, bucket, prefix)


def is_short_of_a_slash(path: str) -> bool:
    """Tell whether a path must be a URL that lost one: `s3:/bucket/prefix`."""
    return re.match(r"[A-Za-z0-9]+:/", path) is not None


def masked(url: str) -> str:
    """Return `url` as it may be quoted: without user and password, and without a signed query."""
    url = re.sub(r"^([^/@]*:/+).*@", r"\1…@", url, flags=re.DOTALL)
    return re.sub(r"^([^/]*:/+[^?#]*)[?#].*", r"\1?…", url, flags=re.DOTALL)
