"""The lake explained in files: every link leads to one, and every number is the catalog's."""

import json
import re
from html import unescape
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser

from lake import layout
from lake.browser.still import STYLE, markdown
from lake.cli import main
from lake.lake import Lake
from tests.browser.chromium import tab
from tests.lakes import again, copy_of

_LINKS = re.compile(r"(?:href|src)=\"([^\"]*)\"|\]\(([^)]*)\)")
_NUMBER = r"<dt>{}</dt><dd><data value=\"([0-9]+)\""


@pytest.fixture(scope="module")
def own(looked_at: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return copy_of(looked_at, tmp_path_factory.mktemp("own"))


@pytest.fixture
def written(own: Lake, tmp_path: Path) -> Path:
    assert main(["browse", "--lake", own.url, "--static", str(tmp_path / "pages")]) == 0
    return tmp_path / "pages"


def test_there_are_two_files_per_dataset_and_two_of_the_lake(own: Lake, written: Path) -> None:
    folders = ["", *(f"{name.replace('.', '/')}/" for name in own.state.datasets)]
    wanted = {STYLE, *(f"{folder}{name}" for folder in folders for name in layout.PAGE_NAMES)}
    found = {str(path.relative_to(written)) for path in written.rglob("*") if path.is_file()}
    assert found == wanted


def test_every_link_leads_to_a_file_that_is_there(written: Path) -> None:
    count = 0
    for path in written.rglob("*"):
        if path.suffix not in (".html", ".md"):
            continue
        for found in _LINKS.finditer(path.read_text(encoding="utf-8")):
            to = unescape(found[1] or found[2]).partition("#")[0]
            count += 1
            assert not to.startswith(("/", "http")), (path, to)
            assert not to or (path.parent / to).resolve().is_file(), (path, to)
    assert count > 20


def test_the_numbers_are_the_catalog_s(own: Lake, written: Path) -> None:
    catalog = duckdb.connect()
    catalog.execute(f"ATTACH '{own.attach(written / 'catalog.duckdb')}' AS lake (READ_ONLY)")
    told = catalog.execute(
        "SELECT dataset, rows, bytes, partitions, versions, files FROM lake.meta.datasets"
    ).fetchall()
    assert len(told) == 3
    for name, rows, size, partitions, versions, files in told:
        text = (written / name.replace(".", "/") / "index.html").read_text(encoding="utf-8")
        for title, number in (
            ("Rows", rows),
            ("Stored", size),
            ("Partitions", partitions),
            ("Versions", versions),
        ):
            (found,) = re.findall(_NUMBER.format(title), text)
            assert int(found) == number, (name, title)
        words = (written / name.replace(".", "/") / "README.md").read_text(encoding="utf-8")
        assert re.search(rf"^{rows:,} rows? in {partitions} partitions?, {versions} ", words, re.M)
        assert f" in {files} file" in words
        counted = catalog.execute(f"SELECT count(*) FROM lake.{name}").fetchone()
        assert counted == (rows,)
    top = (written / "index.html").read_text(encoding="utf-8")
    assert re.findall(_NUMBER.format("Rows"), top) == [str(sum(row[1] for row in told))]


def test_it_tells_of_schemas_versions_checks_and_lineage(written: Path) -> None:
    text = (written / "raw" / "trips" / "README.md").read_text(encoding="utf-8")
    assert re.search(r"\| id \| INTEGER \|.*\n\|  \| DECIMAL\(2,1\) \|", text)
    assert "| month=2024-01 v2 | landing, current | 3 |" in text
    assert "- raw.trips → curated.revenue" in text
    assert "[curated.revenue](../../curated/revenue/README.md)" in text
    assert "    lake get " in text


def test_files_of_the_lake_itself_disturb_nothing(
    own: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["browse", "--lake", own.url, "--into-lake", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"files": 9, "in": own.url}
    root = Path(own.url.removeprefix("file://"))
    before = {path: path.read_bytes() for path in root.rglob("README.md")}
    assert len(before) == 4
    assert main(["verify", "--lake", own.url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["orphans"] == []
    assert main(["gc", "--lake", own.url, "--keep", "1 second", "--delete"]) == 0
    assert {path: path.read_bytes() for path in root.rglob("README.md")} == before
    lk = again(own)
    assert lk.sql("SELECT count(*) FROM raw.trips").fetchall() == [(7,)]


def test_two_places_at_once_and_a_folder_that_is_a_file_are_refused(
    own: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["browse", "--lake", own.url, "--static", "x", "--into-lake"]) == 2
    (tmp_path / "blocked").touch()
    place = str(tmp_path / "blocked" / "pages")
    assert main(["browse", "--lake", own.url, "--static", place]) == 1
    assert "cannot be written (Not a directory)" in capsys.readouterr().err


@pytest.mark.xdist_group("chromium")
@pytest.mark.parametrize("name", ["index.html", "raw/trips/index.html"])
def test_a_file_looks_as_a_page_does(chromium: Browser, written: Path, name: str) -> None:
    with tab(chromium, written.as_uri()) as it:
        it.go(f"/{name}")
        it.is_calm()
        assert it.spills == 0
        # That asks for the sheet again, which a file may not.
        assert it.complaints() == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a_b __c_", "a_b \\_\\_c\\_"),
        ("<b>|x|", "&lt;b&gt;\\|x\\|"),
        ("[x](y) *z*", "\\[x\\](y) \\*z\\*"),
        ("# no\nheading", "\\# no heading"),
        ("a\u202eb", "a\\\\u202eb"),
    ],
)
def test_text_in_markdown_is_only_text(text: str, shown: str) -> None:
    assert markdown(text) == shown


def test_a_file_of_somebody_else_s_stays(
    own: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "README.md").write_text("mine")
    assert main(["browse", "--lake", own.url, "--static", str(tmp_path)]) == 1
    assert "was not written by this" in capsys.readouterr().err
    assert (tmp_path / "README.md").read_text() == "mine"


def test_files_of_a_dataset_that_is_gone_go_too(looked_at: Lake, tmp_path: Path) -> None:
    lk = copy_of(looked_at, tmp_path / "project")
    folder = tmp_path / "pages"
    words = ["browse", "--lake", lk.url, "--static", str(folder)]
    assert main(words) == main(["browse", "--lake", lk.url, "--into-lake"]) == 0
    lk.drop("raw.zones")
    assert main(words) == main(["browse", "--lake", lk.url, "--into-lake"]) == 0
    for root in (folder, Path(lk.url.removeprefix("file://"))):
        assert not (root / "raw" / "zones" / "README.md").exists()
        assert (root / "raw" / "trips" / "README.md").exists()
    assert "zones" not in (folder / "README.md").read_text()
