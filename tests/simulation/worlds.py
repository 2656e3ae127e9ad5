"""The worlds that are searched: few processes, and all that may happen to them."""

from collections.abc import Callable

from lake import layout
from tests.simulation import jobs
from tests.simulation.scheduler import World

Objects = dict[str, bytes]

LAND = "land", jobs.landing()
APPEND = "append", jobs.appending
COMPACT = "compact", jobs.compacting
TRANSFORM = "transform", jobs.transforming
CREATE = "create", jobs.create
CHECKPOINT = "checkpoint", jobs.checkpointing
READ = "read", jobs.reading
CSV = "land", jobs.landing(end="csv")
TAGGED = "land", jobs.landing(conditional=True)

ROLLBACK = "rollback", jobs.rolling_back
COLLECT = "collect", jobs.collecting
DRIFT = "land", jobs.landing("raw.d", "p=2", kind="float64")

P0 = (CREATE, ("raw.p", "v0"), LAND, ("raw.p", "v1"))
A0 = (CREATE, ("raw.a", "1"), APPEND, ("raw.a", "2"), APPEND)
A1 = (*A0, ("raw.a", "3"))
T0 = (CREATE, ("raw.p", "v0"), TAGGED, ("raw.p", "v1"))
H0 = (CREATE, ("raw.p", "v0"), LAND, CHECKPOINT, ("raw.p", "v1"))
P1 = (*P0, LAND)
C1 = (CREATE, ("raw.p", "v0"), CSV, ("raw.p", "v1"), CSV, ("raw.p", "v2"))
D0 = (
    CREATE,
    ("raw.dp=1", "v1"),
    ("land", jobs.landing("raw.d", "p=1")),
    ("raw.dp=2", "v1"),
)
V2 = (("raw.p", "v2"),)


def without(number: int) -> Callable[[Objects], Objects]:
    """Lose an entry of the log."""
    key = layout.commit(number)
    return lambda objects: {k: v for k, v in objects.items() if k != key}


def beheaded(objects: Objects) -> Objects:
    """Lose the newest entry and the checkpoint of it, but not the hint."""
    lost = {layout.commit(1), layout.checkpoint(1, "state.json")}
    return {key: data for key, data in objects.items() if key not in lost}


def forged(objects: Objects) -> Objects:
    """Let an entry be another than the one that its successor names."""
    key = layout.commit(1)
    return {**objects, key: objects[key].replace(b'"rows":1', b'"rows":2')}


WORLDS = {
    world.name: world
    for world in (
        World("two landings of new bytes", [LAND, LAND], P0),
        World("two landings, the source moves", [LAND, LAND], P0, V2),
        World("two landings with etags, the source moves", [TAGGED, TAGGED], T0, V2),
        World("two landings of a csv", [CSV, CSV], (CREATE, ("raw.p", "v1"))),
        World("two appends", [APPEND, APPEND], A1),
        World("an append, killed", [APPEND], A1, kills=1),
        World("an append and a compaction", [APPEND, COMPACT], A1),
        World("two compactions", [COMPACT, COMPACT], A0),
        World("two transforms", [TRANSFORM, TRANSFORM], P0),
        World("a landing and a transform", [LAND, TRANSFORM], P0),
        World("a landing and two transforms", [LAND, TRANSFORM, TRANSFORM], P0, faults=0),
        World("a landing and a collection", [LAND, COLLECT], P0, still=False),
        World("a rollback and a collection", [ROLLBACK, COLLECT], P1, still=False, no_order=True),
        World("two collections", [COLLECT, COLLECT], P1, still=False),
        World("two checkpoints and a reader", [CHECKPOINT, CHECKPOINT, READ], P0, fixed_hint=False),
        World("a landing, a checkpoint, a reader", [LAND, CHECKPOINT, READ], P0, fixed_hint=False),
        World("two landings after a checkpoint", [LAND, LAND], H0),
        World("a rollback and a landing of a csv", [ROLLBACK, CSV], C1, no_order=True),
        World("two landings of another type", [DRIFT, DRIFT], D0),
        World("a refused landing", [LAND], P0, V2, faults=2),
        World("a hole in the log", [LAND], P1, lost=without(1), damaged=True),
        World("a forged entry", [LAND, READ], P1, lost=forged, damaged=True),
        World("an end below the hint", [LAND, READ], H0, lost=beheaded, damaged=True),
        World("a lost end under a checkpoint", [LAND], H0, lost=without(1), damaged=True),
    )
}

LONG = {
    world.name: world
    for world in (
        World(
            "a landing, two checkpoints, a reader",
            [LAND, CHECKPOINT, CHECKPOINT, READ],
            P0,
            fixed_hint=False,
        ),
        World("a landing, a compaction, an append", [LAND, COMPACT, APPEND], (*A1, *P0[1:])),
        World("three landings, the source moves", [LAND, LAND, LAND], P0, V2),
        World("two landings and two transforms", [LAND, LAND, TRANSFORM, TRANSFORM], P0, V2),
        World(
            "a landing, a rollback, a collection",
            [LAND, ROLLBACK, COLLECT],
            P1,
            V2,
            still=False,
            no_order=True,
        ),
    )
}
