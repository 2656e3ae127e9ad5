"""How datasets are doing: what is late, held, drifted or warned of, out of the log alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lake.browser.snapshot import Snapshot
from lake.landing.sources import sources
from lake.operations.status import RECENT, held, late
from lake.words import counted

Kind = Literal["good", "warn", "bad", "idle"]

_CHECKS = """
SELECT dataset, "check", max_by(failed, commit) AS failed, max_by(severity, commit) AS severity,
  max(commit) AS commit, max(checked_at) AS at
FROM meta.checks GROUP BY dataset, partition, "check" HAVING max_by(failed, commit) > 0
"""


@dataclass(frozen=True, slots=True)
class Badge:
    """A state in a word, and how good it is."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Attention:
    """Something about a dataset that a person should look at.

    Attributes:
        word: what it is, short: `late`, `held`, `drifted`, `warned`.
        text: what happened, and what still holds.
        column: that it is about; `""` for none.
        tab: the dataset's page that says more: `versions`, `columns`, `checks`, or `""`.
        at: since when; None where there is no moment.
    """

    kind: Kind
    word: str
    dataset: str
    partition: str
    column: str
    text: str
    tab: str
    at: datetime | None


def attention(shot: Snapshot, now: datetime) -> list[Attention]:
    """Return what needs attention, the worst first."""
    fixed = shot.memo("attention", lambda: [*_held(shot), *_checks(shot)])
    found = [*fixed, *_late(shot, now), *_drifted(shot, now)]
    found = [one for one in found if one.word == "late" or one.dataset in shot.lake.state.datasets]
    return sorted(found, key=lambda one: (one.kind != "bad", one.word, one.dataset))


def _held(shot: Snapshot) -> Iterator[Attention]:
    for one in held(shot.state()):
        yield Attention(
            "bad",
            "held",
            one.dataset,
            one.partition,
            "",
            f"v{one.version} is kept and not current: {one.reason}; the version before stays.",
            "versions",
            None,
        )


def _checks(shot: Snapshot) -> Iterator[Attention]:
    for row in shot.rows(_CHECKS):
        rows = counted(row["failed"], "row")
        text = f"check {row['check']} found {rows}; it warns, and withholds nothing."
        yield Attention("warn", "warned", row["dataset"], "", "", text, "checks", row["at"])


def _late(shot: Snapshot, now: datetime) -> Iterator[Attention]:
    state = shot.lake.state
    for source in sources(shot.lake).values():
        dataset = state.datasets.get(source.dataset)
        said = late(source.expect_every, dataset.changed_at if dataset else "", now)
        if said and dataset:
            text = f"nothing new for {said} longer than expected; what was landed stays."
            at = datetime.fromisoformat(dataset.changed_at)
            yield Attention("warn", "late", source.dataset, "", "", text, "", at)
        elif said:
            text = f"source {source.name} has landed nothing yet."
            yield Attention("warn", "late", source.dataset, "", "", text, "", None)


def _drifted(shot: Snapshot, now: datetime) -> Iterator[Attention]:
    for row in shot.memo(
        "drift", lambda: shot.rows("SELECT * FROM meta.drift ORDER BY commit DESC")
    ):
        if now - row["drifted_at"] <= RECENT:
            text = (
                f"was {row['former_type']}; the view is {row['type']} since commit {row['commit']}."
            )
            yield Attention(
                "warn",
                "drifted",
                row["dataset"],
                "",
                row["column"],
                text,
                "columns",
                row["drifted_at"],
            )


def badges(found: list[Attention], shot: Snapshot) -> Mapping[str, Badge]:
    """Return the worst of what was found per dataset, and `fresh` for the others."""
    said: dict[str, Badge] = {}
    for one in found:
        said.setdefault(one.dataset, Badge(one.kind, one.word))
    for name, dataset in shot.lake.state.datasets.items():
        said.setdefault(
            name, Badge("good", "fresh") if dataset.partitions else Badge("idle", "empty")
        )
    return said
