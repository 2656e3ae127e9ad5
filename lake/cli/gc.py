"""`lake gc`."""

from collections import defaultdict
from typing import TYPE_CHECKING

import click

from lake.cli.call import Call, verb
from lake.cli.output import document, line, plain
from lake.cli.progress import working
from lake.words import counted, size

if TYPE_CHECKING:
    from lake.operations.gc import Collected
    from lake.operations.gc_list import Candidate

_WHY = {
    "expired": "of former versions",
    "unpublished": "of attempts that published nothing",
    "doomed": "of a collection that was broken off",
}


@verb(name="gc")
@click.option(
    "--keep",
    metavar="DURATION",
    default="30 days",
    show_default=True,
    help="How long former snapshots stay readable.",
)
@click.option("--delete", "--yes", is_flag=True, help="Delete it; otherwise it is only said.")
def command(call: Call, keep: str, delete: bool) -> None:
    """Say what no kept snapshot needs, or delete it.

    Kept are the head, every tagged snapshot, those of the last DURATION, and what is held as long
    as it can be released. The log is always kept: it says what was collected, and when.
    """
    from lake.config.duration import duration

    lake = call.open()
    with working("looking for what can go"):
        done = lake.gc(keep=duration(keep), delete=delete)
    if call.json:
        document({**_plain(done), "objects": done.objects})
        return
    for text in _words(done):
        line(plain(text))


def _plain(done: "Collected") -> dict[str, object]:
    return {
        "deleted": done.deleted,
        "commit": done.commit,
        "kept_since": done.kept_since,
        "versions": done.versions,
        "bytes": done.bytes,
    }


def _words(done: "Collected") -> list[str]:
    kept = f"snapshots from commit {done.kept_since} on" if done.kept_since else "every snapshot"
    if not done.objects:
        return [f"nothing to delete: {kept}, tags and what is held need all of it"]
    by: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for one in done.objects:
        zone, name = one.key.split("/")[:2]
        by[f"{zone}.{name}", one.why].append(one)
    lines = [
        f"{dataset}  {counted(len(found), 'object')} {_WHY[why]},"
        f" {size(sum(one.bytes for one in found))}"
        for (dataset, why), found in sorted(by.items())
    ]
    return [*lines, _end(done, kept)]


def _end(done: "Collected", kept: str) -> str:
    what = f"{counted(len(done.objects), 'object')}, {size(done.bytes)}"
    if not done.deleted:
        return f"{what} would be deleted, {kept} kept: `lake gc --delete` does it"
    commit = f": commit {done.commit}" if done.commit else ""
    return f"deleted {what}, {kept} kept{commit}"
