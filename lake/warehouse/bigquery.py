"""A dataset of BigQuery as a warehouse: rows beside the table first, then one transaction.

The ledger lies in the dataset that the URL names; `SCHEMA.NAME` is a table of another dataset of
the same project.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lake.errors import InvalidConfig, InvalidName
from lake.query.sql import identifier
from lake.warehouse import bigquery_load, bigquery_reconcile, ledger
from lake.warehouse.bigquery_errors import errors_of
from lake.warehouse.bigquery_jobs import PATIENCE_S, BigQuery
from lake.warehouse.bigquery_place import Place, connect, parse_place
from lake.warehouse.bigquery_sql import name, translated
from lake.warehouse.bigquery_table import BigQueryTable, make_ledger
from lake.warehouse.bigquery_types import bigquery_type, refuse_names
from lake.warehouse.ledger import TableLoad, TableLoaded
from lake.warehouse.reader import open_reader
from lake.warehouse.reconcile import Reconciled
from lake.warehouse.warehouse import Hook, Rows

_NAME_SIGNS = 1024


@dataclass(frozen=True, slots=True)
class BigQueryWarehouse:
    """A warehouse that is one dataset. For so long a request is repeated that gets no answer."""

    place: Place
    patience_s: float = PATIENCE_S

    @property
    def url(self) -> str:
        """Its URL, in which there is no secret."""
        return self.place.url

    def bring(self, load: TableLoad, *, hook: Hook, memory_limit: str | None) -> TableLoaded:
        """Make a table hold what a dataset holds; see `Warehouse`."""
        with self._changing(load, hook, memory_limit) as table:
            return bigquery_load.bring(table)

    def reconcile(self, load: TableLoad, *, mend: bool, hook: Hook) -> Reconciled:
        """Compare a table with what was published; see `Warehouse`."""
        with self._changing(load, hook, None) as table:
            return bigquery_reconcile.reconcile(table, mend=mend)

    @contextlib.contextmanager
    def reading(self) -> "Iterator[_Ledger]":
        """Look at the ledger; nothing is changed."""
        with (
            errors_of(self.place, f"looking into {self.url}"),
            _asked(self.place, _ignore, self.patience_s) as asked,
        ):
            yield _Ledger(asked)

    @contextlib.contextmanager
    def _changing(
        self, load: TableLoad, hook: Hook, memory_limit: str | None
    ) -> Iterator[BigQueryTable]:
        what = f"loading {load.dataset} into {load.table} in {self.url}"
        given = _given(load)
        with (
            open_reader(load, what=what, memory_limit=memory_limit) as reader,
            errors_of(self.place, what),
            _asked(self.place, hook, self.patience_s) as asked,
        ):
            make_ledger(asked)
            yield BigQueryTable(asked, reader, load, given)


def parse(url: str) -> BigQueryWarehouse:
    """Return the warehouse that a `bigquery://` URL names."""
    return BigQueryWarehouse(parse_place(url))


@dataclass(frozen=True, slots=True)
class _Ledger:
    asked: BigQuery

    @property
    def home(self) -> str:
        place = self.asked.place
        return f"{identifier(place.project)}.{identifier(place.dataset)}."

    def run(self, statement: str) -> Rows:
        return self.asked.rows(translated(statement))

    def columns(self, schema: str, table: str) -> list[str]:
        found = self.asked.table(schema, table)
        return [field.name for field in found.schema] if found else []

    def count(self, schema: str, table: str) -> int:
        place = self.asked.place
        whole = name(place.project, schema or place.dataset, table)
        rows: int = self.asked.rows(f"SELECT COUNT(*) FROM {whole}")[0][0]
        return rows


@contextlib.contextmanager
def _asked(place: Place, hook: Hook, patience_s: float) -> Iterator[BigQuery]:
    """Give what asks BigQuery, with the dataset's own location: a job runs where its tables are."""
    with contextlib.closing(connect(place)) as client:
        asked = BigQuery(client, place, hook, patience_s)
        found = asked.dataset(place.dataset)
        location = found.location or place.location
        if place.location and place.location.lower() != location.lower():
            raise InvalidConfig(
                f"warehouse {place.url} lies in {location}, and its url says {place.location}:"
                " correct the location, or leave it out"
            )
        if found.default_table_expiration_ms:
            raise InvalidConfig(
                f"warehouse {place.url}: tables of its dataset expire by themselves, the ledger"
                " among them: run bq update --default_table_expiration 0"
                f" {place.project}:{place.dataset}, or name another dataset"
            )
        yield replace(asked, place=replace(place, location=location))


def _given(load: TableLoad) -> dict[str, str]:
    if max(map(len, ledger.table_name(load.table))) > _NAME_SIGNS:
        raise InvalidName(
            f"{load.table!r} is no table of BigQuery, whose names have {_NAME_SIGNS} signs at most:"
            " give it a shorter one in [warehouse.tables]"
        )
    refuse_names((column for column, _ in load.columns), dataset=load.dataset)
    return {
        column: bigquery_type(type_, column=column, dataset=load.dataset)
        for column, type_ in load.columns
    }


def _ignore(request: str) -> None:
    """Stand in for a hook."""
