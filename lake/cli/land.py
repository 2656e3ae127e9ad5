"""`lake land`."""

import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import click

from lake.cli.call import Call, verb
from lake.cli.complete import source_names
from lake.cli.output import count, document, line, plain, talk
from lake.cli.progress import working
from lake.cli.report import Report
from lake.config.period import AT_ONCE, MOST_AT_ONCE
from lake.errors import InvalidName, LakeError, NoSuchSource, raise_all
from lake.words import counted, size

if TYPE_CHECKING:
    from lake.lake import Lake
    from lake.landing.order import Landing, Order
    from lake.landing.plan import Planned
    from lake.sources.copy import Readable


at_once = click.option(
    "--at-once",
    type=click.IntRange(1, MOST_AT_ONCE),
    default=AT_ONCE,
    show_default=True,
    metavar="N",
    help="How many partitions are fetched beside each other.",
)


@verb(name="land")
@click.argument("what", nargs=-1, metavar="[SOURCE…|FILE|URL|-]", shell_complete=source_names)
@click.option("--as", "dataset", metavar="DATASET", help="Land a FILE, URL or - (stdin) as raw.x.")
@click.option("--partition", "pairs", multiple=True, metavar="K=V", help="Where it goes in there.")
@click.option("--read", multiple=True, metavar="K=V", help="How, as a source says: sheet=Trips.")
@click.option("--since", metavar="A", help="The first period of the sources, such as 2024-01.")
@click.option("--until", metavar="B", help="The last one.")
@at_once
@click.option("--plan", is_flag=True, help="Say what is missing or changed; fetch nothing.")
@click.option("--force", is_flag=True, help="Land what is there already or was rolled back, too.")
def command(call: Call, what: tuple[str, ...], **options: Any) -> None:
    """Bring what the sources hold now into raw.

    Without names every source of lake.toml is asked. The same bytes again add nothing.
    """
    wanted = _Wanted(call, what, **options)
    if wanted.dataset is not None:
        _land_given(wanted)
    else:
        _land_sources(wanted)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The words of the command, checked against each other."""

    call: Call
    what: tuple[str, ...]
    dataset: str | None
    pairs: tuple[str, ...]
    read: tuple[str, ...]
    since: str | None
    until: str | None
    at_once: int
    plan: bool
    force: bool

    def __post_init__(self) -> None:
        if self.dataset is None and self.pairs:
            raise click.UsageError("--partition needs --as: a source says its own partitions")
        if self.dataset is None and self.read:
            raise click.UsageError("--read needs --as: a source says in lake.toml how it is read")
        if self.dataset is not None and len(self.what) != 1:
            raise click.UsageError("--as takes exactly one FILE, URL or - (stdin)")
        if self.dataset is not None and (self.since or self.until):
            raise click.UsageError("--since and --until are for sources, not beside --as")


def _partition(pairs: Iterable[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key in values:
            raise InvalidName(f"--partition {pair!r}: write KEY=VALUE, each key once")
        values[key] = value
    return values


def _read(pairs: Iterable[str]) -> dict[str, object]:
    """Return the keys of a source; a value is TOML where it is any, else text."""
    values: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key in values:
            raise InvalidName(f"--read {pair!r}: write KEY=VALUE, each key once")
        values[key] = _value(value)
    return values


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text


def _land_given(wanted: _Wanted) -> None:
    from lake.sources.path import shown

    lake = wanted.call.open()
    if wanted.plan:
        from lake.landing.plan import plan

        planned = plan(lake.state, [_order(wanted)])
        tell_plan(wanted.call, planned)
        raise_all([one.error for one in planned if one.error])
        return
    report, told = _report(wanted.call, lake)
    with report, working(f"landing {shown(wanted.what[0])}"):
        lake.land(
            cast("Readable", sys.stdin.buffer) if wanted.what[0] == "-" else wanted.what[0],
            dataset=wanted.dataset or "",
            partition=_partition(wanted.pairs),
            read=_read(wanted.read),
            force=wanted.force,
            told=told,
        )


def _order(wanted: _Wanted) -> "Order":
    from lake import layout
    from lake.landing.order import Order, check
    from lake.sources.path import supported

    supported(wanted.what[0])
    return check(
        Order(wanted.dataset or "", layout.partition(_partition(wanted.pairs)), wanted.what)
    )


def warn_outside(lake: "Lake", names: Sequence[str], since: str | None, until: str | None) -> None:
    """Say of which sources nothing is asked for, as they have no such period."""
    from lake.landing.sources import outside, sources

    known = sources(lake)
    wanted = [known[name] for name in names or known if name in known]
    for text in outside(wanted, since, until):
        talk(text)


def _land_sources(wanted: _Wanted) -> None:
    lake = wanted.call.open()
    warn_outside(lake, wanted.what, wanted.since, wanted.until)
    if wanted.plan:
        _plan_sources(lake, wanted)
        return
    report, told = _report(wanted.call, lake)
    with report, working("landing"):
        try:
            lake.land_sources(
                wanted.what,
                since=wanted.since,
                until=wanted.until,
                force=wanted.force,
                at_once=wanted.at_once,
                told=told,
            )
        except NoSuchSource as error:
            raise _perhaps_a_file(error, wanted.what) from error


def _perhaps_a_file(error: NoSuchSource, what: Sequence[str]) -> NoSuchSource:
    if any(char in word for word in what for char in "./-"):
        return NoSuchSource(f"{error}; a file is landed with --as raw.NAME")
    return error


def _plan_sources(lake: "Lake", wanted: _Wanted) -> None:
    """Say what would be asked for; a source that cannot be planned does not hide the others."""
    from lake.landing.plan import plan
    from lake.landing.sources import chosen, orders

    asked: list[Order] = []
    errors: list[LakeError] = []
    try:
        sources = chosen(lake, wanted.what)
    except NoSuchSource as error:
        raise _perhaps_a_file(error, wanted.what) from error
    for source in sources:
        try:
            asked += orders(lake, source, since=wanted.since, until=wanted.until)
        except LakeError as error:
            errors.append(error)
    if asked or not errors:
        planned = plan(lake.state, asked)
        tell_plan(wanted.call, planned)
        errors += [one.error for one in planned if one.error]
    raise_all(errors)


def plan_rows(planned: "Sequence[Planned]") -> list[dict[str, Any]]:
    """Return what would be fetched, in order, ready for JSON."""
    from lake.landing.plan import DUE
    from lake.sources.path import shown

    return [
        {
            "dataset": one.order.dataset,
            "partition": one.order.partition,
            "what": one.what,
            "version": one.version,
            "bytes": one.bytes,
            "from": [shown(url) for url in one.order.urls],
        }
        for one in planned
        if one.what in DUE
    ]


def tell_plan(call: Call, planned: "Sequence[Planned]") -> None:
    """Say what would be fetched, in order, and how much that is; and what cannot be told."""
    if call.json:
        document(plan_rows(planned))
    else:
        for one in planned:
            if text := _planned(one):
                line(plain(f"{one.order.name}  {text}"))
        line(_total(planned))


def _planned(one: "Planned") -> str:
    from lake.sources.path import shown

    much = f"{size(one.bytes)} from" if one.bytes is not None else "from"
    where = f"{much} {' '.join(shown(url) for url in one.order.urls)}"
    return {
        "missing": f"missing: {where}",
        "changed": f"changed since v{one.version}: {where}",
        "unknown": f"may have changed since v{one.version}: {where}",
        "gone": f"gone at the source: v{one.version} is kept",
    }.get(one.what, "")


def _total(planned: "Sequence[Planned]") -> str:
    from lake.landing.plan import DUE

    found = Counter(one.what for one in planned)
    due = [one for one in planned if one.what in DUE]
    known = sum(one.bytes or 0 for one in due)
    rest = [f"{count(found[what])} {what}" for what in ("unchanged", "not yet") if found[what]]
    said = f"{count(len(due))} to land" if due else "nothing to land"
    some = "at least " if any(one.bytes is None for one in due) else ""
    return "; ".join([f"{said}, {some}{size(known)}" if known else said, *rest])


def _report(call: Call, lake: "Lake") -> "tuple[Report, Callable[[Landing], None]]":
    landings: list[Landing] = []
    before = lake.commit
    report = Report(call, landings, end=lambda: summary(landings, before, lake.commit))
    return report, report.teller(landings, words)


def words(landing: "Landing") -> str:
    """Return the line about one partition."""
    return f"{landing.name}  {said(landing)}"


def said(landing: "Landing") -> str:
    """Return what came of one partition, in words."""
    if landing.outcome == "landed":
        rejected = f", {count(landing.rejected)} rejected" if landing.rejected else ""
        return (
            f"landed v{landing.version}: {counted(landing.rows, 'row')}{rejected},"
            f" {size(landing.bytes)}"
        )
    return {
        "unchanged": f"unchanged: {landing.note or f'v{landing.version} has these bytes'}",
        "held": f"held: kept as v{landing.version}, not current",
        "gone": f"gone at the source: v{landing.version} is kept",
        "not yet": "not yet there",
    }[landing.outcome]


def summary(landings: "Sequence[Landing]", before: int, commit: int) -> str:
    """Return the counts of all outcomes, and where that leaves the lake."""
    if not landings:
        return f"no partition to ask for: the lake stays at commit {commit}"
    found = Counter(landing.outcome for landing in landings)
    counts = ", ".join(f"{count(number)} {outcome}" for outcome, number in found.items())
    moved = commit > before
    return f"{counts}: {'commit' if moved else 'nothing to do, the lake stays at commit'} {commit}"
