"""What is landed, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lake import layout
from lake.catalog.entries import File, Landed, Schema
from lake.config.types import AS_IT_COMES, Database, Reading
from lake.errors import InvalidName

Outcome = Literal["landed", "unchanged", "held", "not yet", "gone"]


@dataclass(frozen=True, slots=True)
class Order:
    """One partition to land: where it goes and where its bytes are.

    Attributes:
        names: of objects, what each of `urls` is called; none where one place was named, which is
            called as it says itself, and may be an archive of objects.
        may_be_missing: the source may not have it yet, which is no error.
        given: a person named just this place, so that finding nothing there is one, whatever the
            lake holds.
        database: rows of which are asked for; `urls` then says so to people.
        is_again: it is what the lake holds back, looked at again; dropped once anything newer came.
    """

    dataset: str
    partition: str
    urls: tuple[str, ...]
    names: tuple[str, ...] = ()
    reading: Reading = AS_IT_COMES
    may_be_missing: bool = False
    given: bool = False
    is_again: bool = False
    database: Database | None = None

    @property
    def name(self) -> str:
        """How messages name it."""
        return address(self.dataset, self.partition)

    @property
    def is_of_objects(self) -> bool:
        """Tell whether what it brings are no tables."""
        return self.reading.format in ("objects", "urls")


@dataclass(frozen=True, slots=True)
class Staged:
    """A version whose bytes are in the bucket and that nobody sees yet.

    Attributes:
        seen: how many versions the partition had when its source was asked.
        flaw: why it cannot become current whatever the others hold; `""` for none.
        schemas: the schemas of its files, by id.
    """

    dataset: str
    partition: str
    seen: int
    content: str
    files: tuple[File, ...]
    landed: Landed
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class Landing:
    """What landing one partition came to.

    Attributes:
        version: the partition's newest version, after it.
        commit: in which it was published; None where nothing was.
        note: why it was held, or since when it is.
    """

    dataset: str
    partition: str
    outcome: Outcome
    version: int = 0
    rows: int = 0
    rejected: int = 0
    bytes: int = 0
    commit: int | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """How messages name it."""
        return address(self.dataset, self.partition)


def address(dataset: str, partition: str) -> str:
    """Return `raw.trips/month=2024-01`."""
    return f"{dataset}/{partition}" if partition else dataset


def check(order: Order) -> Order:
    """Return `order` if its names are ones.

    Raises:
        InvalidName: they are not.
    """
    if not layout.dataset(order.dataset).startswith("raw."):
        name = order.dataset.partition(".")[2]
        raise InvalidName(f"{order.dataset} is for what models make: land into raw.{name}")
    layout.partition(layout.partition_values(order.partition))
    return order
