"""Search for longer than the tests do: `python -m tests.fuzz --seconds 600`.

The properties take turns, each with a seed of its own that is one more every time, until the time
is over. It prints how many examples were looked at, ends at the first one that breaks a property,
smallest first, with the command that finds it again, and exits with 1.

    --seconds N        for how long
    --seed N           of the first turn; another each time, if it is not given
    --property NAME    only the properties whose name holds NAME
    --turns N          so many turns, whatever the time
"""

import argparse
import random
import shlex
import sys
import time
import traceback

from tests.fuzz.properties import PROPERTIES, Property


def main() -> int:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--property", default="")
    parser.add_argument("--turns", type=int)
    asked = parser.parse_args()
    chosen = [one for one in PROPERTIES if asked.property in one.name]
    until = time.monotonic() + asked.seconds
    seen = dict.fromkeys((one.name for one in chosen), 0)
    turn = 0
    while turn < asked.turns if asked.turns else time.monotonic() < until:
        for one in chosen:
            if not _holds(one, asked.seed + turn, seen):
                return 1
            if not asked.turns and time.monotonic() > until:
                break
        turn += 1
    say(*(f"{name}: {count:,} examples, all as they should be" for name, count in seen.items()))
    return 0


def _holds(one: Property, seed: int, seen: dict[str, int]) -> bool:
    try:
        seen[one.name] += one.search(seed)
    except Exception:  # noqa: BLE001 -- whatever breaks, it is told with the way back to it
        name = shlex.quote(one.name)
        say(
            traceback.format_exc(),
            f"{one.name} does not hold; once more:"
            f" python -m tests.fuzz --property {name} --seed {seed} --turns 1",
        )
        return False
    return True


def say(*lines: str) -> None:
    """Write lines."""
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
