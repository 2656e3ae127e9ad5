"""Every property: what is drawn, and what must hold of it."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from tests.fuzz import csv_files, declared, drift, json_files, python_records


@dataclass(frozen=True, slots=True)
class Property:
    """What must hold of everything that is drawn.

    Attributes:
        check: takes what was drawn and an empty folder; raises where it does not hold.
        few: how many examples the default tests draw.
        many: how many are drawn at once by a longer search.
    """

    name: str
    drawn: SearchStrategy[Any]
    check: Callable[[Any, Path], None]
    few: int
    many: int

    def search(self, seed: int | None = None) -> int:
        """Look for what breaks it, the same each time; return how many examples were looked at.

        Args:
            seed: of `many` examples; None for the `few` that are always the same.
        """
        seen = 0

        def one(drawn: Any) -> None:
            nonlocal seen
            seen += 1
            with tempfile.TemporaryDirectory(prefix="clearlake-fuzz-") as folder:
                self.check(drawn, Path(folder))

        test = given(self.drawn)(one)
        if seed is not None:
            test = hypothesis.seed(seed)(test)
        _settings(self.few if seed is None else self.many, is_fixed=seed is None)(test)()
        return seen


def _settings(examples: int, *, is_fixed: bool) -> settings:
    return settings(
        max_examples=examples,
        derandomize=is_fixed,
        database=None,
        deadline=None,
        print_blob=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )


PROPERTIES = (
    Property("csv", csv_files.small(), csv_files.lands_whole, 40, 200),
    Property("large csv", csv_files.large(), csv_files.lands_whole, 6, 25),
    Property("fixed width", csv_files.fixed(), csv_files.fixed_lands_whole, 25, 100),
    Property("json", json_files.records(), json_files.lands_whole, 40, 200),
    Property("records", python_records.records(), python_records.lands_whole, 40, 200),
    Property("declared", declared.columns(), declared.keeps_to_it, 40, 200),
    Property("drift", drift.files(), drift.one_answer, 8, 20),
)
