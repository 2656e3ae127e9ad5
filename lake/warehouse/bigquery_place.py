"""Which dataset of BigQuery a URL names, and a client for it."""

import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import google.auth
from google.auth.credentials import AnonymousCredentials
from google.cloud.bigquery import Client

from lake.errors import InvalidConfig

_URL = re.compile(
    r"bigquery://(?P<project>[a-z0-9.:-]+)/(?P<dataset>[A-Za-z0-9_]+)/?(\?(?P<query>[^#]*))?"
)
_LOCATION = re.compile(r"[A-Za-z0-9-]+")
_WRITE = (
    "write bigquery://PROJECT/DATASET, with ?location=EU where it lies elsewhere than in the US"
)
EMULATOR = "BIGQUERY_EMULATOR_HOST"
"""Google's own variable: a server that is asked in place of BigQuery, without credentials."""


@dataclass(frozen=True, slots=True)
class Place:
    """A dataset; `location` is empty where the URL does not say it."""

    project: str
    dataset: str
    location: str = ""

    @property
    def url(self) -> str:
        """How messages and the log name it."""
        return f"bigquery://{self.project}/{self.dataset}"


def parse_place(url: str) -> Place:
    """Return the dataset that `bigquery://PROJECT/DATASET?location=…` names.

    Raises:
        InvalidConfig: it names none, or says something else.
    """
    found = _URL.fullmatch(url)
    if not found:
        raise InvalidConfig(f"the warehouse's bigquery:// URL names no dataset: {_WRITE}")
    said = dict(parse_qsl(found["query"] or "", keep_blank_values=True))
    location = said.pop("location", "")
    place = Place(found["project"], found["dataset"], location)
    if said or (location and not _LOCATION.fullmatch(location)):
        what = f"parameter {next(iter(said))!r}" if said else "location"
        raise InvalidConfig(f"warehouse {place.url}: BigQuery knows no such {what}: {_WRITE}")
    return place


def connect(place: Place) -> Client:
    """Return a client with the application default credentials; nothing is asked of BigQuery.

    Raises:
        google.auth.exceptions.DefaultCredentialsError: there are none.
    """
    credentials: Any
    if os.environ.get(EMULATOR):
        credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
    else:
        credentials, _ = google.auth.default(scopes=Client.SCOPE)
    return Client(project=place.project, credentials=credentials)
