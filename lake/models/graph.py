"""The graph of models: what is built before what, and what hangs on what.

`reads` maps each model's dataset (`curated.x`) to the datasets that it reads.
"""

from collections.abc import Collection, Mapping

from lake.errors import ModelInvalid


def order(reads: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Return the models, each after those that it reads; otherwise in the order of their names.

    Raises:
        ModelInvalid: they go round in a circle, which is named: `a → b → a`.
    """
    waiting = {name: {item for item in reads[name] if item in reads} for name in sorted(reads)}
    done: list[str] = []
    while waiting:
        ready = next((name for name, before in waiting.items() if not before), None)
        if ready is None:
            raise _circle(waiting)
        del waiting[ready]
        for before in waiting.values():
            before.discard(ready)
        done.append(ready)
    return tuple(done)


def _circle(waiting: Mapping[str, Collection[str]]) -> ModelInvalid:
    path = [min(waiting)]
    while path[-1] not in path[:-1]:
        path.append(min(waiting[path[-1]]))
    circle = path[path.index(path[-1]) :]
    return ModelInvalid(
        f"the models read each other in a circle: {' → '.join(circle)}; break it at one of them"
    )


def upstream(reads: Mapping[str, Collection[str]], names: Collection[str]) -> frozenset[str]:
    """Return the models that `names` hang on, at any distance; not `names` themselves."""
    return _reached({name: set(items) & reads.keys() for name, items in reads.items()}, names)


def _reached(edges: Mapping[str, Collection[str]], names: Collection[str]) -> frozenset[str]:
    found: set[str] = set()
    new = set(names)
    while new:
        new = {item for name in new for item in edges.get(name, ())} - found
        found |= new
    return frozenset(found - set(names))
