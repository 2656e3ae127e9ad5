import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from lake.cli.prompt import is_complete
from tests.cli.ran import Ran, Run

LAKE = (sys.executable, "-m", "lake")


def test_a_query_prints_a_table(lake: Run) -> None:
    assert lake(
        "sql", "SELECT month, sum(fare) AS fare FROM raw.trips GROUP BY ALL ORDER BY 1"
    ) == (
        0,
        "month    fare\n2024-01   6.0\n2024-02   4.5\n",
        "",
    )


def test_null_and_odd_texts_can_be_told_in_a_table(lake: Run) -> None:
    assert lake("sql", "SELECT NULL AS a, '' AS b, chr(10) || 'x' || chr(27) AS c") == Ran(
        0, "   a  b  c\nNULL     \\nx\\x1b\n", ""
    )


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("selec 1", 'Parser Error: syntax error at or near "selec" (line 1, column 1)'),
        (
            "SELECT\n  faire FROM raw.trips",
            'Binder Error: Referenced column "faire" not found in FROM clause! Candidate bindings:'
            ' "fare" (line 2, column 3)',
        ),
        (
            "SELECT * FROM raw.tripz",
            "there is no dataset raw.tripz at commit 2 (line 1, column 15); did you mean"
            " raw.trips?",
        ),
        (
            "FROM raw.nope JOIN raw.trips USING (id)",
            "there is no dataset raw.nope at commit 2 (line 1, column 6)",
        ),
        (
            "FROM meta.laods",
            "there is no table meta.laods at commit 2 (line 1, column 6); did you mean meta.loads?",
        ),
        (
            "FROM _note, meta.loads",
            "Catalog Error: Table with name _note does not exist! (line 1, column 6)",
        ),
        ("SELECT 1\0", "the query holds a NUL character, which no SQL can: remove it"),
        (
            "SELECT '\udcff'",
            "the query is no valid text: character 9 is a lone byte or surrogate; write it as"
            " UTF-8",
        ),
        ("SELECT 'a'::INT", "Conversion Error: Could not convert string 'a' to INT32"),
        ("SELECT error('mine')", "Invalid Input Error: mine"),
    ],
)
def test_what_duckdb_refuses_is_one_line_with_the_place(lake: Run, query: str, error: str) -> None:
    assert lake("sql", query) == Ran(1, "", f"error: {error}\n")


def test_json_is_one_array_of_objects_with_exact_numbers(lake: Run) -> None:
    query = (
        "SELECT 9007199254740993 AS big, 12345678901234567890.123456789::DECIMAL(38, 9) AS exact,"
        " 'nan'::DOUBLE AS nan, {'a': ['inf'::FLOAT, 1.5]} AS nested,"
        " map {'k': 'nan'::DOUBLE} AS m, NULL AS nothing"
    )
    code, out, err = lake("sql", query, "--json")
    assert (code, err) == (0, "")
    assert '"exact":12345678901234567890.123456789,' in out
    assert json.loads(out) == [
        {
            "big": 9007199254740993,
            "exact": 12345678901234567890.123456789,
            "nan": None,
            "nested": {"a": [None, 1.5]},
            "m": {"k": None},
            "nothing": None,
        }
    ]
    assert json.loads(lake("sql", "SELECT 1 AS a WHERE false", "--json").out) == []


def test_csv_tells_null_from_empty_text(lake: Run) -> None:
    assert lake("sql", "SELECT 1 AS a, '' AS b, NULL AS c, 'x,y' AS d", "--format", "csv") == Ran(
        0, 'a,b,c,d\n1,"",,"x,y"\n', ""
    )


def test_a_sum_of_large_integers_is_exact_in_parquet(lake: Run, here: Path) -> None:
    query = "SELECT sum(9007199254740993 + range) AS s FROM range(2)"
    assert lake("sql", query, "-o", "sum.parquet") == Ran(0, "", "")
    found = duckdb.connect().sql(f"SELECT s, typeof(s) FROM '{here}/sum.parquet'").fetchall()
    assert found == [(18014398509481987, "BIGINT")]
    assert not list(here.glob(".*part"))


def test_what_a_format_cannot_hold_is_refused_and_no_file_is_left(lake: Run, here: Path) -> None:
    assert lake("sql", "SELECT INTERVAL 1 MONTH AS i", "-o", "i.parquet") == Ran(
        1,
        "",
        "error: the answer: column 'i' is of type INTERVAL, which not every reader of Parquet gets"
        ' right: write CAST("i" AS VARCHAR), or another type\n',
    )
    assert lake("sql", "SELECT 1 AS a, 2 AS a", "--json") == Ran(
        1, "", "error: the answer has column 'a' twice: rename one with AS\n"
    )
    assert [path.name for path in here.glob("*i.parquet*")] == []


def test_a_number_that_parquet_cannot_hold_is_told_of_the_query(lake: Run) -> None:
    query = "SELECT 9223372036854775808::HUGEINT AS h"
    assert lake("sql", query, "-o", "h.parquet") == Ran(
        1,
        "",
        "error: the answer: column 'h' is HUGEINT and holds 9223372036854775808, which BIGINT"
        ' cannot hold exactly: write CAST("h" AS DECIMAL(38,0)) in the query, or another type\n',
    )


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.table"])
def test_an_ending_that_says_no_format_is_refused(lake: Run, here: Path, name: str) -> None:
    assert lake("sql", "SELECT 7 AS n", "-o", name) == Ran(
        2,
        "",
        f"error: '{name}' does not end in .txt, .csv, .json, .parquet: give --format table, csv,"
        " json or parquet; see `lake sql --help`\n",
    )
    assert lake("sql", "SELECT 7 AS n", "-o", name, "--format", "csv") == Ran(0, "", "")
    assert (here / name).read_text() == "n\n7\n"


def test_a_dash_is_stdout(lake: Run, here: Path) -> None:
    assert lake("sql", "SELECT 7 AS n", "-o", "-") == Ran(0, "n\n7\n", "")
    assert not (here / "-").exists()


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.parquet"])
def test_the_ending_of_the_file_says_the_format(lake: Run, here: Path, name: str) -> None:
    assert lake("sql", "SELECT 7 AS n", "-o", name) == Ran(0, "", "")
    assert duckdb.connect().sql(f"SELECT n FROM '{here / name}'").fetchall() == [(7,)]


def test_a_file_that_cannot_be_written_is_one_error(lake: Run) -> None:
    for name in ("nowhere/a.csv", "nowhere/a.txt", "lake.toml/nowhere/a.csv"):
        code, out, err = lake("sql", "SELECT 7 AS n", "-o", name)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "nowhere/" in err


def test_statements_come_through_a_pipe(lake: Run) -> None:
    del lake
    text = "CREATE TABLE t AS SELECT 1 AS a; INSERT INTO t VALUES (2); SELECT sum(a) AS s FROM t;"
    done = subprocess.run([*LAKE, "sql"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "s\n3\n", "")


@pytest.mark.parametrize(
    ("text", "words", "out", "error"),
    [
        (b"", ("--json",), "[]\n", ""),
        (b"CREATE TABLE t (a INT)", ("--json",), "[]\n", ""),
        (b"select 1\0", (), "", "the query holds a NUL character, which no SQL can: remove it"),
        (b"select '\xff'", (), "", "standard input is no UTF-8 text: invalid start byte at byte 8"),
    ],
)
def test_any_bytes_may_come_through_a_pipe(
    lake: Run,
    monkeypatch: pytest.MonkeyPatch,
    text: bytes,
    words: tuple[str, ...],
    out: str,
    error: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text), encoding="utf-8"))
    said = f"error: {error}\n" if error else ""
    assert lake("sql", *words) == Ran(1 if error else 0, out, said)


def test_one_document_holds_one_answer(lake: Run) -> None:
    assert lake("sql", "SELECT 1; SELECT 2", "--json") == Ran(
        1, "", "error: 2 statements give rows, and json holds one answer: run them one by one\n"
    )


def test_the_whole_lake_can_be_asked_as_it_was(lake: Run) -> None:
    assert lake("sql", "SELECT count(*) AS n FROM raw.trips", "--at", "1").out == "n\n2\n"
    assert lake("sql", "SELECT 1", "--at", "0").code == 0


def test_a_statement_ends_in_a_semicolon_that_is_its_own() -> None:
    assert is_complete("SELECT 1;")
    assert is_complete("SELECT ';' -- done\n;")
    assert not is_complete("SELECT 1")
    assert not is_complete("SELECT ';")
    assert not is_complete("SELECT 1 -- ;")
    assert not is_complete("SELECT /* ;")
    assert not is_complete('SELECT ";')


def test_alone_on_a_terminal_it_is_a_prompt_with_a_history(lake: Run, here: Path) -> None:
    del lake
    typed = ["SELECT count(*) AS n", "FROM raw.trips;", "selec;", ".tables", ".quit"]
    said = _at_a_terminal(here, typed)
    for text in ("lake> ", "...> ", "n\r\n3\r\n", "error: Parser Error: ", "raw.trips\r\n"):
        assert text in said
    history = list((here.parent / "cache").rglob("sql_history"))
    assert [text for path in history for text in path.read_text().splitlines()] == typed


def _at_a_terminal(folder: Path, typed: list[str]) -> str:
    main_end, child_end = pty.openpty()
    process = subprocess.Popen(
        [*LAKE, "sql"],
        stdin=child_end,
        stdout=child_end,
        stderr=child_end,
        cwd=folder,
        env={**os.environ, "TERM": "dumb", "INPUTRC": "/dev/null"},
    )
    os.close(child_end)
    os.write(main_end, "".join(f"{text}\n" for text in typed).encode())
    said = b""
    while chunk := _read(main_end):
        said += chunk
    os.close(main_end)
    assert process.wait(timeout=20) == 0
    return said.decode()


def _read(handle: int) -> bytes:
    """Read from a terminal; Linux says EIO where the other end was closed."""
    try:
        return os.read(handle, 4096)
    except OSError:
        return b""
