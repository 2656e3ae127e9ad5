"""Search for longer than the tests do: `python -m tests.simulation --seconds 600`.

Every world is searched depth-first, with one fault, with two, and with one fault and one kill, and
then walked at random; the time is shared out evenly. It prints a line for each, ends at the first
violation with its schedule, and exits with 1.

    --world NAME     only the worlds whose name holds NAME
    --faults N --kills N      only with these
    --seed N         take the one random walk of this seed, and print it
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace

from tests.simulation.scheduler import World
from tests.simulation.search import Found, explore, walk, walks
from tests.simulation.tables import quick
from tests.simulation.worlds import LONG, WORLDS

LEVELS = ((1, 0), (2, 0), (1, 1))
WALKED = (3, 2)


def main() -> int:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--world", default="")
    parser.add_argument("--faults", type=int)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int)
    asked = parser.parse_args()
    worlds = [world for name, world in (WORLDS | LONG).items() if asked.world in name]
    levels = LEVELS if asked.faults is None else ((asked.faults, asked.kills),)
    with quick():
        if asked.seed is not None:
            return _one_walk(replace(worlds[0], faults=levels[0][0], kills=asked.kills), asked.seed)
        each = asked.seconds / len(worlds) / (len(levels) + 1)
        return _all(list(_searches(worlds, levels)), each)


def _one_walk(world: World, seed: int) -> int:
    at, bad = walk(world, seed)
    say(*at.trace(), bad or "no violation")
    return bool(bad)


def _searches(
    worlds: list[World], levels: tuple[tuple[int, int], ...]
) -> Iterator[tuple[World, bool]]:
    for world in worlds:
        for faults, kills in levels:
            yield replace(world, faults=faults, kills=kills), False
        yield replace(world, faults=WALKED[0], kills=WALKED[1]), True


def _all(searches: list[tuple[World, bool]], seconds: float) -> int:
    for world, at_random in searches:
        found: Found = (walks if at_random else explore)(world, seconds=seconds)
        way = "walked" if at_random else "searched"
        say(f"{world.name}, {world.faults} faults, {world.kills} kills, {way}: {found}")
        if found.bad:
            return 1
    return 0


def say(*lines: str) -> None:
    """Write lines."""
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
