"""A lake, open at one commit: the verbs, each a few lines over the module that does the work."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from lake.catalog import snapshot
from lake.catalog.ids import commit_id
from lake.catalog.log import Log, advance
from lake.catalog.state import State
from lake.config import Config
from lake.config.period import AT_ONCE, Periods
from lake.errors import VersionConflict
from lake.published import Published

if TYPE_CHECKING:
    from lake.elt import Done, Elt
    from lake.landing.land import Told
    from lake.landing.order import Landing
    from lake.models.make import ModelRun
    from lake.models.run import Transformed
    from lake.operations.apply import Application
    from lake.operations.diff_lake import LakeDiff
    from lake.operations.diff_rows import TableDiff
    from lake.operations.gc import Collected
    from lake.operations.profiles import Profiles
    from lake.operations.release import Releases
    from lake.operations.remove import Taken
    from lake.operations.rollback import RolledBack
    from lake.query.connect import Session
    from lake.warehouse.load import TableLoaded


@dataclass(slots=True)
class Lake:
    """A lake at one commit.

    A verb that publishes moves it to the commit that it published or found; `refresh` moves it to
    the head. What `at` gives stays where it is and publishes nothing.

    Attributes:
        log: the log, with the store and its surroundings.
        state: the lake at `commit`.
        config: what `lake.toml` says, or its defaults.
        run: the id that receipts and commits carry.
        fixed: whether it is a snapshot that `at` gave.
    """

    log: Log
    state: State
    config: Config
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    fixed: bool = False
    _session: "Session | None" = None
    jobs: list[Thread] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The lake's URL."""
        return self.log.store.url

    @property
    def commit(self) -> int:
        """The number of the commit that it is open at; 0 for the empty lake."""
        return self.state.commit

    def refresh(self) -> int:
        """Move to the head, and return its number."""
        self._writable()
        advance(self.log, self.state)
        return self.commit

    def at(self, when: str | int) -> "Lake":
        """Return the whole lake as it was at a commit, a tag or a time.

        Raises:
            NoSuchVersion: there was none.
        """
        number = snapshot.resolve(self.log, self.state, when)
        state = snapshot.state_at(self.log, self.state, number)
        return Lake(self.log, state, self.config, self.run, fixed=True)

    def _writable(self) -> None:
        if self.fixed:
            raise VersionConflict(
                f"this is the lake as it was at commit {self.commit}: open it anew to change it"
            )

    def new_id(self) -> str:
        """Return the id of a commit to be."""
        return commit_id(self.log.clock())

    # Reading

    def session(self) -> "Session":
        """Return the DuckDB session of the commit that the lake is open at."""
        from lake.query.connect import open_session

        if self._session is None or self._session.commit != self.commit:
            self._session = open_session(self.log, self.state)
        return self._session

    def sql(self, query: str) -> Any:
        """Run a query over the datasets' views: `raw.x`, `curated.y`, `meta.…`.

        Returns:
            A `duckdb.DuckDBPyRelation`; None for a statement without rows.
        """
        return self.session().sql(query)

    def connect(self) -> Any:
        """Return a new DuckDB connection in which every dataset is a view."""
        from lake.query.connect import open_session

        session = open_session(self.log, self.state)
        session.make_all()
        return session.connection

    def table(self, address: str) -> Any:
        """Return what an address holds as a `duckdb.DuckDBPyRelation`.

        Raises:
            NoSuchDataset, NoSuchPartition, NoSuchVersion: there is none.
        """
        from lake.query.files import table

        return table(self, address)

    def files(self, address: str) -> list[str]:
        """Return the URLs of the files with an address's rows, in the order of partitions."""
        from lake.query.files import files

        return files(self, address)

    def get(self, address: str, to: str | Path, *, only: str = "") -> list[Path]:
        """Write the original bytes of an address into the folder `to`; return the files.

        With `only`, a glob, those whose name or path it fits, objects out of archives, too.

        Raises:
            FileDamaged: the bucket's bytes are not those that were landed; nothing was written.
        """
        from lake.operations.get import get

        return get(self, address, Path(to), only=only)

    def diff(
        self,
        before: str | int | None = None,
        after: str | int | None = None,
        *,
        key: Sequence[str] = (),
        limit: int = 20,
    ) -> "LakeDiff | TableDiff":
        """Return what is different between two addresses, or two commits of the whole lake.

        With one address, what its last change changed; see `lake.operations.diff.diff`.
        """
        from lake.operations.diff import diff

        return diff(self, before, after, key=key, limit=limit)

    def profiles(self, address: str) -> "Profiles":
        """Return what the profiles made at landing say of an address's columns; reads no data."""
        from lake.operations.profiles import column_profiles

        return column_profiles(self, address)

    def attach(self, path: str | Path) -> Path:
        """Write a DuckDB file with the lake's views, for any DuckDB of any language to open."""
        from lake.query.attach import write_file

        return write_file(self.log, self.state, Path(path))

    # Publishing

    def land(
        self,
        source: object,
        *,
        dataset: str = "",
        partition: Mapping[str, str] | None = None,
        read: Mapping[str, object] | None = None,
        force: bool = False,
        told: "Told | None" = None,
    ) -> "Landing":
        """Land data as the next version of one partition of `dataset`.

        The bytes are kept as they came. Landing the same bytes twice adds nothing. A generator
        that raises publishes nothing.

        Args:
            source: a path, a URL or a binary stream; a data frame, an Arrow table or reader, a
                DuckDB relation, an iterable of dicts, or what `lake.source` makes of a generator.
            dataset: where to, such as `raw.trips`; not needed where `source` says it.
            partition: the values of the partition's keys.
            read: how to read it, in the words of a source in `lake.toml`, such as
                `{"sheet": "Trips"}`; what is not said is as the dataset's source declares.
            force: land bytes that were rejected or are there already, too.
            told: hears of the partition once it is settled.

        Raises:
            SourceMissing, SourceIncomplete, SourceUnreadable: see there; nothing was published.
            VersionHeld: the bytes are kept, but cannot be joined with the rest.
        """
        from lake.landing.given import land_given, order_for

        self._writable()
        order = order_for(self, source, dataset, partition or {}, read or {})
        with self._published():
            return land_given(self, source, order, force=force, told=told)

    def land_sources(
        self,
        names: Sequence[str] = (),
        *,
        since: str | None = None,
        until: str | None = None,
        force: bool = False,
        at_once: int = AT_ONCE,
        told: "Told | None" = None,
    ) -> "list[Landing]":
        """Land what the declared sources hold now; one commit per source, each independent.

        Of each source, `at_once` partitions are fetched beside each other.

        Raises:
            NoSuchSource: one of `names` is not declared.
            SeveralFailed, VersionHeld, SourceMissing …: what failed; everything else was published.
        """
        from lake.landing.sources import land_sources

        self._writable()
        with self._published():
            return land_sources(
                self, names, since=since, until=until, force=force, at_once=at_once, told=told
            )

    def apply(self) -> "Application":
        """Declare what `lake.toml` and `models/` say; read what is held again accordingly.

        Raises:
            InvalidConfig, ModelInvalid: what they say is wrong; nothing was published.
            SchemaConflict: it contradicts the current files; nothing was published.
        """
        from lake.operations.apply import apply_all

        self._writable()
        with self._published():
            return apply_all(self)

    def transform(
        self,
        names: Sequence[str] = (),
        *,
        since: str | None = None,
        until: str | None = None,
        publish: bool = True,
        told: "Callable[[ModelRun], None]" = lambda run: None,
    ) -> "Transformed":
        """Build what is stale, check it, and publish what passed as one commit.

        Raises:
            CheckFailed, BuildFailed, SeveralFailed: what was withheld; the rest was published.
            ModelInvalid: a model is none; nothing was built.
            InvalidConfig: `since` or `until` is no period.
        """
        from lake.errors import raise_all
        from lake.models.run import transform

        self._writable()
        periods = Periods(since or "", until or "")
        with self._published():
            done = transform(self, names, publish=publish, told=told, periods=periods)
        raise_all(done.errors)
        return done

    def load(
        self,
        names: Sequence[str] = (),
        *,
        to: str | None = None,
        since: str | None = None,
        until: str | None = None,
        told: "Callable[[TableLoaded], None]" = lambda loaded: None,
    ) -> "list[TableLoaded]":
        """Load published tables into the warehouse: what changed, exactly once.

        Raises:
            NoSuchTable, WarehouseLocked, LoadRefused: see there; that table stayed as it was.
            InvalidConfig: `since` or `until` is no period.
        """
        from lake.warehouse.run import load_tables

        self._writable()
        periods = Periods(since or "", until or "")
        with self._published():
            return load_tables(self, names, to=to, told=told, periods=periods)

    def elt(
        self,
        *,
        since: str | None = None,
        until: str | None = None,
        at_once: int = AT_ONCE,
        told: "Callable[[Done], None]" = lambda done: None,
    ) -> "Elt":
        """Land every source, build every stale model, load every table: what changed.

        Raises:
            SeveralFailed, SourceMissing, CheckFailed …: what failed; the rest was done.
        """
        from lake.elt import elt
        from lake.errors import raise_all

        self._writable()
        with self._published():
            done = elt(self, since=since, until=until, at_once=at_once, told=told)
        raise_all(done.errors)
        return done

    def tag(self, name: str, *, when: str | int | None = None) -> int:
        """Give a snapshot a name that keeps it; an existing tag moves. Returns its commit."""
        from lake.operations.tag import tag

        self._writable()
        with self._published():
            return tag(self, name, when=when)

    def untag(self, name: str) -> int | None:
        """Take a tag away. Returns the commit that it named; None: there was no such tag."""
        from lake.operations.tag import untag

        self._writable()
        with self._published():
            return untag(self, name)

    def rollback(self, address: str) -> "RolledBack":
        """Restore what an address held; without WHEN, before it was changed last."""
        from lake.operations.rollback import rollback

        self._writable()
        with self._published():
            return rollback(self, address)

    def release(self, address: str) -> "Releases":
        """Publish what is held as a new version; it overrides the contract only."""
        from lake.operations.release import release

        self._writable()
        with self._published():
            return release(self, address)

    def remove(self, address: str) -> "Taken":
        """Take a partition away; former snapshots keep it."""
        from lake.operations.remove import remove

        self._writable()
        with self._published():
            return remove(self, address)

    def drop(self, dataset: str) -> "Taken":
        """Take a dataset away; former snapshots keep it."""
        from lake.operations.remove import drop

        self._writable()
        with self._published():
            return drop(self, dataset)

    def rename(self, dataset: str, to: str) -> "Taken":
        """Give a dataset another name; its files stay where they are."""
        from lake.operations.remove import rename

        self._writable()
        with self._published():
            return rename(self, dataset, to)

    def gc(self, *, keep: timedelta = timedelta(days=30), delete: bool = False) -> "Collected":
        """Find what neither the head, a tag nor a snapshot within `keep` needs; delete it."""
        from lake.operations.gc import gc

        self._writable()
        with self._published():
            return gc(self, keep=keep, delete=delete)

    def later(self, job: "Callable[[], None]") -> None:
        """Do something beside the verb that is at work, and before it ends."""
        if self.log.parallel == 1:
            job()
            return
        thread = Thread(target=job)
        thread.start()
        self.jobs.append(thread)

    def _published(self) -> Published:
        return Published(self)
