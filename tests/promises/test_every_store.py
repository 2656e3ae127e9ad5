"""The walk on every store alike; those of the clouds are real servers of their protocols."""

import hashlib
import os
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lake.lake import Lake
from lake.operations.verify import verify
from storage_backends import Store
from tests.faults import example
from tests.faults.example import (
    FEBRUARY,
    FEBRUARY_AGAIN,
    JANUARY,
    Project,
    daily,
    publish_again,
)

DAILY = "SELECT month, day::VARCHAR, trips, revenue FROM curated.daily ORDER BY day"
SECRETS = ("AWS_SECRET_ACCESS_KEY", "AZURE_STORAGE_CONNECTION_STRING")


@pytest.fixture
def project(store: Store, tmp_path: Path) -> Project:
    """A project whose lake lies in the store, landed, transformed and loaded."""
    root = example.make(tmp_path / "project")
    settings = root / "lake.toml"
    settings.write_text(settings.read_text().replace('"./.lake"', f'"{store.url}"'))
    made = Project(root)
    made.init()
    made.walk()
    return made


def rows(lk: Lake, query: str = DAILY) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = lk.sql(query).fetchall()
    return found


def test_the_walk_ends_alike_on_every_store(project: Project, store: Store) -> None:
    lk = project.open()
    assert lk.url == store.url
    assert rows(lk) == daily((*JANUARY, *FEBRUARY))
    with duckdb.connect(project.root / "warehouse.duckdb", read_only=True) as warehouse:
        assert warehouse.execute(DAILY.replace("curated.", "")).fetchall() == rows(lk)
    assert not verify(lk).damage


def test_a_second_walk_asks_and_changes_nothing(project: Project) -> None:
    before = project.open().commit
    project.walk()
    assert project.open().commit == before


def test_a_month_that_is_published_again_is_a_version(project: Project) -> None:
    before = project.open().commit
    publish_again(project.root)
    project.walk()
    lk = project.open()
    assert rows(lk) == daily((*JANUARY, *FEBRUARY_AGAIN))
    assert rows(lk.at(before)) == daily((*JANUARY, *FEBRUARY))


def test_the_bytes_come_back_as_the_source_sent_them(project: Project, tmp_path: Path) -> None:
    lk = project.open()
    (given,) = lk.get("raw.trips/month=2024-01", tmp_path / "out")
    source = project.root / "source" / "trips_2024-01.parquet"
    assert digest(given) == digest(source)


def test_any_duckdb_attaches_the_catalog_where_it_lies(project: Project, store: Store) -> None:
    with duckdb.connect() as connection:
        store.let_read(connection)
        connection.execute(f"ATTACH '{store.data_url('catalog.duckdb')}' AS acme (READ_ONLY)")
        found = connection.execute(DAILY.replace("curated.", "acme.curated.")).fetchall()
    assert found == rows(project.open())


def test_nothing_that_is_written_holds_a_secret(
    project: Project, store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    secrets = [os.environ[name] for name in SECRETS if name in os.environ]
    secrets += [secret.split("AccountKey=")[1].split(";")[0] for secret in secrets if ";" in secret]
    written = {listed.key: store.get(listed.key) for listed in store.list()}
    here = [project.root, Path(os.environ["XDG_CACHE_HOME"])]
    for path in (path for folder in here for path in folder.rglob("*") if path.is_file()):
        written[str(path)] = path.read_bytes()
    said = capfd.readouterr()
    written["output"] = (said.out + said.err).encode()
    assert len(written) > 20
    for name, data in written.items():
        assert not any(secret.encode() in data for secret in secrets), name


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
