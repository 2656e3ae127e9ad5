import re
from pathlib import Path

import pytest

from lake.errors import InvalidConfig
from lake.postgres_server import parse_server
from lake.warehouse.duckdb import DuckDBWarehouse
from lake.warehouse.duckdb_file import DuckDBFile
from lake.warehouse.url import parse


def test_three_slashes_are_relative_to_the_root() -> None:
    file = DuckDBFile("duckdb:///a/b.duckdb", Path("/lake/a/b.duckdb"))
    assert parse(file.url, root=Path("/lake")) == DuckDBWarehouse(file)


def test_four_slashes_are_absolute() -> None:
    file = DuckDBFile("duckdb:////abs/b.duckdb", Path("/abs/b.duckdb"))
    assert parse(file.url, root=Path("/lake")) == DuckDBWarehouse(file)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "w.duckdb",
            "warehouse 'w.duckdb' is no URL: write duckdb:///FILE.duckdb,"
            " postgresql://USER@HOST/DATABASE or bigquery://PROJECT/DATASET",
        ),
        (
            "mysql://me:se/cret@db/taxi?password=secret",
            "a warehouse of the kind 'mysql' is unknown to this version, which loads into DuckDB"
            " files, PostgreSQL and BigQuery: write duckdb:///FILE.duckdb,"
            " postgresql://USER@HOST/DATABASE or bigquery://PROJECT/DATASET",
        ),
        (
            "postgresql://me:secret@db",
            "the warehouse: its postgresql:// URL names no database: write"
            " postgresql://USER@HOST/DATABASE",
        ),
        (
            "postgresql://me:secret@db/x?sslmod=require",
            "the warehouse, postgresql://db/x: libpq knows no parameter 'sslmod': take it out of"
            " the URL",
        ),
        (
            "postgresql://me:p@s/s?ecret@host",
            "the warehouse, postgresql://s/s: libpq knows no parameter of such a name: take it out"
            " of the URL",
        ),
        (
            "duckdb://w.duckdb",
            "warehouse 'duckdb://w.duckdb' names a host, and DuckDB has none: write three slashes"
            " before a relative path and four before an absolute one, as in duckdb:///FILE.duckdb",
        ),
        (
            "duckdb:///",
            "warehouse 'duckdb:///' names no file: write duckdb:///FILE.duckdb, without parameters",
        ),
        (
            "duckdb:///:memory:",
            "warehouse 'duckdb:///:memory:' names no file: write duckdb:///FILE.duckdb, without"
            " parameters",
        ),
    ],
)
def test_a_url_that_names_no_file_is_refused(url: str, message: str) -> None:
    with pytest.raises(InvalidConfig, match=f"^{re.escape(message)}$"):
        parse(url, root=Path("/lake"))


@pytest.mark.parametrize(
    ("url", "shown", "settings"),
    [
        (
            "postgresql://ada:s%40c@db:5433/taxi?sslmode=require",
            "postgresql://db:5433/taxi",
            {"user": "ada", "password": "s@c", "host": "db", "port": "5433", "dbname": "taxi"},
        ),
        (
            "postgresql+psycopg2://ada:se/cr?t@x#@db/taxi?application_name=a@b",
            "postgresql://db/taxi",
            {"password": "se/cr?t@x#", "host": "db", "application_name": "a@b"},
        ),
        ("postgres:///taxi", "postgresql:///taxi", {"dbname": "taxi"}),
        (
            "postgresql://ada:pw@db/shop?sslrootcert=/etc/me@corp/ca.pem&ssl=true&password=a+b",
            "postgresql://db/shop",
            {"host": "db", "sslrootcert": "/etc/me@corp/ca.pem", "sslmode": "require"},
        ),
        ("postgresql://db/shop?password=a+b", "postgresql://db/shop", {"password": "a+b"}),
        (
            "postgresql://a,[::1]:5434/taxi",
            "postgresql://a,[::1]:5434/taxi",
            {"host": "a,::1", "port": ",5434"},
        ),
    ],
)
def test_a_url_of_postgresql_is_read_and_shown_without_its_secrets(
    url: str, shown: str, settings: dict[str, str]
) -> None:
    server = parse_server(url, whose="it")
    assert server.url == shown
    assert server.settings.items() >= settings.items()
    assert "secret" not in repr(server)
