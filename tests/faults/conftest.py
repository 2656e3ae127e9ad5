"""An empty lake, a file to land into it, and a project that was walked once."""

import shutil
from pathlib import Path

import duckdb
import pytest

import lake
from lake.lake import Lake
from lake.query.sql import literal
from tests.faults import example
from tests.faults.example import Project


@pytest.fixture
def lk(tmp_path: Path) -> Lake:
    return lake.init(str(tmp_path / "lake"))


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.parquet"
    with duckdb.connect() as con:
        con.execute(
            "COPY (SELECT range AS id, md5(range::VARCHAR) AS h FROM range(100))"
            f" TO {literal(str(path))} (FORMAT parquet)"
        )
    return path


@pytest.fixture(scope="session")
def walked_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Project(example.make(tmp_path_factory.mktemp("walked") / "project"))
    made.init()
    assert made.walk().commit == 4
    return made.root


@pytest.fixture
def walked(walked_once: Path, tmp_path: Path) -> Project:
    """A project with four commits, of which the cache knows nothing."""
    return Project(Path(shutil.copytree(walked_once, tmp_path / "project")))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(example.make(tmp_path / "project"))
    made.init()
    return made
