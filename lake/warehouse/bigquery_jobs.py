"""Asking BigQuery: every request between two calls of the hook, every change by a named job.

A job's name is made of what it does. So a request whose answer was lost, a run that was killed and
one that runs beside itself all come upon the same job, and wait for it; none runs it twice.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from google.api_core import exceptions as api
from google.api_core.retry import Retry
from google.cloud.bigquery import (
    Client,
    Dataset,
    DatasetReference,
    LoadJobConfig,
    QueryJobConfig,
    Table,
    TableReference,
)
from google.cloud.bigquery.retry import DEFAULT_RETRY

from lake.warehouse.bigquery_place import Place
from lake.warehouse.warehouse import Hook, Rows

PATIENCE_S = 60.0
_UPLOADS = 5
"""How often a part of an upload is tried: for about a minute."""
_LOAD = {
    "source_format": "PARQUET",
    "create_disposition": "CREATE_NEVER",
    "write_disposition": "WRITE_APPEND",
    "decimal_target_types": ["NUMERIC", "BIGNUMERIC"],
}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BigQuery:
    """A project that is asked. `place` is the dataset with the ledger, its location known."""

    client: Client
    place: Place
    hook: Hook
    patience_s: float = PATIENCE_S

    def rows(self, query: str) -> Rows:
        """Return the rows of a query, which changes nothing."""
        job = self._told(query, lambda: self._begin(query, None))
        found = self._told(query, lambda: job.result(retry=self._retry, job_retry=None))
        return [tuple(row.values()) for row in found]

    def run_once(self, statement: str, *, key: str) -> None:
        """Run a statement or script, once for all that is ever asked under this key."""
        self._once(statement, names(digest(self.place.url, key)))

    def load_once(self, file: Path, table: TableReference, *, job_id: str) -> tuple[Any, bool]:
        """Begin to load a file into a table; return the job, and whether it was not there before.

        It is also found to be there where the answer to the last part of the file was lost.
        """
        try:
            return self._told(job_id, lambda: self._upload(file, table, job_id)), True
        except api.Conflict:
            return self._found(job_id), False

    def job(self, job_id: str) -> Any:
        """Return a job; BigQuery may say for a moment that one which is there is not.

        Raises:
            google.api_core.exceptions.NotFound: there is none.
        """
        return self._told(job_id, lambda: self.client.get_job(job_id, **self._asked, **self._where))

    def is_done(self, job: Any) -> bool:
        """Wait for a job; tell whether it went through."""
        try:
            self._told(job.job_id, lambda: job.result(retry=self._retry))
        except api.GoogleAPICallError:
            if not self._has_failed(job):
                raise
            return False
        return True

    def table(self, dataset: str, name: str) -> Table | None:
        """Return what is known of a table; None if there is none."""
        try:
            return self._told(
                name, lambda: self.client.get_table(self.named(dataset, name), **self._asked)
            )
        except api.NotFound:
            return None

    def make_table(self, table: Table) -> bool:
        """Make a table; tell whether it was not there before."""
        try:
            self._told(table.table_id, lambda: self.client.create_table(table, **self._asked))
        except api.Conflict:
            return False
        return True

    def drop(self, table: TableReference) -> None:
        """Drop a table, if it is there."""
        self._told(
            table.table_id,
            lambda: self.client.delete_table(table, not_found_ok=True, **self._asked),
        )

    def dataset(self, name: str) -> Dataset:
        """Return what is known of a dataset."""
        reference = DatasetReference(self.place.project, name)
        return self._told(name, lambda: self.client.get_dataset(reference, **self._asked))

    def make_dataset(self, name: str) -> None:
        """Make a dataset where the ledger's lies, if it is not there."""
        wanted = Dataset(DatasetReference(self.place.project, name))
        wanted.location = self.place.location
        self._told(name, lambda: self.client.create_dataset(wanted, exists_ok=True, **self._asked))

    def named(self, dataset: str, name: str) -> TableReference:
        """Return the reference of a table of the project; `""` is the ledger's dataset."""
        wanted = DatasetReference(self.place.project, dataset or self.place.dataset)
        return TableReference(wanted, name)

    @property
    def _asked(self) -> dict[str, Any]:
        return {"retry": self._retry}

    @property
    def _where(self) -> dict[str, Any]:
        return {"location": self.place.location or None}

    @property
    def _retry(self) -> Retry:
        again = DEFAULT_RETRY.with_delay(initial=0.2, multiplier=2, maximum=10)
        return again.with_timeout(self.patience_s)

    def _told(self, what: str, ask: Callable[[], T]) -> T:
        self.hook(what)
        answer = ask()
        self.hook(what)
        return answer

    def _begin(self, statement: str, job_id: str | None) -> Any:
        return self.client.query(
            statement,
            job_id=job_id,
            job_config=QueryJobConfig(use_legacy_sql=False, use_query_cache=False),
            job_retry=None,
            **self._asked,
            **self._where,
        )

    def _upload(self, file: Path, table: TableReference, job_id: str) -> Any:
        with file.open("rb") as opened:
            return self.client.load_table_from_file(
                opened,
                table,
                job_id=job_id,
                size=file.stat().st_size,
                num_retries=_UPLOADS,
                job_config=LoadJobConfig(**_LOAD),
                **self._where,
            )

    def _once(self, statement: str, job_ids: Iterator[str]) -> None:
        """Run a job unless it ran; one that failed before is run anew, under the next name."""
        for job_id in job_ids:
            try:
                job, is_mine = self._told(statement, partial(self._begin, statement, job_id)), True
            except api.Conflict:
                job, is_mine = self._found(job_id), False
            try:
                self._told(statement, partial(job.result, retry=self._retry, job_retry=None))
            except api.GoogleAPICallError:
                if is_mine or not self._has_failed(job):
                    raise
            else:
                return

    def _has_failed(self, job: Any) -> bool:
        """Tell whether a job itself failed, and not only a question about it."""
        job.reload(**self._asked)
        return job.error_result is not None

    def _found(self, job_id: str) -> Any:
        # Right behind a Conflict BigQuery may not know the job yet.
        again = self._retry.with_predicate(
            lambda exc: isinstance(exc, api.NotFound) or DEFAULT_RETRY._predicate(exc)
        )
        return self._told(job_id, lambda: self.client.get_job(job_id, retry=again, **self._where))


def names(key: str) -> Iterator[str]:
    """Give the names of a job, of which each failed one makes way for the next."""
    return (f"clearlake_{key}_{number}" for number in count())


def digest(*parts: object) -> str:
    """Return a short name for all of this: the same for the same."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
