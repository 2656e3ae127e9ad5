"""What Python gives, landed: rows of a program and bytes out of a pipe."""

import gzip
import io
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pandas as pd
import pyarrow as pa
import pytest

import lake
from lake.errors import InvalidConfig, InvalidName, SourceIncomplete, SourceUnreadable
from lake.lake import Lake
from lake.operations.verify import verify
from tests.lakes import again, new_lake, rows

ROWS = [(1, "a"), (2, "b"), (3, None)]
RECORDS = [{"id": number, "name": name} for number, name in ROWS]


@pytest.fixture
def lk(tmp_path: Path) -> Lake:
    return new_lake(tmp_path)


def frame() -> pd.DataFrame:
    return pd.DataFrame({"id": [1, 2, 3], "name": ["a", "b", None]})


def table() -> pa.Table:
    return pa.table({"id": [1, 2, 3], "name": ["a", "b", None]})


GIVEN: dict[str, Callable[[], object]] = {
    "list": lambda: RECORDS,
    "generator": lambda: (one for one in RECORDS),
    "iterator of lists": lambda: iter([RECORDS[:1], RECORDS[1:]]),
    "frame": frame,
    "frames": lambda: iter([frame()[:2], frame()[2:]]),
    "table": table,
    "reader": lambda: table().to_reader(max_chunksize=2),
    "relation": lambda: duckdb.sql("FROM (VALUES (1, 'a'), (2, 'b'), (3, NULL)) t(id, name)"),
    "csv": lambda: io.BytesIO(b"id,name\n1,a\n2,b\n3,\n"),
    "gzip": lambda: io.BytesIO(gzip.compress(b"id,name\n1,a\n2,b\n3,\n", mtime=0)),
    "json": lambda: io.BytesIO(b'[{"id":1,"name":"a"},{"id":2,"name":"b"},{"id":3}]'),
}


@pytest.mark.parametrize("make", GIVEN.values(), ids=GIVEN)
def test_whatever_gives_rows_lands_once(lk: Lake, make: Callable[[], object]) -> None:
    landing = lk.land(make(), dataset="raw.x")
    assert (landing.outcome, landing.version, landing.rows) == ("landed", 1, 3)
    assert rows(lk, "FROM raw.x ORDER BY id") == ROWS
    assert lk.land(make(), dataset="raw.x").outcome == "unchanged"
    assert (lk.commit, verify(lk).damage) == (1, ())


def test_other_rows_are_the_next_version(lk: Lake) -> None:
    lk.land(frame(), dataset="raw.x")
    landing = lk.land(frame()[:1], dataset="raw.x")
    assert (landing.outcome, landing.version, rows(lk, "FROM raw.x")) == ("landed", 2, ROWS[:1])


def test_a_source_says_dataset_partition_and_key(lk: Lake) -> None:
    @lake.source(dataset="raw.orders", partition={"month": "2024-01"}, key="id")
    def monthly(price: int = 1) -> Iterator[dict[str, Any]]:
        yield {"id": 1, "price": price}

    assert lk.land(monthly).name == "raw.orders/month=2024-01"
    assert lk.land(monthly(price=2)).version == 2
    assert lk.land(monthly, partition={"month": "2024-02"}).name == "raw.orders/month=2024-02"
    assert rows(lk, "FROM raw.orders ORDER BY month") == [(1, 2, "2024-01"), (1, 1, "2024-02")]


def test_a_resource_of_dlt_is_a_source(lk: Lake) -> None:
    @dlt.resource(name="People")
    def people() -> Iterator[Any]:
        yield RECORDS[:2]
        yield RECORDS[2]

    assert lk.land(lake.from_dlt(people)).dataset == "raw.people"
    assert rows(lk, "FROM raw.people ORDER BY id") == ROWS
    assert lk.land(lake.from_dlt(people, dataset="raw.other")).dataset == "raw.other"


def test_one_that_raises_late_publishes_nothing(
    lk: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @lake.source
    def numbers() -> Iterator[list[dict[str, int]]]:
        for start in range(0, 1_000_000, 50_000):
            yield [{"n": n} for n in range(start, start + 50_000)]
        raise KeyError("row 1,000,001")

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    said = r"^numbers failed at record 1,000,001: KeyError: 'row 1,000,001'; nothing was published$"
    with pytest.raises(SourceUnreadable, match=said):
        lk.land(numbers)
    assert (lk.commit, again(lk).commit, list(lk.log.store.list("raw/"))) == (0, 0, [])
    assert list(scratch.iterdir()) == []
    found = verify(lk)
    assert (found.files, found.damage, found.orphans) == (0, (), ())


def test_a_lost_connection_may_be_tried_again(lk: Lake) -> None:
    def rows() -> Iterator[dict[str, int]]:
        yield {"n": 1}
        raise ConnectionResetError("by peer")

    said = r"^raw\.x failed at record 2: ConnectionResetError: by peer; nothing was published$"
    with pytest.raises(SourceIncomplete, match=said):
        lk.land(rows(), dataset="raw.x")
    assert lk.commit == 0


def test_nothing_at_all_has_no_columns(lk: Lake) -> None:
    said = r"^raw\.x gave nothing, so its columns are unknown; nothing was published$"
    with pytest.raises(SourceUnreadable, match=said):
        lk.land([], dataset="raw.x")
    assert lk.commit == 0
    assert lk.land(frame()[:0], dataset="raw.x").rows == 0


def test_where_it_goes_must_be_said(lk: Lake) -> None:
    said = r"^'' is no dataset: write raw\.NAME or curated\.NAME$"
    with pytest.raises(InvalidName, match=said):
        lk.land(RECORDS)
    with pytest.raises(InvalidName, match=r"^curated\.x is for what models make: land into raw\.x"):
        lk.land(RECORDS, dataset="curated.x")


def test_what_is_no_data_is_refused_in_a_line(lk: Lake) -> None:
    for given in (7, None, {"id": 1}, b"id\n1\n"):
        said = (
            f"a {type(given).__name__} is no data for raw.x: give a path, a URL, a binary stream"
            " such as io.BytesIO(…), a data frame, or an iterable of dicts"
        )
        with pytest.raises(SourceUnreadable, match=f"^{re.escape(said)}$"):
            lk.land(given, dataset="raw.x")
    assert lk.commit == 0


def test_rows_of_a_program_keep_to_the_contract_too(lk: Lake) -> None:
    contract = {"columns": {"id": {"between": [1, 2]}}, "max_rejects": 1}
    landing = lk.land(RECORDS, dataset="raw.x", read=contract)
    assert (landing.rows, landing.rejected) == (2, 1)
    assert rows(lk, "FROM raw.x ORDER BY id") == ROWS[:2]


def test_a_stream_lands_as_it_is_said_to_be_read(lk: Lake) -> None:
    stream = io.BytesIO("id;name\n1;é\n".encode("latin-1"))
    lk.land(stream, dataset="raw.x", read={"encoding": "latin-1", "delimiter": ";"})
    assert rows(lk, "FROM raw.x") == [(1, "é")]
    with pytest.raises(InvalidConfig, match=r"^what was given: knows no key 'sheets': did you"):
        lk.land(io.BytesIO(b"a\n"), dataset="raw.x", read={"sheets": "a"})


def test_what_a_stream_was_comes_back(lk: Lake, tmp_path: Path) -> None:
    sent = gzip.compress(b"id\n1\n", mtime=0)
    lk.land(io.BytesIO(sent), dataset="raw.x")
    (path,) = lk.get("raw.x", tmp_path / "out")
    assert (path.name, path.read_bytes()) == ("stdin", sent)
