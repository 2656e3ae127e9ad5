"""Small real lakes: rows landed from a SELECT, models written beside them."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lake import layout
from lake.catalog.entries import Column, File, Landed, Replace, schema_id
from lake.catalog.ids import commit_id
from lake.catalog.publish import Draft, publish
from lake.catalog.state import State
from lake.config import Config, TableConfig, Warehouse
from lake.lake import Lake
from lake.landing.order import Landing
from lake.opening import init, open_lake
from lake.query.sql import literal
from lake.schema.admit import prepare


def new_lake(
    root: Path, *, timezone: str = "UTC", load: tuple[str, ...] = (), **tables: str
) -> Lake:
    """Make a lake in `root/.lake`; its models lie in `root/models`.

    `load` names the tables to load, `tables` those of them that have another name there.
    """
    url = init(str(root / ".lake"), timezone=timezone).url
    names = {name: TableConfig(table) for name, table in tables.items()}
    return open_lake(url, config=Config(root=root, warehouse=Warehouse(load=load, tables=names)))


@contextmanager
def shared_lake(tmp_path_factory: pytest.TempPathFactory, **lake: Any) -> Iterator[Lake]:
    """Give an empty lake to a fixture that several tests share, which only read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield new_lake(tmp_path_factory.mktemp("shared"), **lake)


def copy_of(lk: Lake, root: Path) -> Lake:
    """Copy a lake into `root`, models and all: quicker than landing the same again."""
    shutil.copytree(lk.config.root, root, dirs_exist_ok=True)
    return open_lake(str(root / ".lake"), config=replace(lk.config, root=root))


def again(lk: Lake) -> Lake:
    """Open a lake as another process would."""
    return open_lake(lk.url, config=lk.config)


def parquet(path: Path, select: str) -> Path:
    """Write what a SELECT gives as a Parquet file."""
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({select}) TO {literal(str(path))} (FORMAT parquet)")
    return path


def land(lk: Lake, dataset: str, select: str, **partition: str) -> Landing:
    """Land what a SELECT gives, such as `FROM (VALUES (1, 'a')) t(id, name)`."""
    path = parquet(lk.config.root / "given.parquet", select)
    return lk.land(path, dataset=dataset, partition=partition)


def publish_partitions(lk: Lake, dataset: str, texts: Iterable[str]) -> None:
    """Publish partitions of ten rows each in one commit, without the files that hold them."""
    schema = (Column("id", "BIGINT"),)
    now, digest = datetime.now(UTC), "0" * 64
    changes = []
    for text in texts:
        folder = layout.version(dataset, text, at=now, content=digest, commit_id="0")
        file = File(f"{folder}rows.parquet", 1000, digest, 10, schema_id(schema))
        changes.append(Replace(dataset, text, (file,), digest, Landed(now.isoformat())))

    def plan(head: State) -> Draft:
        schemas = {schema_id(schema): schema}
        head.prefetch((change.dataset, change.partition) for change in changes)
        prepare(lk.log, head, changes, schemas)
        return Draft(changes, schemas)

    publish(lk.log, lk.state, plan, commit_id=commit_id(lk.log.clock()))


def model(lk: Lake, name: str, select: str, *header: str) -> Path:
    """Write a model: its SELECT under the lines of its header."""
    lk.config.models.mkdir(exist_ok=True)
    lines = ["-- /// lake", *(f"-- {line}" for line in header), "-- ///", select]
    path = lk.config.models / f"{name}.sql"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows(lk: Lake, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query over a lake."""
    found: list[tuple[Any, ...]] = lk.sql(query).fetchall()
    return found
