"""Who wrote a table's rows: what shows a change by hand that no count shows.

Every row of PostgreSQL carries the number of the transaction that wrote it, its `xmin`. Those of
loads are kept in `_lake_writers`, a row for each table and transaction. VACUUM, CLUSTER and a
physical copy keep the numbers; a dump that is restored, or a type that is changed, has others.
"""

from lake.query.sql import literal
from lake.warehouse.ledger import WRITERS
from lake.warehouse.warehouse import Table

_MOST = 1000
"""Transactions of one table; where there are more, those that left no row are forgotten."""
# Its number as rows carry it, in which it begins anew after 2^32.
_THIS = "txid_current() % 4294967296"


def create(home: str) -> str:
    """Return the statement that makes the table where it is not there."""
    return (
        f"CREATE TABLE IF NOT EXISTS {home}{WRITERS} (table_name VARCHAR NOT NULL,"
        " transaction BIGINT NOT NULL, PRIMARY KEY (table_name, transaction))"
    )


def counted(table: Table) -> tuple[int, int]:
    """Return how many rows a table has, and how many of them no load wrote.

    A table of which no writer is known was loaded before such were kept: its rows are a load's.
    """
    known = table.run(
        f"SELECT transaction, {_THIS} FROM {table.home}{WRITERS} WHERE table_name = {_name(table)}"
    )
    if not known:
        adopt(table)
        return table.run(f"SELECT count(*) FROM {table.name}")[0][0], 0
    numbers = ",".join(map(str, {number for row in known for number in row}))
    # A list that is written out is hashed; one that is selected is gone through for each row.
    ours = f"xmin = ANY ('{{{numbers}}}'::xid[])"
    total, own = table.run(f"SELECT count(*), count(*) FILTER (WHERE {ours}) FROM {table.name}")[0]
    if total == own and len(known) > _MOST:
        adopt(table)
    return total, total - own


def sign(table: Table) -> None:
    """Note this transaction as one that writes rows of a load."""
    table.run(
        f"INSERT INTO {table.home}{WRITERS} VALUES ({_name(table)}, {_THIS}) ON CONFLICT DO NOTHING"
    )


def adopt(table: Table) -> None:
    """Note all transactions that wrote what is in the table now, and forget all others."""
    table.run(f"DELETE FROM {table.home}{WRITERS} WHERE table_name = {_name(table)}")
    table.run(
        f"INSERT INTO {table.home}{WRITERS}"
        f" SELECT DISTINCT {_name(table)}, xmin::text::bigint FROM {table.name}"
    )


def _name(table: Table) -> str:
    return literal(table.load.table)
