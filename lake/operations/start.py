"""`init`: a lake where there was none, and the files of a project to go with it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lake import layout, opening
from lake.catalog.get import get
from lake.errors import InvalidConfig, NoSuchLake

if TYPE_CHECKING:
    from lake.lake import Lake

MINIMAL = """\
# What this lake is made of. Every key is checked; a path starts at this file's folder.

[lake]
url = "./.lake"
timezone = "UTC"                # what a bare date means

# A source lands into raw.NAME, a model in models/NAME.sql makes curated.NAME:
#
# [sources.trips]
# url = "https://example.org/trips_{month}.parquet"
# partition.month = { every = "month", since = "2024-01", lag = "60 days" }
# description = "Trips, one file a month"
#
# [warehouse]
# load = ["daily_revenue"]
"""


@dataclass(frozen=True, slots=True)
class Started:
    """A lake that is there now, and whether it was made just now."""

    lake: "Lake"
    is_new: bool


def start(url: str, *, timezone: str) -> Started:
    """Make a lake at `url`; one that is there stays as it is.

    Raises:
        InvalidConfig: `url` can be no lake, or `timezone` is none.
        StoreUnavailable: it cannot be written there.
    """
    try:
        found = opening.open_lake(url)
        if get(found.log.store, layout.LAKE) is None:  # only the hint knows whose lake this is
            found = opening.init(url, timezone=timezone)
        return Started(found, is_new=False)
    except NoSuchLake:
        return Started(opening.init(url, timezone=timezone), is_new=True)


def write_files(folder: Path, files: dict[str, str]) -> list[Path]:
    """Write the files of a project; return those that were not there already.

    Raises:
        InvalidConfig: one is there with another text, and nothing was written.
    """
    new = []
    for name, text in files.items():
        path = folder / name
        if not path.exists():
            new.append(path)
        elif path.read_text() != text:
            raise InvalidConfig(f"{path} is there with another text: choose an empty folder")
    for path in new:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path.relative_to(folder).as_posix()])
    return new
