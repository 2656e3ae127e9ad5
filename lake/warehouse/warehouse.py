"""What a warehouse is to a load: the contract that each kind keeps.

A kind is a module with a class that is a `Warehouse`, its scheme in `url.py`, and a fixture in
`tests/warehouse/conftest.py`: one suite runs over all of them. What a load does is said once, in
`transaction.py`, in the SQL that they share; BigQuery, whose transactions are scripts that nobody
can look into, says it in a script of its own.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from lake.warehouse.ledger import PartitionLoad, TableLoad, TableLoaded

if TYPE_CHECKING:
    from lake.warehouse.reconcile import Reconciled

Rows: TypeAlias = list[tuple[Any, ...]]
Hook: TypeAlias = Callable[[str], None]
"""Called with every statement, before it and after it."""


class Ledger(Protocol):
    """A warehouse that is open to be looked at."""

    @property
    def home(self) -> str:
        """The ledger's schema, quoted, with its dot."""

    def run(self, statement: str) -> Rows:
        """Return the rows of one query."""

    def columns(self, schema: str, table: str) -> list[str]:
        """Return the names of a table's columns; none if there is no such table.

        The schema `""` is the default one.
        """

    def count(self, schema: str, table: str) -> int:
        """Return how many rows a table has."""


class Source(Protocol):
    """What is published, on its way into one table of a warehouse."""

    @property
    def load(self) -> TableLoad:
        """What the table is to hold."""

    @property
    def warehouse(self) -> str:
        """The warehouse's URL, as it may be written down."""

    @property
    def given(self) -> Mapping[str, str]:
        """The load's columns, with their types as the warehouse spells them."""

    def read(self, query: str) -> Rows:
        """Return the rows of a DuckDB query over published files."""


class Table(Source, Protocol):
    """One table of a warehouse, within the transaction that changes it."""

    @property
    def home(self) -> str:
        """The ledger's schema, quoted, with its dot."""

    @property
    def name(self) -> str:
        """The table's name, qualified and quoted."""

    def run(self, statement: str) -> Rows:
        """Run one statement in the warehouse, between two calls of the hook."""

    @property
    def overriding(self) -> str:
        """What an INSERT says behind its columns, so that all of them take what is published."""

    def columns(self) -> dict[str, str]:
        """Return the table's columns, as they are written there, and their types, in order."""

    def make_schema(self) -> None:
        """Make the table's schema where it is not there."""

    def guard(self) -> None:
        """Keep other writers out of the table until the end of the transaction."""

    def widened(self, column: str, *, held: str) -> str:
        """Return the type that a column of the type `held` must get; itself if it may stay.

        Raises:
            LoadRefused: the column cannot take what is published, as it is or widened.
        """

    def widen(self, column: str, type_: str) -> None:
        """Give a column, as it is written there, the type that `widened` returned.

        Raises:
            LoadRefused: something of somebody's stands on the column as it is.
        """

    def delete(self, condition: str) -> None:
        """Take rows out of the table.

        Raises:
            LoadRefused: rows of other tables, which refer to them, would be changed by that.
        """

    def counted(self) -> tuple[int, int]:
        """Return how many rows the table has, and of how many it is known that no load wrote them.

        Where that cannot be told, of none.
        """

    def sign(self) -> None:
        """Note that what this transaction writes into the table is a load's."""

    def adopt(self) -> None:
        """Note that what is in the table now is a load's, whoever wrote it."""

    def fill(
        self,
        partitions: Iterable[PartitionLoad],
        *,
        into: str,
        types: Mapping[str, str],
        is_new: bool,
    ) -> list[int]:
        """Add partitions' rows to `into`, a table with these columns; return how many came of each.

        A table `is_new` if this transaction made it, so that nobody else has seen it. The next
        partition may be asked for, from another thread, while rows of one are on the way.
        """


class Warehouse(Protocol):
    """A place that tables are loaded into."""

    @property
    def url(self) -> str:
        """How its owner named it, without what may be a secret."""

    def bring(self, load: TableLoad, *, hook: Hook, memory_limit: str | None) -> TableLoaded:
        """Make a table hold what its load says, in one transaction; an error undoes it all.

        The ledger is made if it is not there. What goes wrong inside is told in one line. Where a
        transaction can be looked into, this is `transaction.bring` over a `Table`.
        """

    def reconcile(self, load: TableLoad, *, mend: bool, hook: Hook) -> "Reconciled":
        """Compare a table with what was published; mend it in one transaction, or change nothing.

        Where a transaction can be looked into, this is `reconcile.reconcile_in` over a `Table`.
        """

    def reading(self) -> AbstractContextManager[Ledger | None]:
        """Open the warehouse to look at its ledger; None if there is none. Nothing is changed."""
