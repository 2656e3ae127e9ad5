"""`lake land FILE --as raw.x --read KEY=VALUE`, objects and `lake get --only`."""

import gzip
import io
import json
import sys
import zipfile
from pathlib import Path

import openpyxl
import pytest

from tests.cli.ran import Ran, Run


@pytest.fixture
def lake(run: Run) -> Run:
    """Run `lake` where an empty lake is."""
    assert run("init", ".lake").code == 0
    return lambda *words: run(*words, "--lake", ".lake")


def csv(lake: Run, query: str) -> str:
    ran = lake("sql", query, "--format", "csv")
    assert (ran.code, ran.err) == (0, "")
    return ran.out.replace("\r\n", "\n")


def landed(lake: Run, *words: str) -> None:
    ran = lake("land", *words)
    assert (ran.code, ran.err) == (0, ""), ran


def give(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_a_sheet_is_chosen(lake: Run, here: Path) -> None:
    book = openpyxl.Workbook()
    book.create_sheet("Two").append(["n"])
    book["Two"].append([2])
    book.save(here / "book.xlsx")
    landed(lake, "book.xlsx", "--as", "raw.x", "--read", "sheet=Two")
    assert csv(lake, "FROM raw.x") == "n\n2\n"


@pytest.mark.parametrize("value", ["|", '"|"', "'|'"])
def test_a_delimiter_is_said_with_quotes_or_without(lake: Run, here: Path, value: str) -> None:
    (here / "a.csv").write_text("a,b|c\n1,2|3\n")
    landed(lake, "a.csv", "--as", "raw.x", "--read", f"delimiter={value}")
    assert csv(lake, 'SELECT "a,b" AS ab, c FROM raw.x') == 'ab,c\n"1,2",3\n'


def test_an_encoding_is_said(lake: Run, here: Path) -> None:
    (here / "a.csv").write_bytes("name\né\n".encode("latin-1"))
    landed(lake, "a.csv", "--as", "raw.x", "--read", "encoding=latin-1")
    assert csv(lake, "FROM raw.x") == "name\né\n"


def test_rows_may_be_rejected_when_that_is_said(lake: Run, here: Path) -> None:
    (here / "a.csv").write_text("a,b\n1,2\n3\n4,5\n")
    held = lake("land", "a.csv", "--as", "raw.x")
    assert (held.code, held.out.splitlines()[0]) == (1, "raw.x  held: kept as v1, not current")
    assert len(held.err.splitlines()) == 1
    ran = lake("land", "a.csv", "--as", "raw.x", "--read", "max_rejects=1")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("raw.x  landed v2: 2 rows, 1 rejected, ")
    assert csv(lake, "FROM raw.x") == "a,b\n1,2\n4,5\n"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("sheets=a", "knows no key 'sheets': did you mean 'sheet'?"),
        ("max_rejects=many", "max_rejects is 'many': write a whole number"),
        ("max_rejects=-1", "max_rejects = -1 is below zero"),
        ("delimiter=ab", "delimiter = 'ab': write one character of ASCII, and no line end"),
        (
            "encoding=x-y",
            "encoding = 'x-y' is none: write one such as 'utf-16' or 'latin-1'",
        ),
        ("format=cvs", "format = 'cvs': did you mean 'csv'?"),
        ("columns.n=1", "knows no key 'columns.n': did you mean 'columns'?"),
    ],
)
def test_a_wrong_key_or_value_is_one_line(lake: Run, here: Path, said: str, error: str) -> None:
    (here / "a.csv").write_text("a\n1\n")
    ran = lake("land", "a.csv", "--as", "raw.x", "--read", said)
    assert ran == Ran(1, "", f"error: what was given: {error}\n")
    assert lake("log", "--json").out == "[]\n"


@pytest.mark.parametrize("said", [("sheet",), ("sheet=a", "--read", "sheet=b")])
def test_a_read_is_a_key_and_a_value(lake: Run, here: Path, said: tuple[str, ...]) -> None:
    (here / "a.csv").write_text("a\n1\n")
    ran = lake("land", "a.csv", "--as", "raw.x", "--read", *said)
    assert ran == Ran(1, "", f"error: --read {said[-1]!r}: write KEY=VALUE, each key once\n")


def test_a_read_is_for_what_is_given_by_hand(lake: Run) -> None:
    ran = lake("land", "x", "--read", "sheet=a")
    assert ran.code == 2
    assert "--read needs --as: a source says in lake.toml how it is read" in ran.err


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"id,name\n1,a\n2,\n", ()),
        (b"id|name\n1|a\n2|\n", ("--read", "delimiter=|")),
        (b'{"id":1,"name":"a"}\n{"id":2}\n', ()),
        (gzip.compress(b"id,name\n1,a\n2,\n", mtime=0), ()),
    ],
)
def test_what_comes_through_a_pipe_lands(
    lake: Run, monkeypatch: pytest.MonkeyPatch, data: bytes, words: tuple[str, ...]
) -> None:
    give(monkeypatch, data)
    landed(lake, "-", "--as", "raw.x", *words)
    assert csv(lake, "FROM raw.x ORDER BY id") == "id,name\n1,a\n2,\n"
    assert lake("get", "raw.x", "-o", "out") == Ran(0, "out/stdin\n", "")
    assert Path("out/stdin").read_bytes() == data


def test_nothing_through_a_pipe_is_one_line(lake: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, b"")
    said = "error: stdin is empty (0 bytes): ask for it again where it came from\n"
    assert lake("land", "-", "--as", "raw.x") == Ran(1, "", said)


def test_a_folder_of_objects_lands_and_is_given_back(lake: Run, here: Path) -> None:
    (here / "notes" / "sub").mkdir(parents=True)
    (here / "notes" / "a.txt").write_text("a")
    (here / "notes" / "sub" / "a.txt").write_text("bc")
    words = ("land", "notes", "--as", "raw.notes", "--read", "format=objects")
    ran = lake(*words)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("raw.notes  landed v1: 2 rows, ")
    assert lake(*words) == Ran(
        0,
        "raw.notes  unchanged: v1 has these bytes\n"
        "1 unchanged: nothing to do, the lake stays at commit 1\n",
        "",
    )
    query = "SELECT name, bytes, media_type, characters FROM raw.notes ORDER BY name"
    assert csv(lake, query) == (
        "name,bytes,media_type,characters\na.txt,1,text/plain,1\nsub/a.txt,2,text/plain,2\n"
    )
    assert lake("get", "raw.notes", "-o", "out") == Ran(0, "out/a.txt\nout/sub/a.txt\n", "")
    assert (here / "out" / "sub" / "a.txt").read_text() == "bc"
    assert lake("verify").code == 0


def test_one_object_of_an_archive_is_given_back(lake: Run, here: Path) -> None:
    with zipfile.ZipFile(here / "scans.zip", "w") as made:
        made.writestr("in/a.txt", "a")
        made.writestr("in/b.txt", "b")
    landed(lake, "scans.zip", "--as", "raw.scans", "--read", "format=objects")
    assert lake("get", "raw.scans", "-o", "all") == Ran(0, "all/scans.zip\n", "")
    assert (here / "all" / "scans.zip").read_bytes() == (here / "scans.zip").read_bytes()
    ran = lake("get", "raw.scans", "-o", "one", "--only", "b.*", "--json")
    assert (ran.code, json.loads(ran.out)) == (0, [{"path": "one/in/b.txt", "bytes": 1}])
    assert lake("get", "raw.scans", "-o", "none", "--only", "*.png") == Ran(
        1,
        "",
        "error: no file of raw.scans fits '*.png': it has 'in/a.txt', 'in/b.txt', 'scans.zip'\n",
    )


def test_a_list_of_urls_to_this_machine_is_one_line(lake: Run, here: Path) -> None:
    (here / "list.txt").write_text("# pictures\nhttp://127.0.0.1:9/a.png\n")
    ran = lake("land", "list.txt", "--as", "raw.x", "--read", "format=urls")
    assert (ran.code, ran.out.splitlines()[:1], len(ran.err.splitlines())) == (1, [], 1)
    assert "of this machine" in ran.err


@pytest.mark.parametrize("what", ["empty", "nowhere", "empty/*"])
def test_objects_that_are_not_there_are_one_line(lake: Run, here: Path, what: str) -> None:
    (here / "empty").mkdir()
    ran = lake("land", what, "--as", "raw.x", "--read", "format=objects")
    said = f"error: there is no file at HERE/{what}: look at the path, or at the folder\n"
    assert ran == Ran(1, "", said)
