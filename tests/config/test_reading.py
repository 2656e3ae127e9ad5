import re
from pathlib import Path

import pytest

from lake.config import Source, load, source_from_text, source_text
from lake.config.types import Reading
from lake.errors import InvalidConfig


def declare(folder: Path, text: str) -> Source:
    (folder / "lake.toml").write_text(f'[sources.x]\nurl = "x.txt"\n{text}\n')
    return load(None, env=None, environ={}, cwd=folder).sources["x"]


def test_how_a_source_is_read_survives_the_log(tmp_path: Path) -> None:
    source = declare(
        tmp_path,
        r"""
        encoding = "latin-1"
        delimiter = ";"
        quote = "'"
        escape = "\\"
        comment = "#"
        members = "*.csv"
        unknown_columns = "reject"
        extra_fields = "empty"
        max_rejects = 3
        keep_original = false
        profile = false
        key = ["id", "day"]
        """,
    )
    assert source.reading == Reading(
        encoding="latin-1",
        delimiter=";",
        quote="'",
        escape="\\",
        comment="#",
        members="*.csv",
        unknown_columns="reject",
        extra_fields="empty",
        max_rejects=3,
        keep_original=False,
        profile=False,
        key=("id", "day"),
    )
    assert source_from_text(source_text(source), "x") == source


def test_the_order_of_widths_survives_the_log(tmp_path: Path) -> None:
    source = declare(tmp_path, "widths = { zip = 5, name = 20, age = 3 }")
    assert source.reading.widths == (("zip", 5), ("name", 20), ("age", 3))
    assert source_from_text(source_text(source), "x").reading.widths == source.reading.widths


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('format = "cvs"', "format = 'cvs': did you mean 'csv'?"),
        ('encoding = "utf-9"', "encoding = 'utf-9' is none: write one such as 'utf-16' or 'lat"),
        ('encoding = "zlib"', "encoding = 'zlib' is none: write one such as 'utf-16' or 'latin-1'"),
        ('delimiter = "||"', "delimiter = '||': write one character of ASCII, and no line end"),
        (r'quote = "\n"', r"quote = '\n': write one character of ASCII, and no line end"),
        ('delimiter = "#"\ncomment = "#"', "delimiter, quote and comment must be different"),
        ("widths = { a = 0 }", "'a' = 0: write a column's name and its characters"),
        ('format = "fixed"', "format = 'fixed' needs widths: write widths = { name = 10, … }"),
        ('format = "csv"\nwidths = { a = 1 }', "widths are of fixed-width text, and format is"),
        ('unknown_columns = "no"', "unknown_columns = 'no': there is accept, reject"),
        ('extra_fields = "emty"', "extra_fields = 'emty': did you mean 'empty'?"),
        ('key = [" "]', "key holds an empty name: take it out"),
        ("max_rejects = -1", "max_rejects = -1 is below zero"),
    ],
)
def test_what_a_source_cannot_say_is_refused(tmp_path: Path, text: str, said: str) -> None:
    start = rf"^{re.escape(str(tmp_path))}/lake.toml: \[sources.x(.widths)?\] {re.escape(said)}"
    with pytest.raises(InvalidConfig, match=start):
        declare(tmp_path, text)
