"""The SELECT of a dataset's view, made from the catalog alone: no file is opened to plan it.

Files that have the same columns, under the same names, are read by one `read_parquet`, which is led
by a file without rows whose types the reader casts all others to (`lake/schema/schema_file.py`).
What the reader does not cast exactly is read as it is and cast in the SELECT. Between such groups
stands a plain UNION ALL.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lake import layout
from lake.catalog.entries import Schema
from lake.query.sql import file_list, identifier, literal
from lake.schema.cast import convert, null, reader_casts
from lake.schema.reconcile import FileColumn, Reconciled, ViewColumn
from lake.schema.schema_file import has_parquet, schema_parquet
from lake.schema.types import Type, parse


@dataclass(frozen=True, slots=True)
class ViewFile:
    """A file of the view: where DuckDB reads it, and the id of its schema."""

    url: str
    schema_id: str


@dataclass(frozen=True, slots=True)
class Shape:
    """How files of some schemas are read: the columns asked of them, and what is selected.

    `lead` are the columns (name, type) of the file that leads; it is empty where a type has no
    equivalent in Parquet, and then `exact` tells schemas apart by all their columns.
    """

    lead: tuple[tuple[str, str], ...]
    selected: tuple[str, ...]
    exact: Schema = ()

    @property
    def names(self) -> frozenset[str]:
        """The names of the columns that are read, in lower case."""
        return frozenset(_lower(name) for name, _ in self.lead) | {
            _lower(column.name) for column in self.exact
        }


@dataclass(frozen=True, slots=True)
class Group:
    """Files of one shape, and the SHA-256 of the file that leads them, if one does."""

    shape: Shape
    leader: str
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """A view, planned; `select` gives its SQL.

    `schema_files` are the files that lead, by SHA-256: they must lie at `layout.schema(sha256)`
    before the view is used.
    """

    dataset: str
    columns: tuple[ViewColumn, ...]
    partition_keys: tuple[str, ...]
    groups: tuple[Group, ...]
    schema_files: Mapping[str, bytes]

    def select(self, url_of: Callable[[str], str], *, with_origin: bool = False) -> str:
        """Return the view's SELECT; `url_of` tells where DuckDB reads the key of a schema file.

        `with_origin` adds where each row lies: `_url`, and `_row`, its number there from 1.
        """
        if not self.groups:
            return _nothing(self.columns, with_origin=with_origin)
        return "\nUNION ALL\n".join(
            self._read(group, url_of, with_origin=with_origin) for group in self.groups
        )

    def _read(self, group: Group, url_of: Callable[[str], str], *, with_origin: bool) -> str:
        lead = [url_of(layout.schema(group.leader))] if group.leader else []
        arguments = [file_list([*lead, *group.urls])]
        selected = list(group.shape.selected)
        if self.partition_keys or with_origin:
            option = _filename_option(group.shape)
            arguments.append(f"filename={'true' if option == 'filename' else literal(option)}")
            if self.partition_keys:
                selected += self._partition_columns(option, encodings=_encodings(group.urls))
        if with_origin:
            arguments.append("file_row_number=true")
            selected += [f"{identifier(option)} AS _url", "file_row_number + 1 AS _row"]
        arguments.append("hive_partitioning=false")
        return f"SELECT {', '.join(selected)}\nFROM read_parquet({', '.join(arguments)})"

    def _partition_columns(self, filename: str, *, encodings: int) -> list[str]:
        types = {column.name: column.type for column in self.columns}
        # Anchored at the end: the lake's own path may look like a partition.
        pattern = "".join(f"/{key}=([^/]*)" for key in self.partition_keys)
        pattern += "/version=[^/]*/[^/]*$"
        columns = []
        for number, key in enumerate(self.partition_keys, 1):
            value = f"regexp_extract({identifier(filename)}, {literal(pattern)}, {number})"
            value = "url_decode(" * encodings + value + ")" * encodings
            if types[key] != "VARCHAR":
                value = f"TRY_CAST({value} AS {types[key]})"
            columns.append(f"{value} AS {identifier(key)}")
        return columns


def plan_view(
    dataset: str,
    files: Sequence[ViewFile],
    schemas: Mapping[str, Schema],
    reconciled: Reconciled,
    partition_keys: Sequence[str] = (),
) -> ViewPlan:
    """Plan the view of `dataset` over `files`.

    Without files it has the right columns and no rows. The order of `files` decides nothing but
    the order in which rows come.

    Args:
        dataset: such as `raw.green_trips`.
        files: the current files.
        schemas: at least those of `files`, by id.
        reconciled: what `reconcile` made of them, with the same `partition_keys`.
        partition_keys: in the order in which they lie in the keys.
    """
    ids = dict.fromkeys(file.schema_id for file in files)
    shapes = {sid: _shape(reconciled, sid, schemas[sid]) for sid in ids}
    urls: dict[Shape, list[str]] = {}
    for file in files:
        urls.setdefault(shapes[file.schema_id], []).append(file.url)
    leaders = {shape: _leader(shape) for shape in urls}
    return ViewPlan(
        layout.dataset(dataset),
        reconciled.columns,
        tuple(partition_keys),
        tuple(Group(shape, _sha256(leaders[shape]), tuple(found)) for shape, found in urls.items()),
        {_sha256(data): data for data in leaders.values() if data},
    )


def schema_files(reconciled: Reconciled) -> dict[str, bytes]:
    """Return the files, by SHA-256, that lead a view over files of any of the reconciled schemas.

    Whoever changes the set of a dataset's schemas stores them before the commit.
    """
    ids = dict.fromkeys(sid for column in reconciled.columns for sid in column.parts)
    leaders = [_leader(_shape(reconciled, sid)) for sid in ids]
    return {_sha256(data): data for data in leaders if data}


def _leader(shape: Shape) -> bytes:
    return schema_parquet(shape.lead) if shape.lead else b""


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() if data else ""


def _shape(reconciled: Reconciled, schema_id: str, schema: Schema = ()) -> Shape:
    """Return how files of one schema are read: equal shapes are read together."""
    columns = [column for column in reconciled.columns if column.parts]
    reads = [_read_column(column, column.parts[schema_id]) for column in columns]
    lead = tuple((name, str(dtype)) for name, dtype, _ in reads if name)
    selected = tuple(sql for _, _, sql in reads)
    if lead and all(has_parquet(dtype) for name, dtype, _ in reads if name):
        return Shape(lead, selected)
    exact = tuple(_as_it_is(column, column.parts[schema_id]) for column in columns)
    return Shape((), exact, schema)


def _read_column(column: ViewColumn, part: FileColumn | None) -> tuple[str, Type, str]:
    """Return the name and type that the reader is asked for (or no name), and what is selected."""
    target = parse(column.type)
    if part is None:
        return "", target, _named(null(target), column)
    source = parse(part.type)
    # The reader knows ASCII's lower and upper case as one.
    name = column.name if _lower(part.name) == _lower(column.name) else _lower(part.name)
    if reader_casts(source, target):
        same = name == column.name
        return name, target, identifier(name) if same else _named(identifier(name), column)
    if part.null and source.kind != target.kind:
        return "", target, _named(null(target), column)
    return name, source, _named(convert(identifier(name), source, target), column)


def _as_it_is(column: ViewColumn, part: FileColumn | None) -> str:
    target = parse(column.type)
    value = null(target)
    if part is not None:
        value = convert(identifier(part.name), parse(part.type), target)
    return _named(value, column)


def _named(value: str, column: ViewColumn) -> str:
    return f"{value} AS {identifier(column.name)}"


def _lower(name: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in name)


def _encodings(urls: Sequence[str]) -> int:
    """Return how often partition values are percent-encoded: once in a key, again in HTTP's URLs.

    DuckDB 1.0 has no `url_decode`, so it is not asked where nothing is.
    """
    if not any("%" in url for url in urls):
        return 0
    return 2 if urls[0].startswith(("http://", "https://")) else 1


def _filename_option(shape: Shape) -> str:
    """Return the name under which the reader gives the file's name: `filename` if it is free.

    Only under that name DuckDB skips files by it.
    """
    name = "filename"
    while name in shape.names:
        name = f"_{name}"
    return name


def _nothing(columns: Sequence[ViewColumn], *, with_origin: bool) -> str:
    selected = [_named(null(parse(column.type)), column) for column in columns]
    if with_origin:
        selected += ["NULL::VARCHAR AS _url", "NULL::BIGINT AS _row"]
    return f"SELECT {', '.join(selected) or 'NULL AS nothing'} WHERE false"
