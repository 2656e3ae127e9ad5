"""Landing: staged versions become one commit, after another look at where they go."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from lake import layout
from lake.catalog.entries import Change, Declare, File, Hold, Note, Release, Replace, Schema
from lake.catalog.publish import Draft, publish
from lake.catalog.state import Partition, PartitionKey, State, data_files
from lake.config.period import AT_ONCE
from lake.errors import LakeError, SchemaConflict, SourceMissing, VersionHeld, raise_all
from lake.landing.explain import explain
from lake.landing.order import Landing, Order, Outcome, Staged
from lake.landing.stage import Attempt, Known, recognised, stage
from lake.schema.admit import Crowd, check_declarations, crowd, prepare, same_keys

BULK = 100
Told = Callable[[Landing], None]
_REJECTED = "these bytes were taken back, and stay so: --force lands them all the same"


@dataclass(frozen=True, slots=True)
class Absent:
    """The source has nothing there; `soon`: it may still come."""

    soon: bool


Found = Staged | Known | Absent


def land(
    attempt: Attempt,
    state: State,
    orders: Sequence[Order],
    *,
    declare: Sequence[Declare] = (),
    force: bool = False,
    message: str = "",
    told: Told = lambda landing: None,
) -> list[Landing]:
    """Land what the sources hold now, as one commit over all of `orders`.

    The bytes are kept as they came. Landing the same bytes twice adds nothing, so a retried or
    doubled run is safe. Nothing is visible before the commit; after it, everything is. What cannot
    be joined with the rest is held, and the views stay as they were.

    Args:
        attempt: this attempt, with the log.
        state: where to look; moved to the commit that was published.
        orders: each partition at most once.
        declare: declarations that belong to what is landed.
        force: land bytes that were rejected or are there already.
        message: of the commit.
        told: hears of each partition as soon as it is settled.

    Raises:
        VersionHeld: a version was kept, but is not current. The others were published.
        SeveralFailed: more than one order failed. The others were published.
        SourceMissing, SourceIncomplete, SourceUnreadable: the only failure; the others were
            published.
    """
    found, errors = stage_all(attempt, state, orders, force=force)
    landings = commit(
        attempt, state, found, declare=declare, force=force, message=message, told=told
    )
    raise_all([*errors, *held(landings)])
    return landings


def held(landings: Sequence[Landing]) -> list[LakeError]:
    """Return an error for each version that is kept and not current."""
    kept = [one for one in landings if one.outcome == "held"]
    return [VersionHeld(f"{one.name} is held: {one.note}") for one in kept]


def stage_all(
    attempt: Attempt,
    state: State,
    orders: Sequence[Order],
    *,
    force: bool,
    at_once: int = AT_ONCE,
) -> tuple[list[tuple[Order, Found]], list[LakeError]]:
    """Stage every order, `at_once` at a time; one that fails does not stop the others."""
    state.prefetch((order.dataset, order.partition) for order in orders)
    attempt = replace(attempt, is_bulk=len(orders) > BULK)

    def try_one(order: Order) -> Found | LakeError:
        try:
            return stage_one(attempt, state, order, force=force)
        except LakeError as error:
            return error

    if attempt.log.parallel == 1 or len(orders) == 1:
        results = [try_one(order) for order in orders]
    else:
        with ThreadPoolExecutor(at_once) as pool:
            results = list(pool.map(try_one, orders))
    pairs = list(zip(orders, results, strict=True))
    found = [(order, one) for order, one in pairs if not isinstance(one, LakeError)]
    return found, [one for _, one in pairs if isinstance(one, LakeError)]


def stage_one(
    attempt: Attempt,
    state: State,
    order: Order,
    *,
    force: bool = False,
    had: Staged | None = None,
) -> Found:
    """Stage one order; that its source has nothing is an answer where the lake expects it.

    Raises:
        SourceMissing: the source never had it, and should by now; or a person named it.
    """
    same_keys(state, order.dataset, order.partition)
    try:
        return stage(attempt, state, order, force=force, had=had)
    except SourceMissing:
        if order.may_be_missing:
            return Absent(soon=True)
        if state.partition(order.dataset, order.partition).current and not order.given:
            return Absent(soon=False)
        raise


def commit(
    attempt: Attempt,
    state: State,
    found: Sequence[tuple[Order, Found]],
    *,
    declare: Sequence[Declare] = (),
    force: bool = False,
    message: str = "",
    told: Told = lambda landing: None,
) -> list[Landing]:
    """Publish what was staged as one commit, and say what came of each order.

    Raises:
        CommitUnknown, CommitRefused, LogDamaged: see there.
    """
    desk = _Desk(attempt, list(found), tuple(declare), force)
    number = publish(
        attempt.log,
        state,
        desk.plan,
        commit_id=attempt.commit_id,
        message=message,
        run=attempt.run,
    )
    pairs = [(order, _landing(state, desk, order, one, number)) for order, one in desk.found]
    # What was looked at again without a change is not what anybody asked for.
    landings = [one for order, one in pairs if not order.is_again or one.commit]
    for landing in landings:
        told(landing)
    return landings


@dataclass(slots=True)
class _Desk:
    """What one commit is about to land; looks again whenever the head has moved."""

    attempt: Attempt
    found: list[tuple[Order, Found]]
    declare: tuple[Declare, ...]
    force: bool
    reasons: dict[PartitionKey, str] = field(default_factory=dict)
    released: set[PartitionKey] = field(default_factory=set)
    crowds: dict[str, Crowd] = field(default_factory=dict)

    def plan(self, state: State) -> Draft:
        """Say what to publish at this head."""
        self.found = [(order, self._look_again(state, order, one)) for order, one in self.found]
        said = new_declarations(state, self.declare)
        check_declarations(state, said)
        self.reasons, self.released, self.crowds = {}, set(), {}
        changes: list[Change] = []
        schemas: dict[str, Schema] = {}
        for order, one in self.found:
            if isinstance(one, Staged):
                changes.append(self._change(state, one))
                schemas.update(one.schemas)
            elif isinstance(one, Known) and one.held:
                changes += self._release(state, order)
            elif isinstance(one, Absent) and not one.soon and not _gone(state, order):
                changes.append(Note("gone", order.dataset, order.partition))
        notes = prepare(self.attempt.log, state, [*changes, *said], schemas)
        return Draft([*changes, *said, *notes], schemas)

    def _look_again(self, state: State, order: Order, one: Found) -> Found:
        """Ask the source again where its partition moved: older bytes never follow newer ones."""
        if not isinstance(one, Staged):
            return one
        partition = state.partition(one.dataset, one.partition)
        while partition.versions != one.seen:
            if order.is_again:
                return Known()
            known = None if self.force else recognised(partition, one.content, order.reading)
            if known:
                return known
            fresh = stage_one(self.attempt, state, order, force=self.force, had=one)
            if not isinstance(fresh, Staged):
                return fresh
            one = fresh
        return one

    def _change(self, state: State, one: Staged) -> Change:
        same_keys(state, one.dataset, one.partition)
        held = Hold(one.dataset, one.partition, one.files, one.content, one.landed, one.flaw)
        if not one.flaw:
            reason = self._conflict(state, (one.dataset, one.partition), one.files, one.schemas)
            held = replace(held, reason=reason, why="schema")
        if held.reason:
            self.reasons[one.dataset, one.partition] = held.reason
            return held
        return Replace(one.dataset, one.partition, one.files, one.content, one.landed)

    def _release(self, state: State, order: Order) -> list[Release]:
        """Let the newest version in, if it was held for its schema and now joins the others."""
        partition = state.partition(order.dataset, order.partition)
        held = partition.held[-1]
        if held.why != "schema" or held.number != partition.versions:
            return []
        key = (order.dataset, order.partition)
        if self._conflict(state, key, held.files, {}):
            return []
        self.released.add(key)
        return [Release(order.dataset, order.partition, held.number)]

    def _conflict(
        self, state: State, key: PartitionKey, come: Sequence[File], schemas: Mapping[str, Schema]
    ) -> str:
        """Let files into their dataset in place of the partition's, or say why they cannot be."""
        dataset, partition = key
        keys = tuple(layout.partition_values(partition))
        if dataset not in self.crowds:
            self.crowds[dataset] = crowd(state, dataset, keys=keys, changes=self.declare)
        old = data_files(state.partition(dataset, partition).current)
        trial = self.crowds[dataset].with_files(old, come, schemas)
        try:
            trial.reconciled()
        except SchemaConflict as conflict:
            staged = [
                file for _, one in self.found if isinstance(one, Staged) for file in one.files
            ]
            return explain(state, trial, [*come, *staged], conflict)
        self.crowds[dataset] = trial
        return ""


def _gone(state: State, order: Order) -> bool:
    return state.partition(order.dataset, order.partition).gone


def new_declarations(state: State, declare: Sequence[Declare]) -> list[Declare]:
    """Return those of `declare` that the lake does not know yet."""
    return [one for one in declare if state.declared(one.kind).get(one.name, "") != one.text]


def _landing(state: State, desk: _Desk, order: Order, one: Found, number: int | None) -> Landing:
    partition = state.partition(order.dataset, order.partition)
    if isinstance(one, Absent):
        return Landing(
            order.dataset, order.partition, "not yet" if one.soon else "gone", partition.versions
        )
    if isinstance(one, Known):
        released = (order.dataset, order.partition) in desk.released
        return _known(order, partition, one, released=number if released else None)
    reason = desk.reasons.get((order.dataset, order.partition), "")
    return Landing(
        order.dataset,
        order.partition,
        "held" if reason else "landed",
        version=partition.versions,
        rows=sum(file.rows for file in one.files if file.role == "data"),
        rejected=one.landed.rejected,
        bytes=sum(file.bytes for file in one.files),
        commit=number,
        note=reason,
    )


def _note(one: Known, partition: Partition) -> str:
    if one.is_rejected:
        return _REJECTED
    if one.was_read_otherwise:
        return f"v{partition.versions} has these bytes, read otherwise: --force reads them anew"
    return one.held


def _known(order: Order, partition: Partition, one: Known, *, released: int | None) -> Landing:
    now = partition.current
    outcome: Outcome = "held" if one.held else "unchanged"
    return Landing(
        order.dataset,
        order.partition,
        "landed" if released else outcome,
        version=partition.versions,
        rows=sum(file.rows for file in data_files(now)),
        bytes=sum(file.bytes for file in now.files) if now else 0,
        commit=released,
        note="" if released else _note(one, partition),
    )
