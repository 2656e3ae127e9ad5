"""`make compare`: seven real taxi schemas through lake formats and loaders, and through us.

Each is asked to take the files as they are, one after the other; what it refuses is left out, and
the order is the one in which it takes most. Then: are the bytes still the publisher's? Do sums over
what it took agree with Python's decimals? Does it notice that a stored file was swapped?
"""

import hashlib
import logging
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import places
from benchmarks.contenders import Built, Contender, contenders
from benchmarks.months import SUMMED, Month, Sums, added, another_file, write_months

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one contender."""

    name: str
    taken: int
    unchanged: int
    sums: bool
    noticed: tuple[str, str]


@dataclass(slots=True)
class _Trial:
    """One contender with the folders that it used up; every build has a new one."""

    contender: Contender
    folder: Path
    count: int = 0

    def build(self, months: Sequence[Month]) -> Built:
        self.count += 1
        place = self.folder / f"{self.contender.name}-{self.count}"
        place.mkdir()
        return self.contender.build(place, months)

    def accepts(self, months: Sequence[Month]) -> bool:
        """Tell whether these months can be taken, in this order, and read afterwards."""
        try:
            self.build(months).sums()
        except self.contender.refusals:
            return False
        return True

    def most(self, months: list[Month]) -> list[Month]:
        """Return the most months that it takes, whichever comes first."""
        best: list[Month] = []
        for start in range(len(months)):
            if len(best) < len(months):
                best = max(best, self._from([*months[start:], *months[:start]]), key=len)
        return best

    def _from(self, months: list[Month]) -> list[Month]:
        taken: list[Month] = []
        for month in months:
            if self.accepts([*taken, month]):
                taken.append(month)
        return taken


def compared(contender: Contender, folder: Path, months: list[Month]) -> Result:
    """Run one contender."""
    trial = _Trial(contender, folder)
    taken = trial.most(months)
    built = trial.build(taken)
    sent = {_sha256(month.path) for month in taken}
    unchanged = sum(_sha256(path) in sent for path in built.files)
    is_right = _rounded(built.sums()) == _rounded(added(taken))
    noticed = [_swapped(contender, trial.build(taken), same_size=same) for same in (False, True)]
    return Result(contender.name, len(taken), unchanged, is_right, (noticed[0], noticed[1]))


def _swapped(contender: Contender, built: Built, *, same_size: bool) -> str:
    """Put another valid file in the place of a stored one, ask again, and let it be verified."""
    before, stored = built.sums(), built.files[-1]
    other = stored.with_name("other")
    another_file(stored, other, same_size=same_size)
    other.replace(stored)
    if built.verify and built.verify():
        return "yes"
    try:
        after = built.sums()
    except contender.refusals:
        return "a read fails"
    return "no" if after == before else "no: wrong sums"


def _rounded(sums: Sums) -> Sums:
    return {column: sums[column].quantize(_CENT) for column in SUMMED}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    table = Table(box=None, pad_edge=False)
    for title in (
        "",
        "months taken",
        "bytes unchanged",
        "sums right",
        "swapped file noticed",
        "… of the same size",
    ):
        table.add_column(title)
    with places.scratch() as folder:
        months = write_months(folder)
        for contender in contenders():
            sys.stderr.write(f"{contender.name} …\n")
            found = compared(contender, folder, months)
            table.add_row(
                found.name,
                f"{found.taken} of {len(months)}",
                f"{found.unchanged} of {found.taken}",
                "yes" if found.sums else "no",
                *found.noticed,
            )
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
