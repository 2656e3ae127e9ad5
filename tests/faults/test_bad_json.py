"""JSON that is not what it claims to be: each in one line, nothing left behind."""

import gzip
import json
from pathlib import Path

import pytest

from lake.convert.json.convert import convert_json
from lake.errors import SourceUnreadable

MIB = 1 << 20


def refused(folder: Path, data: bytes) -> str:
    """Convert what cannot be; return the message."""
    path = folder / "x.json"
    path.write_bytes(data)
    with pytest.raises(SourceUnreadable, match=r"^x\.json") as caught:
        convert_json(path, folder / "out", name="x.json")
    assert list(folder.iterdir()) == [path]
    return str(caught.value)


def rejected(folder: Path, line: bytes) -> str:
    """Convert a good line and a bad one; return the reason of the reject."""
    path, rejects = folder / "x.json", folder / "rejects"
    path.write_bytes(b'{"good":1}\n' + line)
    done = convert_json(path, folder / "out", name="x.json", rejects=rejects)
    (found,) = map(json.loads, gzip.decompress(rejects.read_bytes()).decode().splitlines())
    assert (done.rows, done.rejected, found["line"]) == (1, 1, 2)
    assert done.first_reject == f"line 2: {found['reason']}"
    assert found["raw"] == line.decode("utf-8", "backslashreplace")
    return str(found["reason"])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"oops", "no JSON: expecting value at character 1"),
        (b"{'a': 1}", "no JSON: expecting property name enclosed in double quotes at character 2"),
        (b'{"a": 1} {"a": 2}', "no JSON: extra data at character 10"),
        (b'{"a": "1\t2"}', "no JSON: invalid control character at character 9"),
        (b'{"a": 01}', "no JSON: expecting ',' delimiter at character 8"),
        (b'{"a": 1, "b": "x', "no JSON: unterminated string at character 15"),
        (b'{"a": "\xe9"}', "no UTF-8: byte 0xe9 at its offset 7"),
        (b'{"a": NaN}', "NaN, which is no JSON"),
        (b'{"a": [-Infinity]}', "-Infinity, which is no JSON"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' twice in one object"),
        (b'{"a": "\\ud800"}', "a lone surrogate \\ud800, which is half a character"),
        (b'{"\\uDFFF": 1}', "a lone surrogate \\udfff, which is half a character"),
        (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", "nested deeper than 100 levels"),
        (b'{"a":' + b'{"a":' * 100_000, "nested deeper than 100 levels"),
        (b"[1]", "an array where an object must be"),
        (b"12", "a number where an object must be"),
        (b"1e999", "a number where an object must be"),
        (b'"x"', "a text where an object must be"),
        (b"true", "true or false where an object must be"),
        (b"null", "null where an object must be"),
    ],
)
def test_a_line_that_is_no_record_is_rejected(tmp_path: Path, line: bytes, reason: str) -> None:
    assert rejected(tmp_path, line) == reason


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'[{"a":1},\n{"a":2', "x.json is cut off at byte 16, within what begins in line 2"),
        (b'[{"a":1},\n', "x.json is cut off at byte 10, within what begins in line 2"),
        (b'[{"a":"1},\n{"a":2}]', "x.json is cut off at byte 19, within what begins in line 1"),
        (b'{\n"a":1,\n"b"', "x.json is cut off at byte 12, within what begins in line 1"),
    ],
)
def test_a_cut_array_or_object_names_the_byte(tmp_path: Path, data: bytes, message: str) -> None:
    assert refused(tmp_path, data) == f"{message}: fetch it again"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b'{"a":1}\n{"b":1}\n{"A":1}\n',
            "x.json has two keys 'a' and 'A', which differ only in case or blanks: rename one",
        ),
        (b'{" ":1}', "x.json has a key ' ', which names no column: rename it"),
        (
            b'[{"a":1}]\n[{"a":2}]',
            "x.json goes on behind its array, in line 2: send one array, or one record per line",
        ),
        (b"{}\n{}\n", "x.json has no record with a key: there is no column to land"),
        *(
            (
                data,
                "x.json holds no record, so its columns are unknown: look at what its source sends,"
                " or declare them",
            )
            for data in (b"[]", b" [ \n ] \n", b"\n \n", b"\xef\xbb\xbf")
        ),
        (
            b"{oops\n",
            "x.json holds no record that can be read (1 rejected), the first: line 1: no JSON:"
            " expecting property name enclosed in double quotes at character 2; mend the source",
        ),
    ],
)
def test_a_file_without_a_table_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    assert refused(tmp_path, data) == message


@pytest.mark.parametrize("start", [b'{"a":1}\n{"a":"', b'[{"a":1},\n{"a":"', b'{\n"a":"'])
def test_a_record_of_over_16_mib_is_refused(tmp_path: Path, start: bytes) -> None:
    line = 2 if b"1" in start else 1
    assert refused(tmp_path, start + b"x" * 18 * MIB) == (
        f"x.json: the record in line {line} is longer than 16 MiB: split it, or close the text or"
        " bracket that it opens"
    )


def test_a_record_of_just_under_16_mib_lands(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for frame in (b'{"a":"%s"}\n{"a":"1"}', b'[{"a":"%s"},{"a":"1"}]'):
        path.write_bytes(frame % (b"x" * (16 * MIB - 100)))
        assert convert_json(path, tmp_path / "out", name="x.json").rows == 2
