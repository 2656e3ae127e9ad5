"""Every key of the bucket, made and read here and nowhere else.

Keys are relative to the lake's root, use `/`, and never start with one.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from lake.errors import InvalidName

ZONES = ("raw", "curated")
LAKE = "_lake/lake.json"
LOG = "_lake/log/"
HINT = "_lake/checkpoint.json"
CATALOG = "catalog.duckdb"
RECEIPT = "_receipt.json"
REJECTED = "_rejected.jsonl.gz"
PROFILE = "_profile.json"
FAILED_ROWS = "_failed_rows.jsonl.gz"
PAGES = "_lake/pages/"
PAGE_NAMES = ("README.md", "index.html")
"""What `lake browse --into-lake` writes of the lake and of each dataset; no version names it."""
SEGMENT_BYTES = 200

_DATASET = re.compile(r"[a-z][a-z0-9_]*")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_LIKE_A_VERSION = re.compile(r"v[0-9]+")
_PAGE = re.compile(rf"(?:(?:{'|'.join(ZONES)})/[a-z0-9_]+/)?(?:README\.md|index\.html)")
_FOLDER = re.compile(r"(?:[^/]+/)+?version=[^/]+/")


def dataset(name: str) -> str:
    """Return `name`, if it is a dataset's: its zone and `[a-z][a-z0-9_]*` without `__`."""
    zone, dot, rest = name.partition(".")
    if not dot or zone not in ZONES:
        raise InvalidName(f"{name!r} is no dataset: write raw.NAME or curated.NAME")
    if not _DATASET.fullmatch(rest) or "__" in rest or len(rest) > SEGMENT_BYTES:
        raise InvalidName(
            f"{name!r} is no dataset: a name is lower-case letters, digits and single underscores,"
            f" starts with a letter and has at most {SEGMENT_BYTES} characters"
        )
    return name


def tag(name: str) -> str:
    """Return `name`, if it is a tag's: it never looks like a number, `vN` or a date."""
    if not _TAG.fullmatch(name) or _LIKE_A_VERSION.fullmatch(name) or len(name) > SEGMENT_BYTES:
        raise InvalidName(
            f"{name!r} is no tag: it starts with a letter, goes on with letters, digits, '_', '.'"
            " or '-', and does not look like a version such as v3"
        )
    return name


def partition(values: Mapping[str, str]) -> str:
    """Return the text of a partition, `month=2024-01`, percent-encoded; `""` for none."""
    seen: dict[str, str] = {}
    for key in values:
        if seen.setdefault(str(key).lower(), key) != key:
            raise InvalidName(
                f"the partition keys {seen[key.lower()]!r} and {key!r} differ only in case, and"
                " would be one column: rename one"
            )
    return "/".join(
        f"{_partition_key(key)}={_partition_value(key, value)}" for key, value in values.items()
    )


def _partition_key(key: str) -> str:
    if not _KEY.fullmatch(key) or key.lower() in ("version", "filename") or len(key) > 100:
        raise InvalidName(
            f"{key!r} is no partition key: it is letters, digits and underscores, starts with no"
            " digit, and is not 'version' or 'filename'"
        )
    return key


def _partition_value(key: str, value: str) -> str:
    if not value:
        raise InvalidName(f"partition {key!r} has an empty value: give one, as in {key}=2024-01")
    try:
        text = quote(value, safe="")
    except UnicodeEncodeError:
        raise InvalidName(
            f"partition value {key}={value!r} is no valid text (a lone surrogate)"
        ) from None
    if len(key) + 1 + len(text) > SEGMENT_BYTES:
        raise InvalidName(
            f"partition value of {key!r} is too long: {len(text)} bytes as a folder name, at most"
            f" {SEGMENT_BYTES - len(key) - 1} fit"
        )
    return text


def partition_values(text: str) -> dict[str, str]:
    """Return the key values of a partition's text: the inverse of `partition`."""
    if not text:
        return {}
    values = {}
    for segment in text.split("/"):
        key, equals, value = segment.partition("=")
        if not equals or key in values:
            raise InvalidName(f"{text!r} is no partition: write KEY=VALUE, several joined by '/'")
        values[_partition_key(key)] = unquote(value)
    return values


def commit(number: int) -> str:
    """Return the key of the log's entry `number`; the first is 1."""
    return f"{LOG}{number:020}.json"


def commit_number(key: str) -> int | None:
    """Return the number of the entry at `key`, or None if it is no entry's."""
    name = key.removeprefix(LOG)
    return int(name[:20]) if re.fullmatch(r"[0-9]{20}\.json", name) else None


def commit_changes(number: int, commit_id: str) -> str:
    """Return the key of the changes of an entry that is too large for them."""
    return f"{LOG}{number:020}-{commit_id}.parquet"


def checkpoint(number: int, part: str) -> str:
    """Return the key of one part of a checkpoint, such as `current.parquet` or `state.json`."""
    return f"_lake/checkpoints/{number:020}-{part}"


def schema(sha256: str) -> str:
    """Return the key of a Parquet without rows that leads a view's files."""
    return f"_lake/schemas/{sha256}.parquet"


def probe(name: str) -> str:
    """Return what the keys start with that a trial of the store writes and deletes again."""
    return f"_lake/.probe-{name}"


def version(name: str, partition_text: str, *, at: datetime, content: str, commit_id: str) -> str:
    """Return the folder of one attempt at a version, with a `/` at its end.

    Args:
        name: the dataset, such as `raw.green_trips`.
        partition_text: the partition's text, or `""`.
        at: when it was landed or built, UTC.
        content: the content hash, hex.
        commit_id: the id of the commit that will publish it, a UUID.
    """
    stamp = f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{content[:8]}-{commit_id[-4:]}"
    parts = [*dataset(name).split("."), *filter(None, [partition_text]), f"version={stamp}"]
    return "/".join(parts) + "/"


def version_folder(key: str) -> str:
    """Return the folder of the attempt that `key` belongs to, with a `/` at its end; `""`: none."""
    found = _FOLDER.match(key)
    return found[0] if found else ""


def is_page(key: str) -> bool:
    """Tell whether `key` is that of a page of the lake's or of a dataset's, or of their looks."""
    return key.startswith(PAGES) or bool(_PAGE.fullmatch(key))


def data_keys(text: str) -> list[str]:
    """Return what may be keys of what queries read in a text, such as an error's.

    Each comes with all that follows.
    """
    places = "|".join((*ZONES, "_lake/schemas"))
    return re.findall(rf"/(?=((?:{places})/[^'\"]+?\.parquet))", text)


def original(name: str, *, is_parquet: bool) -> str:
    """Return the file name under which a source's own bytes lie in their version's folder.

    Only a partition's own rows end in `.parquet`, and nothing of the source starts with `_`.
    """
    text = quote(name, safe=" ()+,@", errors="surrogateescape") or "data"
    stem, dot, end = text.rpartition(".") if "." in text else (text, "", "")
    if is_parquet and end.lower() != "parquet":
        stem, dot, end = text, ".", "parquet"
    elif not is_parquet and end.lower() == "parquet":
        stem, dot, end = text, ".", "original"
    end = _cut(end, 20)
    room = SEGMENT_BYTES - len(end) - 2
    name = f"{_cut(stem, room)}{dot}{end}"
    return f"x{name}" if name.startswith(("_", ".")) else name


def beside(key: str, name: str) -> str:
    """Return the key of a version's sidecar, such as `PROFILE`, from that of one of its files."""
    return f"{key.rpartition('/')[0]}/{name}"


def _cut(text: str, length: int) -> str:
    """Cut percent-encoded text without leaving half of an encoded byte."""
    return re.sub(r"%[0-9A-F]?$", "", text[:length])


_APART = re.compile(r"x[0-9a-f]{24}-")
_OBJECT_BYTES = 600


def object_name(name: str, *, apart: bool = False) -> str:
    """Return where an object called `name` lies in its version's folder.

    Two names never give one place: a name that cannot stand as it is gets a hash of all of it in
    front, as in `x3fa92c1b…-name.png`.

    Args:
        name: at the source, with `/` between folders; anything.
        apart: do so although the name could stand, because another's folder is called so.
    """
    segments = name.split("/")
    safe = [original(segment, is_parquet=False) for segment in segments]
    plain = [quote(s, safe=" ()+,@", errors="surrogateescape") for s in segments]
    path = "/".join(safe)
    can_stand = safe == plain and len(path) <= _OBJECT_BYTES
    if can_stand and not apart and not _APART.match(path):
        return path
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:24]
    return original(f"x{digest}-{segments[-1]}"[:SEGMENT_BYTES], is_parquet=False)
