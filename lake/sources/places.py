"""Where objects are: a folder, a glob, a file, a URL, a list of URLs; and what each is called."""

import glob
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lake.config.source import is_http
from lake.errors import SourceMissing, SourceUnreadable
from lake.sources.listing import files, natural
from lake.sources.path import local_path, supported


def object_places(place: str, *, root: Path) -> list[tuple[str, str]]:
    """Return what to fetch for each object at a place, with its name, in the names' order.

    A folder is taken whole: its folders too, and what is hidden. A link is followed to a file
    within; one to a folder within is passed over, for what it leads to is there already. In a
    folder, and below the fixed beginning of a glob, names are paths with `/`.

    Args:
        place: a folder, a glob, a file, or `http(s)://…`.
        root: where a relative path starts.

    Raises:
        SourceMissing: there is nothing, or a folder without a file.
        SourceUnreadable: it holds a link that leads out of it or nowhere, or what is no file.
    """
    if is_http(place):
        return url_places([place])
    local, root = local_path(supported(place)), root.absolute()
    path = os.path.join(root, local)
    if os.path.isdir(path):
        found, start = list(_below(path)), path
    elif glob.has_magic(local) and not os.path.lexists(path):
        found, start = list(files(local, root=root)), os.path.join(root, _fixed(local))
        _check_links(found, start)
    else:
        found, start = [path] * os.path.lexists(path), os.path.dirname(path)
    if not found:
        raise SourceMissing(f"there is no file at {path}: look at the path, or at the folder")
    return sorted(
        ((one, os.path.relpath(one, start).replace(os.sep, "/")) for one in found),
        key=lambda pair: natural(pair[1]),
    )


def objects_at(place: str, *, root: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what to fetch for the objects at a place, and what each is called.

    Of a URL, or of a file that `place` names itself, there is no name: it is called as it says when
    it is fetched, and may be an archive of objects.

    Raises:
        SourceMissing, SourceUnreadable: see `object_places`.
    """
    if is_http(place):
        return (place,), ()
    path = os.path.join(root.absolute(), local_path(supported(place)))
    if os.path.isfile(path):
        return (path,), ()
    urls, names = zip(*object_places(place, root=root), strict=True)
    return urls, names


def url_places(urls: Sequence[str]) -> list[tuple[str, str]]:
    """Return URLs with the names of what they lead to: the last of its path, more where two agree.

    The same URL counts once.
    """
    urls = list(dict.fromkeys(urls))
    last = [_last(url) for url in urls]
    how_often = Counter(last)
    whole = [
        name if how_often[name] == 1 else _whole(url) for url, name in zip(urls, last, strict=True)
    ]
    seen: Counter[str] = Counter()
    named = []
    for url, name in zip(urls, whole, strict=True):
        seen[name] += 1
        # Only their queries differ, which may hold secrets: told apart by their order.
        named.append((url, name if seen[name] == 1 else f"{seen[name]}/{name}"))
    return named


def urls_from(path: Path, *, name: str = "") -> list[str]:
    """Return the URLs of a text file, one a line; they came as data, so fetch them `untrusted`.

    Blank lines and such that begin with `#` say nothing; a URL that is there twice counts once.

    Raises:
        SourceUnreadable: a line is no http(s) URL, or the file no UTF-8 text.
        SourceMissing: there is none in it.
    """
    name = name or path.name
    found: dict[str, None] = {}
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                url = line.strip()
                if url and not url.startswith("#"):
                    found[_checked(url, name, number)] = None
    except UnicodeDecodeError as error:
        raise SourceUnreadable(
            f"{name} is no list of URLs: it is not UTF-8 ({error.reason}); convert it first"
        ) from error
    if not found:
        raise SourceMissing(f"{name} names no URL: write one a line, https://…")
    return list(found)


def _checked(url: str, name: str, number: int) -> str:
    if not is_http(url) or any(sign.isspace() for sign in url):
        raise SourceUnreadable(
            f"line {number} of {name} is no URL: write https://… or http://…, one a line"
        )
    return url


def _last(url: str) -> str:
    parts = _parts(url)
    return unquote(parts[1]).rstrip("/").rpartition("/")[2] or parts[0] or "data"


def _whole(url: str) -> str:
    host, path = _parts(url)
    return f"{host}/{unquote(path).strip('/')}"


def _parts(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.path
    except ValueError:
        raise SourceUnreadable("a URL of the list is none: write https://HOST/PATH") from None


def _below(folder: str) -> Iterator[str]:
    """Give every file of a folder and of its folders."""
    for here, folders, names in os.walk(folder, onerror=_raise):
        links = [one for one in folders if os.path.islink(os.path.join(here, one))]
        _check_links([os.path.join(here, one) for one in links], folder)
        for one in names:
            path = os.path.join(here, one)
            _check_links([path], folder)
            if not os.path.isdir(path):
                _check_file(path)
                yield path


def _raise(error: OSError) -> None:
    raise SourceUnreadable(
        f"{error.filename} cannot be listed: {error.strerror}; look at its rights"
    ) from error


def _check_links(paths: Sequence[str], start: str) -> None:
    top = os.path.realpath(start)
    for path in paths:
        leads = os.path.realpath(path)
        if leads != top and not leads.startswith(os.path.join(top, "")):
            raise SourceUnreadable(
                f"{path} is a link, or lies behind one, that leads out of {start}: put the file"
                " itself there"
            )
        if not os.path.exists(path):
            raise SourceUnreadable(f"{path} is a link that leads nowhere: take it away")


def _check_file(path: str) -> None:
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise SourceUnreadable(f"{path} is no file, but a pipe, socket or device: take it away")


def _fixed(pattern: str) -> str:
    """Return the folder that a glob begins with, up to its first pattern."""
    parts = pattern.split("/")
    first = next(at for at, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:first]) or pattern[: pattern.startswith("/")]
