"""The command line as a person meets it: words in; exit code, stdout and stderr out."""

import re
import shutil
from pathlib import Path

import pytest

import lake as clearlake
from lake.cli import main
from lake.operations.start import MINIMAL
from tests.cli.ran import Ran, Run

_VARYING = (
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\+00:00|Z)"), "TIME"),
    (re.compile(r"version=[0-9TZ]+-[0-9a-f]{8}-[0-9a-f]{4}"), "version=V"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA256"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UUID"),
    (
        re.compile(
            r"(?:(?<=file://)|(?<![:/\w]))/[^\s'\"]*/(here|two-months[0-9]*)(?=[\s/:'\"]|$)"
        ),
        "HERE",
    ),
)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run `lake` with some words in the folder `tmp_path / "here"`."""
    here = tmp_path / "here"
    here.mkdir(exist_ok=True)
    monkeypatch.chdir(here)

    def run(*words: str) -> Ran:
        capsys.readouterr()
        code = main(words)
        out, err = capsys.readouterr()
        return Ran(code, _masked(out), _masked(err))

    return run


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The folder in which commands run."""
    return tmp_path / "here"


@pytest.fixture
def lake(run: Run, here: Path, two_months: Path) -> Run:
    """Run `lake` where a lake is, with two months of trips in it."""
    shutil.copytree(two_months, here, dirs_exist_ok=True)
    return run


@pytest.fixture(scope="session")
def two_months(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project and its lake with two months of trips, to be copied."""
    folder = tmp_path_factory.mktemp("two-months")
    (folder / "lake.toml").write_text(MINIMAL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKE_CACHE", "")
        made = clearlake.init(str(folder / ".lake"))
        for month, rows in (("2024-01", "1,2.5\n2,3.5\n"), ("2024-02", "3,4.5\n")):
            path = folder / f"trips_{month}.csv"
            path.write_text(f"id,fare\n{rows}")
            made.land(path, dataset="raw.trips", partition={"month": month})
    return folder


def _masked(text: str) -> str:
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return text
