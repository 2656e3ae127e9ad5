"""What a model's build key knows of the columns that it reads."""

import hashlib
import json
from collections.abc import Iterable

from lake.schema.join import spell
from lake.schema.reconcile import Reconciled


def fingerprint(reconciled: Reconciled, names: Iterable[str] | None = None) -> str:
    """Return a hash of name, type and rule of these columns, in the view's order; None: of all.

    A name that the view does not have counts too: a model that asks for it sees another result
    once it is there.
    """
    wanted = None if names is None else {spell(name) for name in names}
    chosen = [c for c in reconciled.columns if wanted is None or spell(c.name) in wanted]
    absent = sorted((wanted or set()) - {spell(c.name) for c in chosen})
    text = json.dumps([[[c.name, c.type, c.rule] for c in chosen], absent])
    return hashlib.sha256(text.encode()).hexdigest()
