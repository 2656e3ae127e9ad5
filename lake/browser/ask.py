"""What was asked for: an address with its query, and how to say another one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlencode

from lake.errors import InvalidAddress


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to a page.

    Attributes:
        path: percent-encoded, as the browser sent it: `/` in a partition's value is `%2F` there.
        query: the last of each parameter.
        now: when it came, UTC.
        at: the commit, time or tag that all links of the page keep; `""` for the newest.
        places: what the route found in the path, decoded.
        is_json: whether JSON was asked for, and not a page.
    """

    path: str
    query: Mapping[str, str]
    now: datetime
    at: str = ""
    places: Mapping[str, str] = field(default_factory=dict)
    is_json: bool = False

    def get(self, name: str, default: str = "") -> str:
        """Return a parameter of the query."""
        return self.query.get(name, default)

    def number(self, name: str, default: int, *, most: int = 10**9) -> int:
        """Return a parameter that is a whole number of at least 0.

        Raises:
            InvalidAddress: it is none.
        """
        text = self.query.get(name, "")
        if not text:
            return default
        is_short = text.isascii() and text.isdigit() and len(text.lstrip("0")) < 16
        if not is_short or int(text) > most:
            raise InvalidAddress(f"{name}={text[:40]} is no number from 0 to {most:,}")
        return int(text)

    def link(self, path: str, **query: object) -> str:
        """Return the address of another page, at the same commit.

        Args:
            path: decoded, but for what `part` has encoded.
            query: what is empty is left out.
        """
        asked = {"at": self.at, **{name: str(value) for name, value in query.items()}}
        said = urlencode({name: text for name, text in asked.items() if text}, quote_via=quote)
        return f"{path}{f'?{said}' if said else ''}"

    def same(self, **query: object) -> str:
        """Return the address of this page with other parameters; None takes one away."""
        asked = {name: text for name, text in self.query.items() if name != "at"}
        asked |= {name: "" if value is None else str(value) for name, value in query.items()}
        return self.link(self.path, **asked)

    @property
    def now_link(self) -> str:
        """The address of this page as the lake is now."""
        said = urlencode(self._rest(), quote_via=quote)
        return f"{self.path}{f'?{said}' if said else ''}"

    @property
    def twin(self) -> str:
        """The address of the page's JSON."""
        return self.link(f"{'/index' if self.path == '/' else self.path}.json", **self._rest())

    def _rest(self) -> dict[str, str]:
        return {name: text for name, text in self.query.items() if name != "at"}


def dataset_path(name: str, partition: str = "", version: int | None = None) -> str:
    """Return the path of a dataset, a partition or a version.

    Args:
        name: `raw.trips`.
        partition: its text, percent-encoded as the log has it: `month=2024-01`.
        version: of the partition.
    """
    last = f"v{version}" if version is not None else ""
    path = "/".join(["", *name.split(".", 1), *filter(None, [partition, last])])
    # What ends in .json asks for JSON.
    return f"{path.removesuffix('.json')}%2Ejson" if path.endswith(".json") else path
