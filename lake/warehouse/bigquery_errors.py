"""What BigQuery and its client say, in one line: what was tried, why not, and what to do."""

import contextlib
import re
from collections.abc import Iterator

import requests
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from lake.errors import (
    InvalidConfig,
    LakeError,
    LoadRefused,
    StoreRefused,
    StoreUnavailable,
    WarehouseLocked,
)
from lake.warehouse.bigquery_place import Place

RAISED = (api.GoogleAPIError, auth.GoogleAuthError, requests.RequestException)
"""Everything that the client raises for what BigQuery or the network did."""

_LATER = (
    *("backendError", "internalError", "rateLimitExceeded", "quotaExceeded", "badGateway"),
    *("jobBackendError", "jobInternalError", "jobRateLimitExceeded", "tableUnavailable", "stopped"),
)
# BigQuery says these as `invalidQuery`, as a mistake in the SQL: only the text tells.
_CONCURRENT = re.compile(r"due to (a )?concurrent", re.IGNORECASE)
_JOBS = re.compile(r"bigquery\.jobs\.", re.IGNORECASE)
_DATASETS = re.compile(r"bigquery\.datasets\.create", re.IGNORECASE)
_NO_DATASET = re.compile(r"Not found: Dataset", re.IGNORECASE)
_LOGIN = (
    "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a key"
    " file"
)
# Query job errors carry where in the script they were raised, which says nothing to a person.
_WHERE = re.compile(r" at \[\d+:\d+\].*$", re.DOTALL)
_TOKEN = re.compile(r"ya29\.[\w.-]+|Bearer \S+|eyJ[\w-]+\.[\w.-]+")


@contextlib.contextmanager
def errors_of(place: Place, what: str) -> Iterator[None]:
    """Translate what BigQuery, or the way to it, raises inside.

    Raises:
        WarehouseLocked: somebody else's change was in the way. Safe to retry.
        StoreUnavailable: BigQuery is not reached, busy or broken. Safe to retry: the ledger, and
            the job by its name, tell whether something went through whose answer was lost.
        StoreRefused: there are no credentials, or they are no longer good.
        InvalidConfig: there is no such dataset.
        LoadRefused: a right is missing, or what is to be written is not taken.
    """
    try:
        yield
    except RAISED as exc:
        raise told(exc, place, what) from exc


def told(exc: Exception, place: Place, what: str) -> LakeError:
    """Return the error of the warehouse for one of the client's."""
    if isinstance(exc, api.RetryError) and isinstance(exc.cause, RAISED):
        exc = exc.cause
    if isinstance(exc, auth.GoogleAuthError) and not isinstance(exc, auth.TransportError):
        return StoreRefused(
            f"{what}: there are no credentials for BigQuery, or they are no longer good: {_LOGIN}"
        )
    if not isinstance(exc, api.GoogleAPICallError):
        return StoreUnavailable(
            f"{what} lost BigQuery ({type(exc).__name__}): it is done whole or not at all; load"
            " again, which finds out and completes it"
        )
    return _answered(exc, place, what)


def _answered(exc: api.GoogleAPICallError, place: Place, what: str) -> LakeError:
    said, code = said_by(exc), exc.code or 0
    if is_concurrent(exc):
        return WarehouseLocked(
            f"{what} met somebody else's change ({said}): nothing was changed; try again"
        )
    if reason_of(exc) in _LATER or code in (408, 429) or code >= 500:
        return StoreUnavailable(
            f"{what} broke off ({said}): it is done whole or not at all; load again, which finds"
            " out and completes it"
        )
    if code == 401:
        return StoreRefused(f"{what}: BigQuery does not take these credentials ({said}): {_LOGIN}")
    if code == 403:
        return LoadRefused(f"{what} is refused ({said}): nothing was changed; {_role(said, place)}")
    if code == 404 and _NO_DATASET.search(said):
        return no_dataset(place)
    return LoadRefused(f"{what} failed ({said}): nothing was changed; put that right, then load")


def no_dataset(place: Place) -> InvalidConfig:
    """Return the error for a dataset that is not there, with the command that makes it."""
    command = f"bq --location={place.location or 'US'} mk --dataset {place.project}:{place.dataset}"
    return InvalidConfig(
        f"warehouse {place.url}: there is no such dataset, or it is hidden from these credentials:"
        f" run {command}, or correct the warehouse's url"
    )


def _role(said: str, place: Place) -> str:
    """Return which role is missing: on the project for jobs and datasets, else on the dataset."""
    if _JOBS.search(said):
        role, where = "roles/bigquery.jobUser", f"project {place.project}"
    elif _DATASETS.search(said):
        role, where = "roles/bigquery.user", f"project {place.project}"
    else:
        role, where = "roles/bigquery.dataEditor", f"dataset {place.dataset}"
    return f"let somebody who may grant this account {role} on {where}, then load again"


def is_concurrent(exc: Exception) -> bool:
    """Tell whether a transaction was aborted, as another changed the same table."""
    return isinstance(exc, api.GoogleAPICallError) and bool(_CONCURRENT.search(said_by(exc)))


def reason_of(exc: api.GoogleAPICallError) -> str:
    """Return BigQuery's own word for an error, such as `backendError`."""
    first = exc.errors[0] if exc.errors else {}
    return str(first.get("reason") or "") if isinstance(first, dict) else ""


def said_by(exc: api.GoogleAPICallError) -> str:
    """Return the first line of what BigQuery says, without what could open something."""
    first = exc.errors[0] if exc.errors else {}
    said = first.get("message") if isinstance(first, dict) else ""
    line = _WHERE.sub("", str(said or exc.message)).strip().partition("\n")[0]
    return _TOKEN.sub("…", " ".join(line.split())) or type(exc).__name__
