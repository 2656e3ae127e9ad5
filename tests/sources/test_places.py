"""Where objects are, and what each is called."""

import os
import re
from pathlib import Path

import pytest

from lake.errors import SourceMissing, SourceUnreadable
from lake.sources.places import object_places, url_places, urls_from


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "[photos]"
    for name in ("a10.png", "a2.png", "b/c.png", "b/.hidden", ".git/x"):
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return made


def names(place: str, root: Path) -> list[str]:
    found = object_places(place, root=root)
    assert all(os.path.isfile(path) for path, _ in found)
    return [name for _, name in found]


def refuses(place: Path, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=f"^{re.escape(said)}$"):
        object_places(str(place), root=Path())


def test_a_folder_is_taken_whole(folder: Path, tmp_path: Path) -> None:
    whole = [".git/x", "a2.png", "a10.png", "b/.hidden", "b/c.png"]
    assert names("[photos]", tmp_path) == names(folder.as_uri(), tmp_path) == whole
    assert object_places(str(folder), root=Path())[1] == (str(folder / "a2.png"), "a2.png")


def test_a_glob_names_files_from_its_first_star_on(folder: Path) -> None:
    assert names("*.png", folder) == ["a2.png", "a10.png"]
    assert names("b/*", folder) == ["c.png"]
    assert names("**/*.png", folder) == ["a2.png", "a10.png", "b/c.png"]


def test_one_file_is_called_as_it_is(folder: Path, tmp_path: Path) -> None:
    assert names("[photos]/b/c.png", tmp_path) == ["c.png"]
    with pytest.raises(SourceMissing, match=r"^there is no file at /\S+/nothing: look at the"):
        object_places("nothing", root=folder)


def test_a_folder_without_a_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    said = f"there is no file at {tmp_path}: look at the path, or at the folder"
    refuses(tmp_path, SourceMissing, said)


def test_links_within_a_folder_are_followed_to_files(folder: Path) -> None:
    (folder / "z.png").symlink_to("b/c.png")
    (folder / "loop").symlink_to(".")
    assert names(str(folder), Path())[-1] == "z.png"
    assert len(names(str(folder), Path())) == 6


@pytest.mark.parametrize("to", ["/etc/passwd", "../../x", "/etc"])
def test_links_out_of_a_folder_are_refused(folder: Path, to: str) -> None:
    (folder.parent.parent / "x").touch()
    (folder / "b" / "z").symlink_to(to)
    said = (
        f"{folder}/b/z is a link, or lies behind one, that leads out of {folder}: put the file"
        " itself there"
    )
    refuses(folder, SourceUnreadable, said)


def test_a_glob_does_not_follow_links_out_of_its_folder(folder: Path) -> None:
    (folder / "z.png").symlink_to("/etc/passwd")
    with pytest.raises(SourceUnreadable, match=r"/z\.png is a link, .* that leads out of "):
        object_places("*.png", root=folder)


def test_links_to_nowhere_and_what_is_no_file_are_refused(folder: Path) -> None:
    (folder / "z").symlink_to("nothing")
    refuses(folder, SourceUnreadable, f"{folder}/z is a link that leads nowhere: take it away")
    (folder / "z").unlink()
    os.mkfifo(folder / "z")
    said = f"{folder}/z is no file, but a pipe, socket or device: take it away"
    refuses(folder, SourceUnreadable, said)


def test_urls_are_called_by_what_tells_them_apart() -> None:
    urls = ["https://h/a/x.png", "https://h/b/x.png", "https://h/%C3%A9.png", "https://h"]
    urls += ["https://i/q?token=1", "https://i/q?token=2", "https://h/a/x.png"]
    assert [name for _, name in url_places(urls)] == [
        *("h/a/x.png", "h/b/x.png", "é.png", "h", "i/q", "2/i/q")
    ]
    assert object_places("https://h/x.png", root=Path()) == [("https://h/x.png", "x.png")]


def test_a_file_of_urls_is_read(tmp_path: Path) -> None:
    path = tmp_path / "urls.txt"
    path.write_text("\ufeffhttps://h/1\r\n\n# no\n  http://h/2 \nhttps://h/1\n", newline="")
    assert urls_from(path) == ["https://h/1", "http://h/2"]


@pytest.mark.parametrize(
    "line", ["file:///etc/passwd", "/etc/passwd", "ftp://h/x", "https://h/a b"]
)
def test_a_line_that_is_no_url_is_named_and_not_shown(tmp_path: Path, line: str) -> None:
    (tmp_path / "urls.txt").write_text(f"https://h/1\n{line}\n")
    said = "line 2 of urls.txt is no URL: write https://… or http://…, one a line"
    with pytest.raises(SourceUnreadable, match=f"^{re.escape(said)}$"):
        urls_from(tmp_path / "urls.txt")


def test_a_file_without_urls_is_refused(tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text("# none\n")
    with pytest.raises(
        SourceMissing, match=r"^urls\.txt names no URL: write one a line, https://…$"
    ):
        urls_from(tmp_path / "urls.txt")
    (tmp_path / "urls.txt").write_bytes(b"https://h/\xff\n")
    said = "urls.txt is no list of URLs: it is not UTF-8 (invalid start byte); convert it first"
    with pytest.raises(SourceUnreadable, match=f"^{re.escape(said)}$"):
        urls_from(tmp_path / "urls.txt")
