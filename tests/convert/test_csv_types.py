import random
from decimal import Decimal, InvalidOperation
from pathlib import Path

import duckdb
import pytest

from lake.convert.csv.convert import convert_csv
from lake.convert.csv.types import accepts


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def landed(folder: Path, cells: list[str], filler: int = 0) -> tuple[str, list[object]]:
    """Convert one column of raw cells, each beside a number; give its type and its values.

    `filler` repeats the first cell in front, until the file is too large to be seen whole first.
    """
    path, out = folder / "in.csv", folder / "out.parquet"
    cells = [cells[0]] * filler + cells
    path.write_text("x,n\n" + "".join(f"{cell},{i}\n" for i, cell in enumerate(cells)))
    done = convert_csv(path, out, name="in.csv")
    assert (done.rows, done.rejected, done.blank_lines) == (len(cells), 0, 0)
    table = duckdb.read_parquet(str(out))
    assert table.columns == ["x", "n"]
    assert str(table.types[1]) == "BIGINT"
    return str(table.types[0]), [row[0] for row in table.project("x").fetchall()][filler:]


@pytest.fixture(params=[0, 40_000], ids=["small", "large"])
def filler(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "-2", "0", ""], "BIGINT"),
        (["1", "9007199254740993", "9223372036854775807"], "BIGINT"),
        (["1", "9223372036854775808"], "DECIMAL(19,0)"),
        (["0.5", "9007199254740993"], "DECIMAL(17,1)"),
        (["1.10", "1.1", ".50", "5.", "-0", "1e3"], "DOUBLE"),
        (["1.5", "0.1000000000000000055"], "DECIMAL(20,19)"),
        (["1.5", "-73.922592163085938"], "DECIMAL(17,15)"),
        (["1.5", "-0", "0.1000000000000000055"], "VARCHAR"),
        (["1e3", "0.1000000000000000055"], "VARCHAR"),
        (["1", "1" * 39], "VARCHAR"),
        (["1.5", "1e400"], "VARCHAR"),
        (["1.5", "1e-400"], "VARCHAR"),
        (["1", "-0"], "DOUBLE"),
        (["2024-02-29", "0001-01-01", ""], "DATE"),
        (["2024-01-01", "2024-02-30"], "VARCHAR"),
        (["2024-01-01", "infinity"], "VARCHAR"),
        (["2024-01-01", "2024-01-01 00:00:00"], "VARCHAR"),
        (["2024-01-01", "01/02/03"], "VARCHAR"),
        (["2024-01-01 10:00:00", "2024-01-01T10:00", "2024-01-01 10:00:00.123456"], "TIMESTAMP"),
        (["2024-01-01 10:00:00", "2024-01-01 24:00:00"], "VARCHAR"),
        (["2024-01-01 10:00:00", "2024-01-01 10:00:60"], "VARCHAR"),
        (["2024-01-01 10:00:00", "2024-01-01 10:00:00.1234567"], "VARCHAR"),
        (["2024-01-01 10:00:00", "2024-01-01 10:00:00Z"], "VARCHAR"),
        (["2024-01-01 10:00:00", "2024-01-01 10:00:00+01"], "VARCHAR"),
        (["2024-01-01 10:00:00", "0000-01-01T00:00"], "VARCHAR"),
        (["true", "false", ""], "BOOLEAN"),
        (["true", "True"], "VARCHAR"),
        (["true", "1"], "VARCHAR"),
    ],
)
def test_a_type_is_taken_only_where_nothing_merges(
    tmp_path: Path, filler: int, cells: list[str], kind: str
) -> None:
    found, values = landed(tmp_path, cells, filler)
    assert found == kind
    if kind == "VARCHAR":
        assert values == cells
    assert all((value is None) == (cell == "") for value, cell in zip(values, cells, strict=True))


ODD = (
    """ 1|1 |+1|01|-01|1_000|0x1F|NaN|nan|inf|infinity|-|.|e5|NULL|NA|1,5|1;5|1.2.3|١|--1|1e|0b1"""
)


@pytest.mark.parametrize("odd", ODD.split("|"))
def test_one_text_in_the_last_row_keeps_all_values_as_they_were(
    tmp_path: Path, filler: int, odd: str
) -> None:
    cells = ["1.50", "007" if filler == 0 else "0.5", "", quoted(odd)]
    found, values = landed(tmp_path, cells, filler)
    assert (found, values) == ("VARCHAR", [cells[0], cells[1], None, odd])


def test_two_numbers_in_one_quoted_field_are_not_taken_for_two_columns(tmp_path: Path) -> None:
    path, out = tmp_path / "in.csv", tmp_path / "out.parquet"
    path.write_text("a;b;c\n" + "1.5;2.5;3.5\n" * 60_000 + '"1;5";2.5;3.5\n')
    convert_csv(path, out, name="in.csv")
    table = duckdb.read_parquet(str(out))
    assert [str(kind) for kind in table.types] == ["VARCHAR", "DOUBLE", "DOUBLE"]
    assert table.filter("a = '1;5'").fetchall() == [("1;5", 2.5, 3.5)]


def test_a_quoted_nothing_is_an_empty_text_and_a_bare_one_is_null(tmp_path: Path) -> None:
    assert landed(tmp_path, ["a", '""', ""]) == ("VARCHAR", ["a", "", None])
    assert landed(tmp_path, ["1", '""', ""]) == ("VARCHAR", ["1", "", None])


def test_a_column_without_values_is_text(tmp_path: Path, filler: int) -> None:
    assert landed(tmp_path, ["", ""], filler) == ("VARCHAR", [None, None])


def test_a_value_after_many_empty_ones_decides_the_type(tmp_path: Path) -> None:
    # Of the sampled blocks none holds it, so that the guess is refuted.
    cells = [""] * 33_000 + ["7"] + [""] * 70_000
    found, values = landed(tmp_path, cells)
    assert found == "BIGINT"
    assert values.count(7) == 1


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    landed(tmp_path, ["1.5", "2024-01-01"], 1000)
    first = (tmp_path / "out.parquet").read_bytes()
    landed(tmp_path, ["1.5", "2024-01-01"], 1000)
    assert (tmp_path / "out.parquet").read_bytes() == first


def number_like(rnd: random.Random) -> str:
    digits = "".join(rnd.choice("0123456789") for _ in range(rnd.choice([1, 2, 3, 8, 15, 17, 20])))
    text = rnd.choice(["", "", "-", "+", " "]) + digits
    if rnd.random() < 0.6:
        place = rnd.randrange(len(text) + 1)
        text = text[:place] + "." + text[place:]
    if rnd.random() < 0.2:
        text += rnd.choice("eE") + str(rnd.randrange(-330, 330))
    if rnd.random() < 0.05:
        text += rnd.choice([" ", "_0", "f", "%", "L"])
    return text


def same_number(text: str, value: object) -> bool:
    """Tell whether a person would take `value` for the number that `text` is."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return False
    is_canonical = text == text.strip() and not text.startswith("+") and "_" not in text
    whole = text.lstrip("-").split(".")[0].lower().split("e")[0]
    shown = Decimal(repr(value)) if isinstance(value, float) else Decimal(str(value))
    return is_canonical and shown == number and not (len(whole) > 1 and whole.startswith("0"))


def test_no_number_is_ever_changed() -> None:
    rnd = random.Random(20240131)
    texts = {number_like(rnd) for _ in range(20_000)}
    taken = 0
    with duckdb.connect() as con:
        con.execute("CREATE TABLE t AS SELECT unnest(?) AS x", [sorted(texts)])
        for kind in ("BIGINT", "DOUBLE"):
            query = f"SELECT x, x::{kind} FROM t WHERE {accepts(kind, 'x')}"
            pairs = con.execute(query).fetchall()
            taken += len(pairs)
            assert [pair for pair in pairs if not same_number(*pair)] == []
    assert taken > 4_000


def test_no_number_is_ever_changed_in_columns_of_one_kind(tmp_path: Path) -> None:
    rnd = random.Random(7)
    kinds = {"BIGINT": 0, "DOUBLE": 0, "DECIMAL": 0, "VARCHAR": 0}
    columns = [[_of_kind(rnd, i % 4) for _ in range(40)] for i in range(80)]
    path, out = tmp_path / "in.csv", tmp_path / "out.parquet"
    head = ",".join(f"c{i}" for i in range(len(columns)))
    rows = [",".join(row) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([head, *rows, ""]))
    convert_csv(path, out, name="in.csv")
    for kind in duckdb.read_parquet(str(out)).types:
        kinds[str(kind).split("(")[0]] += 1
    assert min(kinds.values()) > 5
    _assert_kept(columns, out)


def _of_kind(rnd: random.Random, kind: int) -> str:
    if kind == 0:
        return str(rnd.randrange(-(2**63), 2**63))
    if kind == 1:
        return repr(rnd.uniform(-1000, 1000)) if rnd.random() < 0.5 else f"{rnd.uniform(0, 99):.2f}"
    if kind == 2:
        return f"{rnd.randrange(10**9)}.{rnd.randrange(10**9):09}{rnd.randrange(10**6):06}"
    return str(rnd.randrange(100)) if rnd.random() < 0.97 else number_like(rnd)


def _assert_kept(columns: list[list[str]], out: Path) -> None:
    rows = duckdb.read_parquet(str(out)).fetchall()
    wrong = [
        (text, value)
        for texts, values in zip(columns, zip(*rows, strict=True), strict=True)
        for text, value in zip(texts, values, strict=True)
        if value != text and not same_number(text, value)
    ]
    assert wrong == []
