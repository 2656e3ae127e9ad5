"""One model's file, read: `models/NAME.sql` is the model of `curated.NAME`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lake import layout
from lake.errors import InvalidName, ModelInvalid
from lake.models.checks import Check
from lake.models.determinism import refuse_chance
from lake.models.header import parse_header
from lake.models.reads import Reads
from lake.models.syntax import Statement, statement


@dataclass(frozen=True, slots=True)
class Model:
    """A model as its file says it. Nothing here has looked at a lake yet.

    `reads` has the keys as they were written; `lake.models.inputs` finds what they name.
    """

    name: str
    path: str
    text: str
    select: Statement = field(repr=False)
    description: str = ""
    owner: str = ""
    partition_by: tuple[str, ...] = ()
    reads: Mapping[str, Reads] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()

    @property
    def dataset(self) -> str:
        """The dataset that it makes."""
        return f"curated.{self.name}"

    @property
    def sql(self) -> str:
        """The SELECT as it was written, without header, semicolon and trailing comments."""
        return self.select.sql


def parse_model(text: str, *, name: str, path: str) -> Model:
    """Read a model's file.

    A file without a header is legal: it is built whole, unchecked, and cannot be loaded before it
    has a description and an owner.

    Args:
        text: the whole file.
        name: the file's stem; the dataset is `curated.NAME`.
        path: how messages name the file, such as `models/daily_revenue.sql`.

    Raises:
        ModelInvalid: the name, the header or the SELECT is wrong; `PATH:LINE:COL: …`.
    """
    text = text.removeprefix("\ufeff")
    try:
        layout.dataset(f"curated.{name}")
    except InvalidName as exc:
        raise ModelInvalid(f"{path}: a model's file is named like its dataset; {exc}") from exc
    header = parse_header(text, path=path)
    select = statement(text, path=path)
    refuse_chance(select)
    return Model(
        name,
        path,
        text,
        select,
        header.description,
        header.owner,
        header.partition_by,
        header.reads,
        header.checks,
    )
