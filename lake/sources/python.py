"""Python as a source: a generator, a data frame, an Arrow table, records."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, overload

from lake.errors import InvalidName, LakeError, SourceIncomplete, SourceUnreadable
from lake.sources.copy import Fetched

__all__ = ["PythonSource", "from_dlt", "is_given", "source", "write_given"]

_NOT_IN_NAMES = re.compile(r"[^a-z0-9_]+")
_ARROW = ("Table", "RecordBatch", "RecordBatchReader")


@dataclass(frozen=True, slots=True)
class PythonSource:
    """A function that gives records, Arrow tables or data frames; made by `lake.source`.

    Calling it binds the function's arguments and runs nothing: `orders(since="2024-01-01")` is
    the same source, to be landed with these arguments. It runs anew with each landing.

    Attributes:
        name: what messages call it.
        make: the function.
        dataset: what it lands into, such as `raw.orders`.
        partition: of the dataset, by key; empty for none.
        key: columns whose values tell what is the same thing in several versions.
        args, kwargs: the arguments that are bound.
    """

    name: str
    make: Callable[..., Iterable[Any]]
    dataset: str
    partition: Mapping[str, str] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, *args: Any, **kwargs: Any) -> "PythonSource":
        """Return this source with these arguments bound."""
        return replace(self, args=args, kwargs=kwargs)

    def __iter__(self) -> Iterator[Any]:
        """Run the function, and give what it yields, or the one table that it returns."""
        made = self.make(*self.args, **self.kwargs)
        yield from made if kind_of(made) == "records" else [made]


@overload
def source(make: Callable[..., Iterable[Any]], /) -> PythonSource: ...


@overload
def source(
    *, dataset: str = "", partition: Mapping[str, str] | None = None, key: str | Iterable[str] = ()
) -> Callable[[Callable[..., Iterable[Any]]], PythonSource]: ...


def source(
    make: Callable[..., Iterable[Any]] | None = None,
    /,
    *,
    dataset: str = "",
    partition: Mapping[str, str] | None = None,
    key: str | Iterable[str] = (),
) -> PythonSource | Callable[[Callable[..., Iterable[Any]]], PythonSource]:
    """Make a generator function a source: `@lake.source`, or `@lake.source(dataset="raw.x")`.

    The function yields dicts or lists of them, or Arrow tables or batches, or pandas frames; dicts
    and tables in one run are refused. If it raises, nothing is published.

    Args:
        make: the function.
        dataset: `raw.` and the function's name if it is not given.
        partition: of the dataset, such as `{"month": "2024-01"}`.
        key: columns whose values tell what is the same thing in several versions.
    """

    def decorate(make: Callable[..., Iterable[Any]]) -> PythonSource:
        name = make.__name__
        keys = (key,) if isinstance(key, str) else tuple(key)
        return PythonSource(name, make, dataset or f"raw.{name}", dict(partition or {}), keys)

    return decorate if make is None else decorate(make)


def from_dlt(resource: Any, *, dataset: str = "") -> PythonSource:
    """Make a dlt resource a source: its items land as they come, without dlt's own normalising.

    Args:
        resource: a `DltResource`, or whatever else has a name and can be iterated.
        dataset: `raw.` and the resource's name if it is not given.

    Raises:
        InvalidName: it is no resource.
    """
    name = getattr(resource, "name", "")
    if not isinstance(name, str) or not name or not isinstance(resource, Iterable):
        raise InvalidName(
            f"a {type(resource).__name__} is no dlt resource: give one that @dlt.resource made"
        )
    called = _NOT_IN_NAMES.sub("_", name.lower()).strip("_")
    return PythonSource(name, lambda: resource, dataset or f"raw.{called}")


def is_given(data: object) -> bool:
    """Tell whether `data` are rows, not a path, a URL or a stream of bytes that holds them."""
    if isinstance(data, (str, bytes, Path)) or hasattr(data, "readinto"):
        return False
    if isinstance(data, PythonSource) or kind_of(data) != "records":
        return True
    return isinstance(data, Iterable) and not isinstance(data, Mapping)


def kind_of(data: object) -> str:
    """Return `pandas`, `duckdb` or `arrow` for a table of that library, else `records`."""
    # What was never imported made no object either; importing it here would cost a second.
    pandas, duckdb, pyarrow = (sys.modules.get(name) for name in ("pandas", "duckdb", "pyarrow"))
    if pandas and isinstance(data, pandas.DataFrame):
        return "pandas"
    if duckdb and isinstance(data, duckdb.DuckDBPyRelation):
        return "duckdb"
    if pyarrow and isinstance(data, tuple(getattr(pyarrow, name) for name in _ARROW)):
        return "arrow"
    return "arrow" if hasattr(data, "__arrow_c_stream__") else "records"


def write_given(data: Any, to: Path, *, name: str) -> Fetched:
    """Write what Python gave to the new file `to`, as one Parquet: that is what lands.

    The same rows in the same order give the same bytes. Records are typed without loss over all of
    them; tables keep their types. Of a pandas frame NaN and NaT are NULL, as pandas means them; a
    numbered index is left out, a named one is kept as columns. Memory is bounded by the chunk.
    Nothing is left at `to` when an error is raised.

    Raises:
        SourceUnreadable: the source raised an error of its own, or gave what no column can hold.
        SourceIncomplete: it lost its connection. Safe to retry.
    """
    from lake.sources.python_write import write_rows  # it loads pyarrow

    return write_rows(data, to, name=data.name if isinstance(data, PythonSource) else name)


class Watched:
    """What a source gives, counted; an error of the source's own is told with that count.

    An error of whoever takes the items is none of the source's and passes.
    """

    def __init__(self, items: Iterable[Any], name: str) -> None:
        self.count = 0
        self._items, self._name = items, name

    def __iter__(self) -> Iterator[Any]:
        """Give the items; `count` is how many rows came."""
        with self:
            for item in self._items:
                yield item
                self.count += _rows_of(item)

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(error, (Exception, SystemExit)) or isinstance(error, LakeError):
            return
        is_lost = isinstance(error, (ConnectionError, TimeoutError))
        raised = SourceIncomplete if is_lost else SourceUnreadable
        failed = f"{self._name} failed at record {self.count + 1:,}: {type(error).__name__}"
        said = "".join(f": {line}" for line in str(error).strip().splitlines()[:1])
        public = f"{failed}; nothing was published"
        raise raised(f"{failed}{said}; nothing was published").told_as(public) from error


def _rows_of(item: Any) -> int:
    if isinstance(item, Mapping):
        return 1
    rows = getattr(item, "num_rows", None)
    return int(rows) if rows is not None else len(item) if isinstance(item, Sized) else 1
