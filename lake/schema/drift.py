"""A column of a view that has another type than before: an event, for it may break a reader."""

from lake.catalog.entries import Note
from lake.schema.join import spell
from lake.schema.reconcile import Reconciled


def drifted(dataset: str, partition: str, before: Reconciled, after: Reconciled) -> list[Note]:
    """Return a note for each column of a dataset whose type is another than before.

    Its `data` are `column`, `was`, `is` and `rule`. A column that is new or gone is none: whoever
    names the columns that he reads does not notice it.
    """
    types = {spell(column.name): column.type for column in before.columns}
    return [
        Note(
            "drift",
            dataset,
            partition,
            f"column {column.name!r} is {column.type} now, and was {types[spell(column.name)]}",
            {
                "column": column.name,
                "was": types[spell(column.name)],
                "is": column.type,
                "rule": column.rule,
            },
        )
        for column in after.columns
        if types.get(spell(column.name), column.type) != column.type
    ]
