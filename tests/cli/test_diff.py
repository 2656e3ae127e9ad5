import json
from pathlib import Path

import pytest

from tests.cli.ran import Ran, Run


@pytest.fixture
def changed(lake: Run, here: Path) -> Run:
    """The lake of two months, of which the first was published again."""
    path = here / "trips_2024-01.csv"
    path.write_text("id,fare\n1,2.5\n2,9.5\n7,1.5\n")
    assert lake("land", str(path), "--as", "raw.trips", "--partition", "month=2024-01").code == 0
    return lake


def test_one_address_is_compared_with_what_it_held_before(changed: Run) -> None:
    assert changed("diff", "raw.trips/month=2024-01", "--key", "id") == Ran(
        0,
        "raw.trips/month=2024-01@v1 → raw.trips/month=2024-01@v2\n"
        "rows       2 → 3 rows\n"
        "added      1\n"
        "removed    0\n"
        "changed    1 (1 cell)\n"
        "unchanged  1\n"
        "matched    by id\n"
        "cells      fare: 1\n"
        "~ id=2  fare: 3.5 → 9.5\n"
        "+ id=7, fare=1.5\n",
        "",
    )


def test_without_a_key_it_says_so_and_stops_at_the_limit(changed: Run) -> None:
    assert changed("diff", "raw.trips@2", "raw.trips@3", "--limit", "1") == Ran(
        0,
        "raw.trips@2 → raw.trips@3\n"
        "rows       3 → 4 rows\n"
        "added      2\n"
        "removed    1\n"
        "changed    -\n"
        "unchanged  2\n"
        "matched    as multisets: no key is known, so a changed row is removed and added\n"
        "- id=2, fare=3.5, month='2024-01'\n"
        "… and 2 rows more\n",
        "",
    )


def test_json_is_one_document(changed: Run) -> None:
    code, out, err = changed("diff", "raw.trips/month=2024-01", "--key", "id", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert (found["added"], found["changed"], found["cells"], found["key"]) == (1, 1, 1, ["id"])
    assert found["rows"][0] == {
        "kind": "changed",
        "values": {"id": 2, "fare": 9.5},
        "cells": [{"column": "fare", "old": 3.5, "new": 9.5}],
    }


@pytest.mark.parametrize("words", [("@1", "@3"), ("1", "3")])
def test_two_commits_of_the_whole_lake(changed: Run, words: tuple[str, str]) -> None:
    assert changed("diff", *words) == Ran(
        0,
        "@1 → @3: 1 dataset changed\n"
        "~ raw.trips  changed, 2 → 4 rows\n"
        "    ~ month=2024-01  changed, v1 → v2, 2 → 3 rows\n"
        "    + month=2024-02  added, v1, 1 row\n",
        "",
    )


def test_nothing_different_is_no_failure(changed: Run) -> None:
    assert changed("diff", "@3", "@3") == Ran(0, "@3 → @3: 0 datasets changed\n", "")
    ran = changed("diff", "raw.trips@3", "raw.trips@3")
    assert (ran.code, ran.out.splitlines()[1:5]) == (
        0,
        ["rows       4 rows", "added      0", "removed    0", "changed    -"],
    )


def test_what_is_not_there_is_one_line(changed: Run) -> None:
    assert changed("diff", "raw.nope", "raw.trips").code == 1
    assert changed("diff", "raw.trips", "@1") == Ran(
        1,
        "",
        "error: raw.trips and @1 cannot be compared: one is the whole lake; give two datasets, or"
        " two commits such as @12 @20\n",
    )
