"""Files that are not what they claim to be."""

from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake.errors import SourceIncomplete, SourceMissing, SourceUnreadable, VersionHeld
from lake.lake import Lake
from lake.landing.land import land
from lake.landing.order import Landing, Order
from lake.landing.stage import Attempt
from lake.sources.fetch import Patience, fetch
from tests.faults.refusal import refuses
from tests.http_server import Cut, Page, Server, Status

HTML = "<!DOCTYPE html><html><body>503</body></html>"


def lands(lk: Lake, good: Path) -> None:
    """Make sure that the lake goes on working where something was refused."""
    landing = lk.land(good, dataset="raw.x")
    assert (landing.outcome, landing.rows) == ("landed", 100)
    assert lk.sql("SELECT count(*) FROM raw.x").fetchall() == [(100,)]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (
            "x.parquet",
            "a,b\n1,2\n",
            "x.parquet is no Parquet although its name says so, but plain text: look at what its"
            " source sends",
        ),
        (
            "x.parquet",
            HTML,
            "x.parquet is no Parquet although its name says so, but an HTML page, which a server"
            " sends instead of a file: look at what its source sends",
        ),
        (
            "x.parquet",
            "PAR1",
            "x.parquet is a truncated Parquet: 4 bytes and no footer at the end; fetch it again",
        ),
        ("x.parquet", "", "x.parquet is empty (0 bytes): ask for it again where it came from"),
        ("x.csv", "", "x.csv is empty (0 bytes): ask for it again where it came from"),
        (
            "x.csv",
            HTML,
            "x.csv is an HTML page, which a server sends instead of a file: tables are Parquet,"
            " CSV, JSON, Arrow, Excel or fixed width; open its URL in a browser to see what the"
            " page says",
        ),
        (
            "x.csv",
            "\n\n \n",
            "x.csv is nothing but blanks and line ends: tables are Parquet, CSV, JSON, Arrow, Excel"
            " or fixed width; look at what its source sends",
        ),
        (
            "x.csv",
            "a,b,a\n1,2,3\n",
            "x.csv has two columns 'a': rename one in its header",
        ),
        (
            "x.csv",
            "a,b,A \n1,2,3\n",
            "x.csv has two columns 'a' and 'A ', which differ only in case or blanks: rename one in"
            " its header",
        ),
        (
            "x.csv",
            "a,,c\n1,2,3\n",
            "x.csv has no name for column 2 of 3: complete its header",
        ),
        (
            "x.csv",
            "a,b\n1,\0\n",
            "x.csv is binary data (a NUL byte at offset 6): tables are Parquet, CSV, JSON, Arrow,"
            " Excel or fixed width; convert it first, or land it as an object with format ="
            ' "objects" (--read format=objects)',
        ),
    ],
)
def test_a_file_that_is_not_what_it_claims_to_be_is_refused(
    lk: Lake, good: Path, tmp_path: Path, name: str, data: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(data)
    refuses(lk, lambda: lk.land(path, dataset="raw.x"), SourceUnreadable, message)
    lands(lk, good)


def test_a_parquet_is_refused_wherever_it_is_cut_off(lk: Lake, good: Path, tmp_path: Path) -> None:
    data = good.read_bytes()
    for length in (5, 11, 12, len(data) // 2, len(data) - 9, len(data) - 8, len(data) - 1):
        path = tmp_path / "cut.parquet"
        path.write_bytes(data[:length])
        message = (
            f"cut.parquet is a truncated Parquet: {length} bytes and no footer at the end; fetch it"
            " again"
        )
        refuses(lk, partial(lk.land, path, dataset="raw.x"), SourceUnreadable, message)
    lands(lk, good)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "a"], "x.parquet has two columns 'a': rename one where it is made"),
        (["a", ""], "x.parquet has no name for column 2 of 2: name it where it is made"),
        (["a", " "], "x.parquet has no name for column 2 of 2: name it where it is made"),
    ],
)
def test_a_parquet_with_duplicate_or_empty_column_names_is_refused(
    lk: Lake, good: Path, tmp_path: Path, names: list[str], message: str
) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=names), path)
    refuses(lk, lambda: lk.land(path, dataset="raw.x"), SourceUnreadable, message)
    lands(lk, good)


def test_columns_that_differ_only_in_case_are_held(lk: Lake, good: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "A"]), path)
    refuses(
        lk,
        lambda: lk.land(path, dataset="raw.x"),
        VersionHeld,
        "raw.x is held: column 'a' cannot be read together: raw/x/version=…/x.parquet has BIGINT"
        " ('a') and BIGINT ('A') (these are one name); no declaration joins these: have the source"
        " mend it, or land it as another dataset",
        commits=1,
    )
    lands(lk, good)


def test_a_csv_of_a_header_only_lands_its_columns_and_no_rows(lk: Lake, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,name\n")
    landing = lk.land(path, dataset="raw.x")
    assert (landing.outcome, landing.rows) == ("landed", 0)
    assert lk.sql("SELECT id, name FROM raw.x").fetchall() == []
    path.write_text("id,name\n7,x\n")
    lk.land(path, dataset="raw.x")
    assert lk.sql("SELECT id, name FROM raw.x").fetchall() == [(7, "x")]


def test_ragged_rows_are_held_with_the_first_of_them_and_the_views_stay(
    lk: Lake, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    lk.land(path, dataset="raw.x")
    path.write_text("a,b\n1,2\n3\n4,5,6\n")
    message = (
        "raw.x is held: 2 rows were rejected (at most 0 may be), the first: line 3: 1"
        " field where the header has 2; mend the source, or allow them with max_rejects"
    )
    refuses(lk, lambda: lk.land(path, dataset="raw.x"), VersionHeld, message, commits=1)
    assert lk.sql("SELECT * FROM raw.x").fetchall() == [(1, 2)]
    again = f"{message} (held since commit 2, as v2)"
    refuses(lk, lambda: lk.land(path, dataset="raw.x"), VersionHeld, again)
    assert [p.read_bytes() for p in lk.get("raw.x@v2", tmp_path / "got")] == [path.read_bytes()]
    path.write_text("a,b\n1,2\n3,4\n")
    assert lk.land(path, dataset="raw.x").version == 3


def test_files_that_cannot_be_joined_are_held_and_the_views_stay(lk: Lake, tmp_path: Path) -> None:
    for month, kind in (("1", pa.decimal128(4, 2)), ("2", pa.float64())):
        column = pa.array([1.5]).cast(kind)
        pq.write_table(pa.table({"v": column}), tmp_path / f"{month}.parquet")
    lk.land(tmp_path / "1.parquet", dataset="raw.x", partition={"m": "1"})
    refuses(
        lk,
        lambda: lk.land(tmp_path / "2.parquet", dataset="raw.x", partition={"m": "2"}),
        VersionHeld,
        "raw.x/m=2 is held: column 'v' cannot be read together: raw/x/m=1/version=…/1.parquet has"
        " DECIMAL(4,2), raw/x/m=2/version=…/2.parquet has DOUBLE (a DOUBLE does not hold decimals"
        ' exactly); declare v = { type = "VARCHAR" } in [sources.x.columns] of lake.toml, run `lake'
        " apply` and land it again",
        commits=1,
    )
    assert lk.sql("SELECT m, count(*) FROM raw.x GROUP BY ALL").fetchall() == [("1", 1)]


def test_a_path_that_leads_to_no_file_is_refused(lk: Lake, good: Path, tmp_path: Path) -> None:
    missing = tmp_path / "nothing.csv"
    message = f"there is no file {missing}: look at the name, or at the folder"
    refuses(lk, lambda: lk.land(missing, dataset="raw.x"), SourceMissing, message)
    message = f"{tmp_path} is a folder: name a file, or a glob such as {tmp_path}/*"
    refuses(lk, lambda: lk.land(tmp_path, dataset="raw.x"), SourceUnreadable, message)
    lands(lk, good)


def land_hastily(lk: Lake, url: str) -> Landing:
    """Land from a web server without waiting between two tries."""
    patience = Patience(sleep=lambda seconds: None)
    attempt = Attempt(lk.log, lk.new_id(), fetch=partial(fetch, patience=patience))
    return land(attempt, lk.state, [Order("raw.x", "", (url,))])[0]


def test_a_source_that_breaks_off_in_the_middle_lands_nothing(lk: Lake, good: Path) -> None:
    data = good.read_bytes()
    with Server({"/x.parquet": Page(data, etag=None)}) as server:
        url = server.url("/x.parquet")
        server.script("/x.parquet", *[Cut(100)] * 4)
        refuses(
            lk,
            lambda: land_hastily(lk, url),
            SourceIncomplete,
            f"{url} failed 4 times in a row: broke off after 100 of {len(data)} bytes; nothing of"
            " it was kept, run the same command again later",
        )
        landing = lk.land(url, dataset="raw.x")
        assert (landing.outcome, landing.rows) == ("landed", 100)


def test_a_server_that_refuses_lands_nothing(lk: Lake, good: Path) -> None:
    with Server({"/x.parquet": good.read_bytes()}) as server:
        url = server.url("/x.parquet")
        missing = f"{url} is not there: HTTP 404 Not Found; look at the URL"
        forbidden = (
            f"{url} cannot be fetched: HTTP 403 Forbidden; name who asks, as in"
            " https://${USER}:${PASSWORD}@HOST/PATH"
        )
        server.script("/x.parquet", Status(404), Status(403))
        refuses(lk, lambda: lk.land(url, dataset="raw.x"), SourceMissing, missing)
        refuses(lk, lambda: lk.land(url, dataset="raw.x"), SourceUnreadable, forbidden)
        assert lk.land(url, dataset="raw.x").rows == 100
