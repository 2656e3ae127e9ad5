"""Whether files are those that the log names: asked before a query reads them.

The size of a file and the number of rows in its footer must be what the log says. What agrees in
both and differs in a value is found by `verify`, which reads every byte.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from lake import layout, objects
from lake.catalog.codec import sha256
from lake.catalog.state import DataFile
from lake.errors import FileDamaged, StoreUnavailable, unavailable
from lake.query.sql import file_list
from lake.words import cause, said_by
from storage_backends import Store

_Stamp = tuple[int, ...]
_GONE: _Stamp = (-1,)
_FOOTERS = "SELECT file_name, file_size_bytes, num_rows FROM parquet_file_metadata({})"


@dataclass(slots=True)
class Trust:
    """Which files were seen to be sound.

    Of a lake on this machine each file is looked at again whenever it is asked for, which costs a
    `stat`; its footer is read again only where something touched it. Elsewhere, where a look is a
    request, it is looked at once.

    Attributes:
        store: the lake's.
        connection: a DuckDB connection, which reads the footers.
    """

    store: Store
    connection: Any
    _seen: dict[str, _Stamp] = field(default_factory=dict)

    def check(self, dataset: str, files: Iterable[DataFile]) -> None:
        """Make sure that files are what the log says, before a query reads them.

        Raises:
            FileDamaged: one is not.
            FileNotFoundError: one is not there.
        """
        for _, error in self.damage(dataset, files):
            raise error

    def damage(
        self, dataset: str, files: Iterable[DataFile]
    ) -> Iterator[tuple[DataFile, FileDamaged | FileNotFoundError]]:
        """Give the files that are not what the log says, each with the error that `check` raises.

        Raises:
            StoreUnavailable: it cannot be told, for one cannot be fetched.
        """
        new: dict[str, tuple[DataFile, _Stamp]] = {}
        for file, stamp in self._stamped(files):
            if self._seen.get(file.key) == stamp:
                continue
            if stamp == _GONE:
                yield file, FileNotFoundError(file.key)
            elif stamp and stamp[0] != file.bytes:
                yield file, _damaged(file.key, dataset, f"has {stamp[0]:,} bytes", file.bytes)
            else:
                new[self.store.data_url(file.key)] = (file, stamp)
        for url, found in self._footers(dataset, {u: f for u, (f, _) in new.items()}):
            file, stamp = new[url]
            error = _differing(file, dataset, *found) if isinstance(found, tuple) else found
            if error:
                yield file, error
            else:
                self._seen[file.key] = stamp

    def check_leaders(self, dataset: str, files: Mapping[str, bytes]) -> None:
        """Make sure that the files which decide a view's types are what they are named after.

        Raises:
            FileDamaged, FileNotFoundError: as for `check`.
        """
        keys = {layout.schema(digest): digest for digest in files}
        for key, stamp in _stamps(self.store, keys):
            if self._seen.get(key) != stamp:
                if sha256(objects.read(self.store, key)) != keys[key]:
                    raise FileDamaged(
                        f"{key} is not the file that it is named after, so {dataset} cannot be"
                        " read: restore it from a copy of the lake"
                    )
                self._seen[key] = stamp

    def _stamped(self, files: Iterable[DataFile]) -> Iterator[tuple[DataFile, _Stamp]]:
        by_key = {file.key: file for file in files}
        return ((by_key[key], stamp) for key, stamp in _stamps(self.store, by_key))

    def _footers(
        self, dataset: str, files: Mapping[str, DataFile]
    ) -> Iterator[tuple[str, tuple[int, int] | FileDamaged | FileNotFoundError]]:
        """Give size and rows by URL, all in one query; halved until one that cannot be read is."""
        import duckdb

        if not files:
            return
        try:
            found = self._asked(files)
        except duckdb.Error as exc:
            if len(files) > 1:
                for half in _halves(files):
                    yield from self._footers(dataset, half)
                return
            ((url, file),) = files.items()
            yield url, self._unreadable(file, dataset, exc)
            return
        yield from ((url, (size, rows)) for url, size, rows in found if url in files)
        # Perhaps DuckDB calls a file by another name than the one that it was asked for.
        for url in files.keys() - {row[0] for row in found}:
            if len(files) > 1:
                yield from self._footers(dataset, {url: files[url]})
            else:
                yield from ((url, (size, rows)) for _, size, rows in found)

    def _asked(self, files: Mapping[str, DataFile]) -> list[tuple[str, int, int]]:
        import duckdb

        # DuckDB keeps pieces of files, and of one that was touched just now it may keep old ones.
        is_again = any(file.key in self._seen for file in files.values())
        connection = duckdb.connect() if is_again else self.connection.cursor()
        if is_again:
            self.store.let_read(connection)
        found: list[tuple[str, int, int]] = connection.execute(
            _FOOTERS.format(file_list(list(files)))
        ).fetchall()
        return found

    def _unreadable(
        self, file: DataFile, dataset: str, exc: Exception
    ) -> FileDamaged | FileNotFoundError:
        """Return what is wrong with a file.

        Raises:
            StoreUnavailable: it cannot be fetched, and nothing is known of it.
        """
        said = str(exc).splitlines()[0]
        why = unread(self.store, file.key)
        if isinstance(why, FileNotFoundError):
            return why
        if not why and self._is_damaged(file, exc):
            return FileDamaged(
                f"{file.key} is no whole Parquet ({said}), so {dataset} cannot be read: restore it"
                " from a copy of the lake"
            )
        advice = "look at the network and at the store's settings, then try again"
        reason = why or OSError(f"DuckDB could not read it ({said}): {advice}")
        text = f"{dataset} cannot be read without {file.key}, which cannot be fetched from"
        raise unavailable(f"{text} {said_by(self.store.url, reason)}", why or exc) from exc

    def _is_damaged(self, file: DataFile, exc: Exception) -> bool:
        """Tell a bad file from a bad way to it, for which DuckDB has the same kind of words."""
        import duckdb

        if not isinstance(exc, duckdb.IOException):
            return True
        try:
            return self.store.size(file.key) != file.bytes
        except OSError:
            return False


def unread(store: Store, key: str) -> OSError | None:
    """Return why an object cannot be read, in the store's words and not in DuckDB's.

    Those that no credentials open any more, and those in an archive, say so only to who reads; None
    where the store gives what DuckDB did not get.
    """
    try:
        store.get(key, start=0, length=1)
    except OSError as exc:
        return exc
    return None


def unread_in(store: Store, said: str) -> StoreUnavailable | None:
    """Return the error about the object that DuckDB names in `said` and the store does not give.

    None on this machine, where DuckDB names none, where it is absent, and where it can be read.
    """
    if "://" not in store.data_url("x"):
        return None
    # A URL in it may be encoded.
    for key in dict.fromkeys(layout.data_keys(said) + layout.data_keys(unquote(said))):
        with suppress(ValueError):
            why = unread(store, key)
            if why and not isinstance(why, FileNotFoundError):
                return unavailable(f"{key} cannot be read: {cause(why)}", why)
    return None


def _stamps(store: Store, keys: Collection[str]) -> Iterator[tuple[str, _Stamp]]:
    """Give what changes when somebody touches an object; nothing of one on another machine."""
    first = next(iter(keys), "")
    root = store.data_url(first).removesuffix(first) if first else ""
    for key in keys:
        if "://" in root:
            yield key, ()
            continue
        try:
            facts = os.stat(root + key)
        except FileNotFoundError:
            yield key, _GONE
            continue
        yield key, (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino)


def _halves(files: Mapping[str, DataFile]) -> Iterator[dict[str, DataFile]]:
    every, middle = list(files.items()), len(files) // 2
    yield dict(every[:middle])
    yield dict(every[middle:])


def _differing(file: DataFile, dataset: str, size: int, rows: int) -> FileDamaged | None:
    if size != file.bytes:
        return _damaged(file.key, dataset, f"has {size:,} bytes", file.bytes)
    if rows != file.rows:
        return _damaged(file.key, dataset, f"has {rows:,} rows", file.rows)
    return None


def _damaged(key: str, dataset: str, found: str, said: int) -> FileDamaged:
    return FileDamaged(
        f"{key} {found}, the log says {said:,}, so {dataset} cannot be read: restore it from a copy"
        " of the lake"
    )
