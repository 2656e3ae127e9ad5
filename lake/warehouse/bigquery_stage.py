"""Rows on their way: Parquet files that DuckDB writes, and a staging table that they load into.

The staging table is called after what it holds, and so is each load job into it. A run that was
killed finds both, and goes on from there. One that nobody comes back to expires by itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from google.api_core import exceptions as api
from google.cloud.bigquery import SchemaField, Table, TableReference

from lake.errors import LoadRefused
from lake.query.sql import literal
from lake.warehouse.bigquery_jobs import BigQuery, digest
from lake.warehouse.bigquery_sql import name
from lake.warehouse.bigquery_types import brought, out_of_range, sent, staged
from lake.warehouse.ledger import PartitionLoad
from lake.warehouse.rows import refuse_arrived, refuse_other_columns, shown
from lake.warehouse.warehouse import Source

STAGE = "_lake_stage_"
"""What the names of staging tables begin with."""
PART = "part"
"""The column that numbers the partitions in a staging table."""
_KEPT = timedelta(days=1)
_ROWS_AT_ONCE = 2_000_000
_PARTITIONS_AT_ONCE = 100
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Stage:
    """A staging table that holds all rows of `partitions`, each under its place in them."""

    table: TableReference
    partitions: tuple[PartitionLoad, ...]
    given: Mapping[str, str]

    @property
    def name(self) -> str:
        """Its name, qualified and quoted."""
        return name(self.table.project, self.table.dataset_id, self.table.table_id)

    def brought(self, column: str, held: str) -> str:
        """Return the expression of a published column, as a column `held` of the table takes it."""
        place = list(self.given).index(column)
        return brought(f"`c{place}`", self.given[column], held)


def bring_up(asked: BigQuery, source: Source, partitions: Sequence[PartitionLoad]) -> Stage:
    """Bring partitions into a staging table, each row once; return it.

    Raises:
        LoadRefused: the files do not hold what was announced, or BigQuery does not take a value.
    """
    load = source.load
    content = [(one.partition, one.content, one.rows) for one in partitions]
    key = digest(asked.place.url, load.lake_id, load.table, load.commit, load.columns, content)
    for attempt in range(_ATTEMPTS):
        table = asked.named("", f"{STAGE}{key}_{attempt}")
        stage = Stage(table, tuple(partitions), source.given)
        is_new = asked.make_table(_described(stage))
        if _is_filled(asked, source, stage, is_new):
            return stage
        asked.drop(table)
    raise LoadRefused(
        f"{load.dataset} at commit {load.commit} did not arrive whole in {_ATTEMPTS} staging tables"
        f" of {source.warehouse}: nothing was changed; see who deletes in tables {STAGE}*"
    )


def _described(stage: Stage) -> Table:
    fields = [SchemaField(PART, "INT64")]
    fields += [
        SchemaField(f"c{place}", staged(type_)) for place, type_ in enumerate(stage.given.values())
    ]
    table = Table(stage.table, schema=fields)
    table.expires = datetime.now(UTC) + _KEPT
    return table


def _is_filled(asked: BigQuery, source: Source, stage: Stage, is_new: bool) -> bool:
    """Fill a staging table, or wait until it is; False if what was there cannot be used.

    The jobs of a table that expired are still known, and their rows are not there any more.
    """
    jobs, is_mine = [], True
    with TemporaryDirectory(prefix="lake-load-") as folder:
        for number, some in enumerate(_groups(stage.partitions)):
            job_id, file = f"{stage.table.table_id}_{number}", Path(folder) / f"{number}.parquet"
            job, is_fresh = None if is_new else _known(asked, job_id), False
            if job is None:
                _write(source, stage, some, file)
                job, is_fresh = asked.load_once(file, stage.table, job_id=job_id)
                file.unlink()
            is_mine = is_mine and is_fresh
            jobs.append(job)
    went_through = [_went_through(asked, job, is_mine) for job in jobs]
    return all(went_through) and _is_whole(asked, source, stage, is_mine)


def _known(asked: BigQuery, job_id: str) -> Any:
    try:
        return asked.job(job_id)
    except api.NotFound:
        return None


def _went_through(asked: BigQuery, job: Any, is_mine: bool) -> bool:
    if asked.is_done(job):
        return True
    if is_mine:
        raise job.exception()
    return False


def _is_whole(asked: BigQuery, source: Source, stage: Stage, is_mine: bool) -> bool:
    query = f"SELECT `{PART}`, COUNT(*) FROM {stage.name} GROUP BY `{PART}`"
    try:
        found: dict[int, int] = dict(asked.rows(query))
    except api.NotFound:
        return False  # a run beside this one is through with it
    for place, partition in enumerate(stage.partitions):
        rows = found.get(place, 0)
        if rows != partition.rows:
            if is_mine:
                refuse_arrived(source, partition, rows)
            return False
    return True


def _groups(partitions: Sequence[PartitionLoad]) -> Iterator[list[tuple[int, PartitionLoad]]]:
    """Give partitions with their places, in groups of a file each: small ones share one."""
    group: list[tuple[int, PartitionLoad]] = []
    rows = 0
    for place, partition in enumerate(partitions):
        is_full = rows + partition.rows > _ROWS_AT_ONCE or len(group) == _PARTITIONS_AT_ONCE
        if group and is_full:
            yield group
            group, rows = [], 0
        group.append((place, partition))
        rows += partition.rows
    if group:
        yield group


def _write(
    source: Source, stage: Stage, some: Sequence[tuple[int, PartitionLoad]], file: Path
) -> None:
    """Write partitions into a Parquet file, with the values that BigQuery is to get."""
    for _, partition in some:
        refuse_other_columns(source, partition)
    items = ", ".join(
        f"{sent(column, type_)} AS c{place}"
        for place, (column, type_) in enumerate(stage.given.items())
    )
    every = "\nUNION ALL\n".join(
        f"SELECT CAST({place} AS BIGINT) AS {PART}, {items} FROM (\n{partition.select}\n) AS one"
        for place, partition in some
    )
    source.read(f"COPY (\n{every}\n) TO {literal(str(file))} (FORMAT parquet)")
    counts = f"SELECT {PART}, count(*) FROM read_parquet({literal(str(file))}) GROUP BY {PART}"
    rows: dict[int, int] = dict(source.read(counts))
    for place, partition in some:
        if rows.get(place, 0) != partition.rows:
            refuse_arrived(source, partition, rows.get(place, 0))
    _refuse_out_of_range(source, stage, some, file)


def _refuse_out_of_range(
    source: Source, stage: Stage, some: Sequence[tuple[int, PartitionLoad]], file: Path
) -> None:
    """Refuse dates and times that BigQuery does not have, before they are sent."""
    for place, (column, type_) in enumerate(stage.given.items()):
        condition = out_of_range(f"c{place}", type_)
        query = f"SELECT {PART} FROM read_parquet({literal(str(file))}) WHERE {condition} LIMIT 1"
        found = source.read(query) if condition else []
        if found:
            partition = dict(some)[found[0][0]]
            raise LoadRefused(
                f"column {column} of {shown(source, partition.partition)} holds a value that no"
                f" {type_} of BigQuery can (its years are 1 to 9999, its hours 0 to 23): nothing"
                " was changed; make it NULL or a text in the model"
            )
