"""What the lake's declarations say of a dataset."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from lake.catalog.state import State
from lake.errors import ModelInvalid


@dataclass(frozen=True, slots=True)
class Description:
    """A dataset in a person's words; `columns` are those of its columns, by name."""

    description: str = ""
    owner: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


def described(state: State, dataset: str) -> Description:
    """Return a dataset's description and owner, as its source or model was declared last."""
    zone, _, name = dataset.partition(".")
    if zone == "curated":
        return _of_model(state.declared("model").get(name, ""), name)
    text = state.declared("source").get(name, "")
    values = json.loads(text) if text else {}
    return Description(values.get("description", ""), values.get("owner", ""))


def _of_model(text: str, name: str) -> Description:
    if not text:
        return Description()
    from lake.models.header import parse_header

    try:
        header = parse_header(text, path=f"models/{name}.sql")
    except ModelInvalid:
        return Description()  # another version of the lake took it; it describes nothing here
    return Description(header.description, header.owner, header.columns)
