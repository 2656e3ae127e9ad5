"""Secrets: named, never written down: by `${NAME}` in the environment, or by a block of Prefect's.

`{ block = "NAME" }` in `lake.toml` is `block:NAME` wherever one text names a URL. What such a kind
of name stands for is known to the entry point of that name in the group `lake.secrets`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit, urlunsplit

from lake.errors import InvalidConfig

_BLOCK = "block:"
_NAME = re.compile(r"\$\{([^}]*)\}?")
# Prefect looks up its own `{{ … }}` where a run starts; it stands in job variables.
_WHOLE = re.compile(
    r"(\$\{[A-Za-z_][A-Za-z0-9_]*\})+|\{\{ *(\$\w+|prefect\.(blocks|variables)\.[^{}]+?) *\}\}"
)
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
# A port is no password: `https://host:8080/a@b`.
_PASSWORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#:@]*:(?![0-9]*(?:[/?#]|$))([^@]+)@")
_SECRET_KEY = re.compile(
    r"(.*[_-]|pg|ssl)?(pass(word|wd|phrase)?|pwd|secret|token|credentials?|sig|signature"
    r"|(api|access|account|private|secret)[_-]?key)",
    re.IGNORECASE,
)
# Job variables below which `secret` is the name of one.
_NAMING = {"env_from_secrets"}
# What cloud links are signed with, and `key`, which is a secret in many APIs.
_SIGNED = re.compile(
    r"x-(amz|goog|ms)-.*|awsaccesskeyid|googleaccessid|expires|se|sp|sv|sr|st|spr|skoid|sktid|skt"
    r"|ske|sks|skv|saoid|suoid|scid|ses|key|auth|authorization|policy|key-pair-id|jwt|bearer|hmac"
    r"|hdne[at]|hdnts|pw|passcode|.*(key|token|secret|key[_-]?id)",
    re.IGNORECASE,
)


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Return `text` with every `${NAME}` replaced from `environ`.

    Args:
        text: such as `postgresql://${PGUSER}@db/ny_taxi`.
        environ: the environment.

    Raises:
        InvalidConfig: variables are not set, or one is no name; all that are not set are named.
    """
    named = dict.fromkeys(found[1] for found in _NAME.finditer(text) if _checked(found))
    unset = [name for name in named if not environ.get(name)]
    if unset:
        names, s, are = " ".join(unset), "s" * (len(unset) > 1), "are" if unset[1:] else "is"
        raise InvalidConfig(
            f"the environment variable{s} {', '.join(unset)} {are} not set: export {names} first"
        )
    return _NAME.sub(lambda found: environ[found[1]], text)


def _checked(found: re.Match[str]) -> bool:
    if not _VARIABLE.fullmatch(found[0]):
        raise InvalidConfig(f"{found[0]!r} names no variable: write ${{NAME}}")
    return True


def resolved(said: str | Mapping[str, str], environ: Mapping[str, str]) -> str:
    """Return the secret that `said` names: by `${NAME}`, or by a table such as `{block = "NAME"}`.

    A package resolves the tables of a kind by an entry point of the group `lake.secrets` that is
    called like the kind: a function that takes the name and returns the secret.

    Args:
        said: as `lake.toml` has it.
        environ: the environment.

    Raises:
        InvalidConfig: a variable is not set, or nothing that is installed knows this kind.
    """
    if isinstance(said, str):
        return expand(said, environ)
    from importlib.metadata import entry_points

    ((kind, name),) = said.items()
    found = next(iter(entry_points(group="lake.secrets", name=kind)), None)
    if found is None:
        raise InvalidConfig(
            f"{{ {kind} = {name!r} }}: nothing that is installed knows a {kind}: pip install"
            " 'clearlake[flows]', or name a variable of the environment as ${NAME}"
        )
    return str(found.load()(name))


def is_named(text: str) -> bool:
    """Tell whether a text is no URL, but names one: `block:NAME`."""
    return text.startswith(_BLOCK)


def named(value: Mapping[str, Any]) -> str:
    """Return the text that stands for the table `{ block = "NAME" }`.

    Raises:
        InvalidConfig: it is another table.
    """
    name = value.get("block")
    if set(value) != {"block"} or not isinstance(name, str) or not name.strip():
        raise InvalidConfig('a table here names a block: write { block = "NAME" }')
    return f"{_BLOCK}{name}"


def url_of(text: str) -> str:
    """Return a URL as it is, or the one that `block:NAME` stands for, which may hold a secret.

    Raises:
        InvalidConfig: there is no such block, or half of one; or nothing installed knows blocks.
    """
    return resolved({"block": text.removeprefix(_BLOCK)}, {}) if is_named(text) else text


def recorded(url: str) -> str:
    """Return `url` as it may be written down: without user, password, signature and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(no URL)"
    kept = [pair for pair in parts.query.split("&") if pair and not _tells(pair)]
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "&".join(kept), ""))


def _tells(pair: str) -> bool:
    # Some servers take `;` for `&`, and all of them names that are percent-encoded.
    names = [unquote_plus(part.partition("=")[0]) for part in pair.split(";")]
    return any(_SECRET_KEY.fullmatch(name) or _SIGNED.fullmatch(name) for name in names)


def literal_secrets(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    """Give the dotted key of every secret that stands in `values` itself instead of being named."""
    for key, value in values.items():
        is_secret = bool(_SECRET_KEY.fullmatch(key)) and not _NAMING.intersection(path)
        yield from _within(value, (*path, key), secret=is_secret)


def _within(value: object, path: tuple[str, ...], *, secret: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from literal_secrets(value, path)
    elif isinstance(value, list):
        for item in value:
            yield from _within(item, path, secret=secret)
    elif isinstance(value, str) and (_is_literal(value) if secret else _holds_password(value)):
        yield ".".join(path)


def _is_literal(value: str) -> bool:
    return bool(value) and not _WHOLE.fullmatch(value)


def _holds_password(value: str) -> bool:
    found = _PASSWORD.search(value)
    if found and _is_literal(found[1]):
        return True
    # `${NAME}` may hold any text, so the query is cut off by hand.
    query = value.partition("?")[2].partition("#")[0] if "://" in value else ""
    pairs = parse_qsl(query)
    return any(_SECRET_KEY.fullmatch(key) and _is_literal(text) for key, text in pairs)
