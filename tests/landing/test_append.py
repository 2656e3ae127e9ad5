from datetime import UTC, datetime
from pathlib import Path

import pytest

from lake.catalog import identity
from lake.catalog.codec import sha256
from lake.catalog.entries import Column, File, Landed, schema_id
from lake.catalog.log import Log, open_log
from lake.catalog.state import State
from lake.errors import SchemaConflict
from lake.landing.append import Batch, append
from lake.landing.stage import Attempt
from storage_backends import Store, open_store

NUMBER = (Column("id", "BIGINT"),)
MOMENT = (Column("id", "TIMESTAMP"),)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(str(tmp_path / "lake"))
    identity.create(store, timezone="UTC", now=datetime(2026, 1, 31, tzinfo=UTC))
    return store


class Table:
    """A source of `rows` rows, which notes from where it was asked."""

    def __init__(
        self, log: Log, name: str, rows: int, columns: tuple[Column, ...] = NUMBER
    ) -> None:
        self.log, self.name, self.rows, self.columns = log, name, rows, columns
        self.asked: list[str] = []

    def extract(self, cursor: str) -> Batch | None:
        self.asked.append(cursor)
        start = int(cursor or 0)
        if self.rows <= start:
            return None
        data, key = f"{start}-{self.rows}".encode(), f"raw/orders/{self.name}-{start}.parquet"
        self.log.store.put_new(key, data)
        schema = schema_id(self.columns)
        file = File(key, len(data), sha256(data), self.rows - start, schema)
        landed = Landed("2026-01-31T10:00:00+00:00")
        return Batch(cursor, str(self.rows), (file,), landed, {schema: self.columns})


def appended(table: Table, state: State) -> int | None:
    commit_id = f"00000000-0000-7000-8000-{table.name:>012}"
    return append(Attempt(table.log, commit_id), state, "raw.orders", "", table.extract)


def ranges(store: Store) -> list[bytes]:
    _, state = open_log(store)
    now = state.partition("raw.orders", "").current
    return [store.get(file.key) for file in now.files] if now else []


def test_a_batch_follows_the_one_before(store: Store) -> None:
    log, state = open_log(store)
    assert appended(Table(log, "1", 3), state) == 1
    assert appended(Table(log, "2", 5), state) == 2
    assert ranges(store) == [b"0-3", b"3-5"]
    now = state.partition("raw.orders", "").current
    assert now is not None
    assert (now.cursor, state.datasets["raw.orders"].rows) == ("5", 5)


def test_nothing_newer_adds_nothing(store: Store) -> None:
    log, state = open_log(store)
    appended(Table(log, "1", 3), state)
    assert appended(Table(log, "2", 3), state) is None
    assert ranges(store) == [b"0-3"]


def test_a_batch_that_was_overtaken_is_extracted_again_from_the_new_cursor(store: Store) -> None:
    slow, quick = Table(open_log(store)[0], "1", 5), open_log(store)
    state = open_log(store)[1]
    appended(Table(quick[0], "2", 3), quick[1])
    assert appended(slow, state) == 2
    assert slow.asked == ["", "3"]
    assert ranges(store) == [b"0-3", b"3-5"]


def test_a_batch_of_which_another_run_appended_every_row_drops_out(store: Store) -> None:
    slow, quick = Table(open_log(store)[0], "1", 3), open_log(store)
    state = open_log(store)[1]
    appended(Table(quick[0], "2", 3), quick[1])
    assert appended(slow, state) is None
    assert ranges(store) == [b"0-3"]


def test_rows_that_cannot_be_joined_with_the_rest_are_not_appended(store: Store) -> None:
    log, state = open_log(store)
    appended(Table(log, "1", 3), state)
    with pytest.raises(SchemaConflict, match="column 'id' is BIGINT"):
        appended(Table(log, "2", 5, MOMENT), state)
    assert ranges(store) == [b"0-3"]
