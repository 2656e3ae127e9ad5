"""Fail every request of a walk, in every way, at a real server; walk again, and look at what is.

    python -m tests.faults.http_sweep minio                        # all of it takes hours
    python -m tests.faults.http_sweep azurite --each 17 --seed 7    # so many of each fault
    python -m tests.faults.http_sweep gcs --only 17:reset-after    # one case again

The walk is `land`, `transform` and `load` into a new lake. Whatever was done to its k-th request,
the same walk, run again, must leave what a walk leaves to which nothing happened, and once more it
must find nothing to do; a walk that said it was done must have been. Meanwhile somebody reads.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, NamedTuple

from tests import servers
from tests.faults import example
from tests.faults.onlooker import Onlooker
from tests.faults.oracle import violations
from tests.faults.proxy import ANSWER_S, WRITES, Mode, Proxy, Rule, Seen
from tests.faults.walker import NOTHING, VERBS, Walker

SCHEMES = {"minio": "s3", "gcs": "gs", "azurite": "az"}
ANY: Sequence[str] = (
    "500-before",
    "503-before",
    "reset-before",
    "500-after",
    "503-after",
    "reset-after",
    "hang-after",
    "403",
    "lost-then-403",
    "gone-for-long",
    "kill-before",
    "kill-after",
)
ON_WRITES: Sequence[str] = ("409", "412", "200-error", "truncate", "late")
ON_READS: Sequence[str] = ("cut", "flip")
ON_LISTINGS: Sequence[str] = ("hide",)
FAULTS = (*ANY, *ON_WRITES, *ON_READS, *ON_LISTINGS)


class Case(NamedTuple):
    """What happens to which request, counted from 1."""

    request: int
    fault: str

    def __str__(self) -> str:
        return f"{self.request}:{self.fault}"

    def rules(self) -> list[Rule]:
        """Return it in the words of the proxy."""
        if self.fault == "lost-then-403":
            lost = Rule("reset-after", first=self.request)
            return [lost, Rule("403", first=self.request + 1, times=2)]
        if self.fault == "gone-for-long":
            return [Rule("503-before", first=self.request, times=99)]
        mode: Mode = self.fault  # type: ignore[assignment]
        return [Rule(mode, first=self.request)]


def cases(requests: Sequence[Seen]) -> Iterator[Case]:
    """Give every case of a walk that makes these requests."""
    for number, seen in enumerate(requests, 1):
        is_write = seen.method in WRITES
        is_listing = any(word in seen.path for word in ("list-type=2", "comp=list", "prefix="))
        fitting = [*ANY, *(ON_WRITES if is_write else ())]
        if seen.method == "GET":
            fitting += [fault for fault in ON_READS if fault != "flip" or _is_checked(seen)]
            fitting += ON_LISTINGS if is_listing else ()
        yield from (Case(number, fault) for fault in fitting)


def sample(known: Sequence[Case], each: int, *, seed: int) -> list[Case]:
    """Return so many cases of each fault; one of which there are fewer comes again."""
    dice = random.Random(seed)
    found = []
    for fault in sorted(FAULTS, key=lambda _: dice.random()):
        fitting = [case for case in known if case.fault == fault]
        dice.shuffle(fitting)
        found += (fitting * each)[:each]
    dice.shuffle(found)
    return found


def _is_checked(seen: Seen) -> bool:
    """DuckDB takes data as they come: against flipped bits there it has TLS only."""
    return ".parquet" not in seen.path


@dataclass(frozen=True, slots=True)
class Sweep:
    """A server with a proxy before it, and a project to walk there."""

    service: str
    proxy: Proxy
    walker: Walker
    onlooker: Onlooker
    folder: Path
    told: Mapping[str, str]

    def project(self) -> Path:
        """Write the example, with a lake of its own."""
        name = uuid.uuid4().hex
        url = f"{SCHEMES[self.service]}://{servers.BUCKET}/sweep/{name}"
        return example.make(self.folder / name, url)

    def requests(self) -> list[Seen]:
        """Walk once to which nothing happens, and return what was asked."""
        root = self.project()
        did = self.walker.run(root, VERBS, proxy=self.proxy.url, rules=[])
        assert "did" in did, did
        found = self.proxy.journal()
        assert violations(root, is_again=False) == []
        return found

    def wrong_after(self, case: Case, *, plant: str = "") -> list[str]:
        """Walk with one fault, again and once more; return what is wrong then."""
        root = self.project()
        told = {"plant": plant} if plant else {}
        self.onlooker.look_at(root)
        rules = [asdict(rule) for rule in case.rules()]
        first = self.walker.run(root, VERBS, proxy=self.proxy.url, rules=rules, **told)
        again = self.walker.run(root, VERBS, proxy=self.proxy.url, rules=[], **told)
        if case.fault == "late":
            self.proxy.wait_for_late()
            # What is made anew after a commit may be older than that until the next walk.
            self.walker.run(root, VERBS)
        found = [*_ended_well(first), *self._all_there(root, first, again)]
        found += self.onlooker.saw()
        shutil.rmtree(root)
        return found

    def _all_there(self, root: Path, first: Any, again: Any) -> Iterator[str]:
        if "did" not in again:
            yield f"the walk could not be walked again: {_last(again)}"
            return
        if "did" in first and again["did"] != NOTHING:
            yield f"it said that it was done, but then there was to do: {again['did']}"
        yield from violations(root, is_again=False)
        more = self.walker.run(root, VERBS)
        if more.get("did") != NOTHING:
            yield f"once more, it did {more.get('did') or _last(more)}"


def _ended_well(first: Any) -> Iterator[str]:
    """Every walk ends as done, killed by us, or with an error that speaks to people."""
    if "failed" in first and not _last(first).startswith("lake.errors."):
        yield f"it failed by {_last(first)}"
    if "failed" not in first and "did" not in first and first["status"] != -signal.SIGKILL:
        yield f"it ended with {first}"
    done = first.get("did", {}).get("land", [])
    if any(outcome != "landed" for outcome in done):
        yield f"into a new lake it landed {done}"


def _last(did: Any) -> str:
    return str(did.get("failed", did)).strip().rpartition("\n")[2]


@contextmanager
def sweeping(service: str) -> Iterator[Sweep]:
    """Start a server, its proxy, the walker and who looks on."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="clearlake-sweep-")))
        told = stack.enter_context(servers.running(service))
        yield stack.enter_context(swept(service, told, folder))


@contextmanager
def swept(service: str, told: Any, folder: Path) -> Iterator[Sweep]:
    """Set up a sweep at a server that runs."""
    with ExitStack() as stack:
        upstream = next(v for v in servers.addresses(told))
        proxy = stack.enter_context(Proxy.before(upstream))
        surroundings = {name: value.replace(upstream, proxy.url) for name, value in told.items()}
        direct = {**os.environ, **told}
        os.environ.update(surroundings, CLEARLAKE_ANSWER_S=ANSWER_S, LAKE_CACHE="")
        stack.callback(_forget, [*surroundings, "CLEARLAKE_ANSWER_S", "LAKE_CACHE"])
        walker = stack.enter_context(closing(Walker()))
        os.environ.update(told)  # the oracle asks without the proxy
        onlooker = stack.enter_context(closing(Onlooker(direct)))
        yield Sweep(service, proxy, walker, onlooker, folder, told)


def _forget(names: Sequence[str]) -> None:
    for name in names:
        os.environ.pop(name, None)


def main() -> None:
    """Run the cases that are asked for; say which went wrong, and how each is run again."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("service", choices=list(SCHEMES))
    parser.add_argument("--each", type=int, help="so many cases of each fault, by dice")
    parser.add_argument("--seed", type=int, default=0, help="of the dice")
    parser.add_argument("--only", help="one case, such as 17:reset-after")
    given = parser.parse_args()
    wrong, fired = 0, Counter[str]()
    seconds: defaultdict[str, float] = defaultdict(float)
    with sweeping(given.service) as sweep:
        chosen = list(cases(sweep.requests()))
        say(f"{given.service}: {chosen[-1].request} requests, {len(chosen)} cases")
        if given.each:
            chosen = sample(chosen, given.each, seed=given.seed)
        if given.only:
            number, _, fault = given.only.partition(":")
            chosen = [Case(int(number), fault)]
        for at, case in enumerate(chosen, 1):
            begun = monotonic()
            found = sweep.wrong_after(case)
            seconds[case.fault] += monotonic() - begun
            fired[case.fault] += 1
            wrong += bool(found)
            if found:
                say(f"python -m tests.faults.http_sweep {given.service} --only {case}")
            for line in found:
                say(f"  {line}")
            if at % 20 == 0:
                say(f"{at} of {len(chosen)} cases, {wrong} wrong")
    say(f"{len(chosen)} cases, {wrong} wrong; how often each fault, and for how long:")
    say(", ".join(f"{fault} {n} ({seconds[fault]:.0f} s)" for fault, n in fired.items()))
    sys.exit(wrong > 0)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
