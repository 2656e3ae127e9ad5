"""Landing what is newer than a database's cursor: appended, each row once."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lake.catalog.entries import Declare, File
from lake.catalog.state import Version
from lake.config import Source
from lake.errors import SchemaConflict, SourceUnreadable
from lake.landing.append import Batch, append
from lake.landing.order import Landing, Order
from lake.landing.stage import Attempt, content_of, scratch_for, staged
from lake.layout import version_folder

if TYPE_CHECKING:
    from lake.lake import Lake
    from lake.sources.postgres.cursor import Cursor


def database_order(source: Source) -> Order:
    """Return what a source in a database is asked for."""
    assert source.database
    return Order(
        source.dataset,
        "",
        (source.database.shown,),
        reading=source.reading,
        database=source.database,
    )


def is_appended(source: Source) -> bool:
    """Tell whether a source's rows are appended, and do not replace those before."""
    return source.database is not None and bool(source.database.cursor)


def land_newer(lake: "Lake", source: Source, declare: Declare, *, force: bool = False) -> Landing:
    """Append what a source holds beyond its cursor, and what the lake lacks of the rows near it.

    No row is lost or comes twice, whoever else lands: `lake.sources.postgres.cursor` says how far
    that goes. Safe to retry.

    Args:
        lake: moved to the commit that was published.
        source: in a database, with a cursor.
        declare: what the log keeps of it.
        force: read it from the first row on, wherever the cursor is; what was landed stays out.

    Raises:
        SchemaConflict: a column's type fits no more; nothing was appended.
        SourceUnreadable, SourceIncomplete, InvalidConfig: see `fetch_newer`; nothing was appended.
    """
    attempt = Attempt(lake.log, lake.new_id(), lake.run, later=lake.later)
    taking = _Taking(lake, attempt, database_order(source), force=force)
    dataset = source.dataset
    try:
        number = append(
            attempt,
            lake.state,
            dataset,
            "",
            taking.extract,
            declare=[declare],
            message=f"land {dataset}",
        )
    except SchemaConflict as exc:
        advice = "give it its former type with a query, or land it under another name"
        raise SchemaConflict(
            replace(exc.conflict, why=f"{exc.conflict.why}; {advice}"),
            left="what was landed before",
            right="what came now",
            where=f"{dataset}: nothing was appended: ",
        ) from exc
    return taking.landing(number)


class _Taking:
    """Takes rows out of a database, as often as the cursor has moved meanwhile."""

    def __init__(self, lake: "Lake", attempt: Attempt, order: Order, *, force: bool) -> None:
        self._lake, self._attempt, self._order, self._force = lake, attempt, order, force
        self._batch: Batch | None = None

    @property
    def _current(self) -> Version | None:
        order = self._order
        return self._lake.state.partition(order.dataset, order.partition).current

    def extract(self, cursor: str) -> Batch | None:
        """Bring what the lake lacks into the bucket, visible to nobody; None if it has all."""
        from lake.sources.postgres.fetch import Wanted, fetch_newer

        order = self._order
        assert order.database
        self._batch = None
        wanted = Wanted(order.database, order.dataset.partition(".")[2], order.reading.key)
        with scratch_for(self._attempt, order) as scratch:
            newer = fetch_newer(
                wanted,
                scratch / "fetched-0",
                cursor="" if self._force else cursor,
                folders=len(_folders(self._current)),
                lacking=self._lacking,
            )
            if newer is None and not (self._force and cursor):
                return None
            if newer is None or newer.fetched is None:
                # Of a table that was emptied, and is read from the first row on, nothing is known.
                assert self._current
                return Batch(cursor, newer.cursor if newer else "", (), self._current.landed)
            content = content_of([cursor, newer.fetched.content])
            done = staged(self._attempt, order, 0, [newer.fetched], content)
        if done.flaw:
            raise SourceUnreadable(f"{order.name}: nothing was appended: {done.flaw}")
        self._batch = Batch(
            cursor, newer.cursor, done.files, done.landed, done.schemas, newer.fetched.content
        )
        return self._batch

    def _lacking(self, new: Path, former: "Cursor | None") -> Path | None:
        """Return the rows that the lake lacks; None if it has them all."""
        import duckdb

        from lake.sources.postgres.cursor import Cursor
        from lake.sources.postgres.duck import CONFIG
        from lake.sources.postgres.subtract import subtract

        assert self._order.database
        files = _near(self._current, former)
        if not files:
            return new
        to, store = new.with_suffix(".new"), self._attempt.log.store
        with closing(duckdb.connect(config=CONFIG)) as con:
            con.execute("SET temp_directory = ?", [str(new.parent / "spill")])
            store.let_read(con)
            left = subtract(
                con,
                new,
                [store.data_url(file.key) for file in files],
                to,
                key=self._order.reading.key,
                cursor=former or Cursor(self._order.database.cursor, ""),
            )
        return to if left else None

    def landing(self, number: int | None) -> Landing:
        """Say what came of it."""
        order, batch = self._order, self._batch
        version = self._lake.state.partition(order.dataset, order.partition).versions
        if batch is None or number is None:
            return Landing(
                order.dataset,
                order.partition,
                "unchanged" if version else "not yet",
                version,
                note="nothing is newer" if version else "",
            )
        return Landing(
            order.dataset,
            order.partition,
            "landed",
            version,
            rows=sum(file.rows for file in batch.files if file.role == "data"),
            rejected=batch.landed.rejected,
            bytes=sum(file.bytes for file in batch.files),
            commit=number,
        )


def _folders(current: Version | None) -> list[str]:
    """Return the folders of a version's files, in the order of their landing."""
    files = current.files if current else ()
    return list(dict.fromkeys(version_folder(file.key) for file in files))


def _near(current: Version | None, former: "Cursor | None") -> list[File]:
    """Return the files that may hold rows from a cursor's window, as the source sent them."""
    folders = _folders(current)
    if former and former.low is not None and former.folders == len(folders):
        folders = folders[len(folders) - len(former.ends) :]
    files = current.files if current else ()
    own = {version_folder(file.key) for file in files if file.role == "original"}
    return [
        file
        for file in files
        if (folder := version_folder(file.key)) in folders
        and file.role == ("original" if folder in own else "data")
    ]
