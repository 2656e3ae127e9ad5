"""Objects that are no tables, from where they lie to what gives them back."""

import io
import os
import re
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from lake.catalog.entries import File, Replace
from lake.catalog.publish import Draft, publish
from lake.catalog.state import State
from lake.errors import FileDamaged, InvalidAddress, SourceMissing, SourceUnreadable
from lake.lake import Lake
from lake.opening import init, open_lake
from lake.operations.get import safe_path
from lake.operations.verify import verify
from tests.faults.example import config_of
from tests.http_server import Server, redirect
from tests.lakes import land, rows


def _png() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (3, 2)).save(made, "png")
    return made.getvalue()


PNG = _png()
TEXT = "Größe: 3 m\n".encode()


def put(root: Path, **files: bytes) -> None:
    """Write files; `__` in a word is a folder, `_` before its end a dot."""
    for word, data in files.items():
        path = root / re.sub("_(?=[a-z]+$)", ".", word.replace("__", "/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def project(root: Path, *lines: str) -> Lake:
    """Return a lake in `root/.lake` whose only source is `x`."""
    url = str(root / ".lake")
    if not (root / ".lake").exists():
        init(url)
    (root / "lake.toml").write_text("\n".join(["[sources.x]", *lines]))
    return open_lake(url, config=config_of(root))


def outcome(lk: Lake) -> list[tuple[str, str, int]]:
    return [(one.partition, one.outcome, one.version) for one in lk.land_sources()]


def names(lk: Lake) -> list[str]:
    return [name for (name,) in rows(lk, "SELECT name FROM raw.x ORDER BY name")]


def got(lk: Lake, to: str, address: str = "raw.x", only: str = "") -> dict[str, bytes]:
    folder = lk.config.root / to
    paths = lk.get(address, folder, only=only)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


OBJECTS = 'format = "objects"'


def test_a_folder_is_a_table_of_what_lies_in_it(tmp_path: Path) -> None:
    put(tmp_path / "pictures", a_png=PNG, sub__a_png=PNG, sub__b_txt=TEXT)
    lk = project(tmp_path, 'url = "pictures"', OBJECTS)
    assert outcome(lk) == [("", "landed", 1)]
    assert rows(lk, "SELECT * EXCLUDE (sha256, key) FROM raw.x ORDER BY name") == [
        ("a.png", len(PNG), "image/png", 3, 2, None, None),
        ("sub/a.png", len(PNG), "image/png", 3, 2, None, None),
        ("sub/b.txt", len(TEXT), "text/plain", None, None, None, 11),
    ]
    assert got(lk, "out") == {"a.png": PNG, "sub/a.png": PNG, "sub/b.txt": TEXT}


def test_objects_are_joined_with_other_datasets(tmp_path: Path) -> None:
    put(tmp_path / "pictures", one_png=PNG, two_txt=TEXT)
    lk = project(tmp_path, 'url = "pictures"', OBJECTS)
    lk.land_sources()
    land(lk, "raw.items", "FROM (VALUES (1, 'one.png'), (2, 'two.txt')) t(id, picture)")
    joined = "SELECT id, media_type FROM raw.items JOIN raw.x ON name = picture ORDER BY id"
    assert rows(lk, joined) == [(1, "image/png"), (2, "text/plain")]


def test_every_key_leads_to_the_bytes_of_its_object(tmp_path: Path) -> None:
    put(tmp_path / "pictures", a_png=PNG, sub__b_txt=TEXT)
    lk = project(tmp_path, 'url = "pictures"', OBJECTS)
    lk.land_sources()
    keys = [key for (key,) in rows(lk, "SELECT key FROM raw.x ORDER BY name")]
    assert [lk.log.store.get(key) for key in keys] == [PNG, TEXT]


def test_the_same_objects_again_land_nothing(tmp_path: Path) -> None:
    put(tmp_path / "pictures", a_png=PNG, sub__b_txt=TEXT)
    lk = project(tmp_path, 'url = "pictures"', OBJECTS)
    lk.land_sources()
    assert outcome(lk) == [("", "unchanged", 1)]
    assert lk.commit == 1


def test_what_is_more_or_other_or_called_otherwise_is_a_version(tmp_path: Path) -> None:
    put(tmp_path / "pictures", a_png=PNG)
    lk = project(tmp_path, 'url = "pictures"', OBJECTS)
    lk.land_sources()
    put(tmp_path / "pictures", b_txt=TEXT)
    assert outcome(lk) == [("", "landed", 2)]
    put(tmp_path / "pictures", b_txt=TEXT + b"!")
    assert outcome(lk) == [("", "landed", 3)]
    (tmp_path / "pictures" / "b.txt").rename(tmp_path / "pictures" / "c.txt")
    assert outcome(lk) == [("", "landed", 4)]
    (tmp_path / "pictures" / "a.png").unlink()
    assert outcome(lk) == [("", "landed", 5)]
    assert names(lk) == ["c.txt"]
    assert got(lk, "out", "raw.x@v2") == {"a.png": PNG, "b.txt": TEXT}


def test_names_that_swap_their_bytes_are_a_version(tmp_path: Path) -> None:
    put(tmp_path / "in", a=b"1", b=b"2")
    lk = project(tmp_path, 'url = "in"', OBJECTS)
    lk.land_sources()
    put(tmp_path / "in", a=b"2", b=b"1")
    assert outcome(lk) == [("", "landed", 2)]


def test_a_glob_names_by_folder_and_name(tmp_path: Path) -> None:
    put(tmp_path / "pictures", a_png=PNG, sub__a_png=PNG, sub__b_txt=TEXT)
    lk = project(tmp_path, 'url = "pictures/**/*.png"', OBJECTS)
    assert outcome(lk) == [("", "landed", 1)]
    assert names(lk) == ["a.png", "sub/a.png"]


def test_each_day_of_a_folder_is_a_partition(tmp_path: Path) -> None:
    put(tmp_path / "photos", **{"2024-01-01__a_jpg": b"1", "2024-01-02__a_jpg": b"2"})
    keys = ('partition.day = { every = "day", since = "2024-01-01" }', OBJECTS)
    lk = project(tmp_path, 'url = "photos/{day}/*.jpg"', *keys)
    days = [("day=2024-01-01", "landed", 1), ("day=2024-01-02", "landed", 1)]
    assert outcome(lk) == days
    assert rows(lk, "SELECT day, name FROM raw.x ORDER BY day") == [
        ("2024-01-01", "a.jpg"),
        ("2024-01-02", "a.jpg"),
    ]
    assert got(lk, "out") == {"day=2024-01-01/a.jpg": b"1", "day=2024-01-02/a.jpg": b"2"}
    lk = project(tmp_path, 'url = "photos/{day}"', *keys)
    assert [one[1] for one in outcome(lk)] == ["unchanged", "unchanged"]


def test_an_empty_day_is_none_and_one_that_vanished_is_kept(tmp_path: Path) -> None:
    put(tmp_path / "photos", **{"2024-01-01__a_jpg": b"1", "2024-01-02__a_jpg": b"2"})
    lk = project(
        tmp_path,
        'url = "photos/{day}"',
        'partition.day = { every = "day", since = "2024-01-01" }',
        OBJECTS,
    )
    lk.land_sources()
    (tmp_path / "photos" / "2024-01-01" / "a.jpg").unlink()
    (tmp_path / "photos" / "2024-01-03").mkdir()
    assert outcome(lk) == [("day=2024-01-02", "unchanged", 1), ("day=2024-01-01", "gone", 1)]
    assert rows(lk, "SELECT count(*) FROM raw.x") == [(2,)]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_lands_as_what_it_holds(tmp_path: Path, kind: str) -> None:
    sent = archive(tmp_path / f"scans.{kind}", **{"in/a.png": PNG, "in/b.txt": TEXT, "c.txt": b""})
    lk = project(tmp_path, f'url = "scans.{kind}"', OBJECTS)
    assert outcome(lk) == [("", "landed", 1)]
    assert names(lk) == ["c.txt", "in/a.png", "in/b.txt"]
    assert got(lk, "all") == {f"scans.{kind}": sent}
    assert got(lk, "some", only="in/*.png") == {"in/a.png": PNG}
    assert got(lk, "by name", only="b.txt") == {"in/b.txt": TEXT}
    assert got(lk, "every", only="*").keys() == {"c.txt", "in/a.png", "in/b.txt", f"scans.{kind}"}


def test_without_its_archive_a_version_gives_the_objects(tmp_path: Path) -> None:
    archive(tmp_path / "scans.zip", **{"in/a.png": PNG, "b.txt": TEXT})
    lk = project(tmp_path, 'url = "scans.zip"', "keep_original = false", OBJECTS)
    lk.land_sources()
    assert got(lk, "out") == {"in/a.png": PNG, "b.txt": TEXT}
    assert [item for item in lk.log.store.list("raw/") if item.key.endswith(".zip")] == []


def test_members_of_an_archive_are_taken_by_glob(tmp_path: Path) -> None:
    archive(tmp_path / "scans.zip", **{"in/a.png": PNG, "b.txt": TEXT})
    lk = project(tmp_path, 'url = "scans.zip"', 'members = "*.png"', OBJECTS)
    lk.land_sources()
    assert names(lk) == ["in/a.png"]


def test_an_archive_among_objects_is_one_of_them(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    sent = archive(tmp_path / "in" / "scans.zip", **{"a.png": PNG})
    lk = project(tmp_path, 'url = "in"', OBJECTS)
    lk.land_sources()
    assert rows(lk, "SELECT name, media_type FROM raw.x") == [("scans.zip", "application/zip")]
    assert got(lk, "out") == {"scans.zip": sent}


def archive(path: Path, **files: bytes) -> bytes:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as made:
            for name, data in files.items():
                made.writestr(name, data)
        return path.read_bytes()
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path.read_bytes()


def test_objects_land_from_the_web_a_partition_each(tmp_path: Path) -> None:
    months = 'partition.month = { values = ["2024-01", "2024-02"] }'
    with Server({"/2024-01.txt?key=secret": TEXT, "/2024-02.txt?key=secret": b"2"}) as server:
        lk = project(tmp_path, f'url = "{server.url("/{month}.txt?key=${KEY}")}"', months, OBJECTS)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KEY", "secret")
            assert [one[1] for one in outcome(lk)] == ["landed", "landed"]
            assert [one[1] for one in outcome(lk)] == ["unchanged", "unchanged"]
    assert names(lk) == ["2024-01.txt", "2024-02.txt"]
    assert got(lk, "out", "raw.x/month=2024-01") == {"2024-01.txt": TEXT}


@pytest.mark.parametrize(
    ("url", "whose"),
    [
        ("http://127.0.0.1:{port}/a.png", "address 127.0.0.1 is of this machine"),
        ("http://localhost:{port}/a.png", "address 127.0.0.1 is of this machine"),
        ("http://169.254.169.254/latest", "address 169.254.169.254 is"),
    ],
)
def test_a_list_of_urls_leads_to_no_private_address(tmp_path: Path, url: str, whose: str) -> None:
    with Server({"/a.png": PNG}) as server:
        (tmp_path / "list.txt").write_text(url.replace("{port}", str(server.port)) + "\n")
        lk = project(tmp_path, 'url = "list.txt"', 'format = "urls"')
        with pytest.raises(SourceUnreadable, match=rf"^http://\S+ .*{re.escape(whose)}"):
            lk.land_sources()
        assert server.requests == []
    assert lk.commit == 0 or lk.state.datasets == {}


def test_a_list_that_a_server_sends_is_no_more_trusted(tmp_path: Path) -> None:
    with Server() as server:
        server.pages |= {"/list": server.url("/a.png").encode(), "/a.png": PNG}
        server.script("/list", redirect(server.url("/list")))
        lk = project(tmp_path, f'url = "{server.url("/list")}"', 'format = "urls"')
        with pytest.raises(SourceUnreadable, match=r"^http://127\S+/a\.png .*of this machine"):
            lk.land_sources()
        assert [request.path for request in server.requests] == ["/list", "/list"]


def test_verify_names_an_object_that_was_swapped(tmp_path: Path) -> None:
    put(tmp_path / "pictures", a_png=PNG, sub__b_txt=TEXT)
    lk = project(tmp_path, 'url = "pictures"', OBJECTS)
    lk.land_sources()
    assert verify(lk).damage == ()
    key = next(item.key for item in lk.log.store.list("raw/") if item.key.endswith("b.txt"))
    path = Path(lk.log.store.data_url(key))
    path.chmod(0o644)
    path.write_bytes(TEXT.upper())
    assert [one.key for one in verify(lk).damage] == [key]
    with pytest.raises(FileDamaged, match=rf"^{re.escape(key)} is not the file that the log names"):
        lk.get("raw.x", tmp_path / "out")


def test_a_version_of_objects_is_rolled_back(tmp_path: Path) -> None:
    put(tmp_path / "pictures", a_png=PNG)
    lk = project(tmp_path, 'url = "pictures"', OBJECTS)
    lk.land_sources()
    put(tmp_path / "pictures", b_txt=TEXT)
    lk.land_sources()
    lk.rollback("raw.x")
    assert names(lk) == ["a.png"]
    assert got(lk, "out") == {"a.png": PNG}
    assert outcome(lk) == [("", "unchanged", 3)]


def test_objects_land_by_hand(tmp_path: Path) -> None:
    put(tmp_path / "pictures", a_png=PNG, sub__b_txt=TEXT)
    lk = project(tmp_path, 'url = "pictures"', OBJECTS)
    objects = {"format": "objects"}
    lk.land(tmp_path / "pictures", dataset="raw.y", read=objects)
    lk.land(io.BytesIO(TEXT), dataset="raw.z", read=objects)
    assert rows(lk, "SELECT name FROM raw.y ORDER BY name") == [("a.png",), ("sub/b.txt",)]
    assert rows(lk, "SELECT name, characters FROM raw.z") == [("stdin", 11)]


def test_a_list_through_a_pipe_is_fetched_and_not_landed(tmp_path: Path) -> None:
    lk = project(tmp_path, 'url = "x"')
    with pytest.raises(SourceUnreadable, match=r"^http://127.0.0.1:9/a .*of this machine"):
        lk.land(io.BytesIO(b"http://127.0.0.1:9/a\n"), dataset="raw.y", read={"format": "urls"})


@pytest.mark.parametrize("url", ["pictures", "pictures/*", "pictures/**"])
def test_an_empty_or_vanished_folder_is_one_line_and_removes_nothing(
    tmp_path: Path, url: str
) -> None:
    put(tmp_path / "pictures", a_png=PNG)
    lk = project(tmp_path, f'url = "{url}"', OBJECTS)
    lk.land_sources()
    said = f"^no file fits {re.escape(url)}: look at the path, or at the folder$"
    (tmp_path / "pictures" / "a.png").unlink()
    with pytest.raises(SourceMissing, match=said):
        lk.land_sources()
    (tmp_path / "pictures").rmdir()
    with pytest.raises(SourceMissing, match=said):
        lk.land_sources()
    assert names(lk) == ["a.png"]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "pictures", a_png=PNG)
    pipe = tmp_path / "pictures" / "pipe"
    os.mkfifo(pipe)
    lk = project(tmp_path, 'url = "pictures"', OBJECTS)
    said = f"{pipe} is no file, but a pipe, socket or device: take it away"
    with pytest.raises(SourceUnreadable, match=f"^{re.escape(said)}$"):
        lk.land_sources()


def test_odd_names_come_back_as_they_were(tmp_path: Path) -> None:
    odd = ["é & ß.png", ".hidden", ".git/x", "_a", "100%.txt", "a.parquet", "x" * 250, "a#b?c"]
    put(tmp_path / "in", z=b"z")
    for name in odd:
        path = tmp_path / "in" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    lk = project(tmp_path, 'url = "in"', OBJECTS)
    lk.land_sources()
    assert got(lk, "out") == {"z": b"z"} | {name: name.encode() for name in odd}
    assert got(lk, "one", only=".git/*") == {".git/x": b".git/x"}


def test_a_glob_that_nothing_fits_names_some_that_are_there(tmp_path: Path) -> None:
    put(tmp_path / "in", a=b"1", b=b"2", c=b"3", d=b"4")
    lk = project(tmp_path, 'url = "in"', OBJECTS)
    lk.land_sources()
    said = r"^no file of raw\.x fits '\*\.png': it has 'a', 'b', 'c' …$"
    with pytest.raises(InvalidAddress, match=said):
        lk.get("raw.x", tmp_path / "out", only="*.png")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../b", "sub/../../b", "/b"])
def test_a_key_of_the_log_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    put(tmp_path / "in", a=b"1")
    lk = project(tmp_path, 'url = "in"', OBJECTS)
    lk.land_sources()
    now = lk.state.partition("raw.x", "").current
    assert now
    file = next(file for file in now.files if file.role == "original")
    files = (replace(file, key=file.key.removesuffix("a") + name),)

    def plan(state: State) -> Draft:
        return Draft([Replace("raw.x", "", files, now.content, now.landed)])

    publish(lk.log, lk.state, plan, commit_id=lk.new_id())
    with pytest.raises(ValueError, match=r"^'raw/x/version=\S+b' is no key: it is relative, "):
        lk.get("raw.x", tmp_path / "out" / "in")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", ["../b", "/b", "sub/../../b", "a\0b", "..", "a\\b", "/"])
def test_a_name_of_an_index_leads_nowhere_else(name: str) -> None:
    file = File("raw/x/version=1/sub/a.jpg", 1, "")
    assert safe_path(name, file) == "sub/a.jpg"
    assert safe_path("b/c", file) == "b/c"
    assert safe_path("", replace(file, key="raw/x/version=1/../a")).endswith("-a")
