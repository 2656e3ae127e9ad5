"""A warehouse's URL: which kind it is, and where.

`duckdb:///rel.duckdb` lies in the folder of `lake.toml`, `duckdb:////abs/f.duckdb` where it says,
as in SQLAlchemy; so does `postgresql://user@host:5432/database`, whatever driver it names.
`bigquery://project/dataset?location=EU` has no user: credentials are Google's default ones.
"""

from pathlib import Path

from lake.errors import InvalidConfig, MissingExtra
from lake.warehouse.duckdb import DuckDBWarehouse
from lake.warehouse.duckdb_file import DuckDBFile
from lake.warehouse.warehouse import Warehouse

_POSTGRES = ("postgresql", "postgres")
_WRITE = (
    "write duckdb:///FILE.duckdb, postgresql://USER@HOST/DATABASE or bigquery://PROJECT/DATASET"
)


def parse(url: str, *, root: Path) -> Warehouse:
    """Return the warehouse that `url` names; a relative path starts at `root`.

    Raises:
        InvalidConfig: it names none, or a kind that this version cannot load into.
        MissingExtra: its kind needs a package that is not installed.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or not scheme:
        raise InvalidConfig(f"warehouse {url.partition('?')[0]!r} is no URL: {_WRITE}")
    if scheme == "duckdb":
        return DuckDBWarehouse(DuckDBFile(url, root / _file(url, rest)))
    if scheme.partition("+")[0] in _POSTGRES:
        return _postgres(url)
    if scheme == "bigquery":
        return _bigquery(url)
    raise InvalidConfig(
        f"a warehouse of the kind {scheme!r} is unknown to this version, which loads into DuckDB"
        f" files, PostgreSQL and BigQuery: {_WRITE}"
    )


def _postgres(url: str) -> Warehouse:
    try:
        from lake.warehouse import postgres
    except ImportError as exc:
        if exc.name != "psycopg":
            raise
        raise MissingExtra(
            "a warehouse in PostgreSQL needs psycopg, which is not installed: pip install"
            " 'clearlake[postgres]'"
        ) from exc
    return postgres.parse(url)


def _bigquery(url: str) -> Warehouse:
    try:
        from lake.warehouse import bigquery
    except ImportError as exc:
        if not (exc.name or "").startswith("google"):
            raise
        raise MissingExtra(
            "a warehouse in BigQuery needs google-cloud-bigquery, which is not installed: pip"
            " install 'clearlake[bigquery]'"
        ) from exc
    return bigquery.parse(url)


def _file(url: str, rest: str) -> str:
    if not rest.startswith("/"):
        raise InvalidConfig(
            f"warehouse {url!r} names a host, and DuckDB has none: write three slashes before a"
            " relative path and four before an absolute one, as in duckdb:///FILE.duckdb"
        )
    name = rest[1:]
    if not name.strip("/") or name.startswith(":memory:") or "?" in name or "\0" in name:
        raise InvalidConfig(
            f"warehouse {url!r} names no file: write duckdb:///FILE.duckdb, without parameters"
        )
    return name
