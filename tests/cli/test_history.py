import json
from pathlib import Path

import pytest

from tests.cli.ran import Ran, Run

TRIPS = "raw.trips/month=2024-01"


@pytest.fixture
def twice(lake: Run, here: Path) -> Run:
    """A lake whose January was landed twice, at commits 1 and 3."""
    (here / "again.csv").write_text("id,fare\n7,2.5\n")
    words = ("land", "again.csv", "--as", "raw.trips", "--partition", "month=2024-01")
    assert lake(*words).code == 0
    return lake


def test_rollback_restores_and_says_what_it_rejects(twice: Run) -> None:
    assert twice("rollback", TRIPS) == Ran(
        0,
        f"{TRIPS}  restored v1 as v3: 2 rows; v2 is rejected\nas at commit 2: commit 4\n",
        "",
    )
    assert twice("sql", "SELECT count(*) AS n FROM raw.trips").out == "n\n3\n"
    assert twice("rollback", f"{TRIPS}@v1") == Ran(
        0, f"nothing to do: {TRIPS} is what it was at commit 1\n", ""
    )


def test_rollback_of_a_dataset_removes_what_was_not_there(twice: Run) -> None:
    assert twice("rollback", "raw.trips@1") == Ran(
        0,
        "raw.trips/month=2024-02  removed; v1 is rejected\n"
        f"{TRIPS}  restored v1 as v3: 2 rows; v2 is rejected\n"
        "as at commit 1: commit 4\n",
        "",
    )


def test_rollback_as_json(twice: Run) -> None:
    assert json.loads(twice("rollback", TRIPS, "--json").out) == {
        "commit": 4,
        "to": 2,
        "partitions": [
            {
                "dataset": "raw.trips",
                "partition": "month=2024-01",
                "outcome": "restored",
                "version": 3,
                "of": 1,
                "rejected": 2,
                "rows": 2,
            }
        ],
    }


def test_remove_takes_a_partition_away_once(lake: Run) -> None:
    assert lake("remove", TRIPS) == Ran(0, f"removed {TRIPS}: commit 3\n", "")
    assert lake("remove", TRIPS) == Ran(0, f"nothing to do: {TRIPS} holds nothing\n", "")
    assert json.loads(lake("remove", TRIPS, "--json").out) == {
        "commit": None,
        "dataset": "raw.trips",
        "partition": "month=2024-01",
        "to": "",
        "partitions": 0,
        "notes": [],
    }


def test_drop_takes_a_dataset_away_once(lake: Run, here: Path) -> None:
    (here / "models").mkdir(exist_ok=True)
    (here / "models" / "daily.sql").write_text(
        "-- /// lake\n-- ///\nSELECT count(*) AS n FROM raw.trips\n"
    )
    assert lake("drop", "raw.trips") == Ran(
        0,
        "dropped raw.trips, 2 partitions: commit 3\n",
        "note: curated.daily reads it: it cannot be built any more\n",
    )
    assert lake("drop", "raw.trips") == Ran(0, "nothing to do: raw.trips was dropped already\n", "")
    assert lake("rollback", "raw.trips") == Ran(
        0,
        f"{TRIPS}  restored v1 as v3: 2 rows\n"
        "raw.trips/month=2024-02  restored v1 as v3: 1 row\n"
        "as at commit 2: commit 4\n",
        "",
    )


def test_rename_gives_a_dataset_another_name_once(lake: Run) -> None:
    assert lake("rename", "raw.trips", "raw.rides") == Ran(
        0, "raw.trips is called raw.rides: commit 3\n", ""
    )
    assert lake("rename", "raw.trips", "raw.rides") == Ran(
        0, "nothing to do: raw.trips is called raw.rides already\n", ""
    )
    assert lake("ls", "raw.trips") == Ran(
        1, "", "error: raw.trips was renamed to raw.rides in commit 3\n"
    )
    assert lake("rename", "raw.rides", "raw.trips") == Ran(
        1,
        "",
        "error: raw.rides cannot be called raw.trips: the lake has or had a dataset of that name,"
        " which former commits are read by; choose another name\n",
    )
    assert lake("log", "raw.rides").out.splitlines()[1].split()[:1] == ["3"]


def test_release_publishes_what_is_held(lake: Run, here: Path) -> None:
    (here / "bad.csv").write_text("id,fare\n7,2.5\n8,9,9\n")
    land = lake("land", "bad.csv", "--as", "raw.trips", "--partition", "month=2024-01")
    assert land.code == 1
    found = lake("release", TRIPS)
    assert (found.code, found.err) == (0, "")
    first, last = found.out.splitlines()
    assert first.startswith(f"{TRIPS}  released v2 as v3: 1 row; it was held: 1 row was rejected")
    assert last == "commit 4"
    assert lake("release", TRIPS) == Ran(0, f"nothing to do: {TRIPS} is not held\n", "")
    assert json.loads(lake("release", TRIPS, "--json").out) == {"commit": None, "partitions": []}


def test_gc_says_what_would_go_and_then_deletes_it(twice: Run) -> None:
    assert twice("gc") == Ran(
        0, "nothing to delete: every snapshot, tags and what is held need all of it\n", ""
    )
    code, out, err = twice("gc", "--keep", "0 days")
    assert (code, err) == (0, "")
    first, last = out.splitlines()
    assert first.startswith("raw.trips  4 objects of former versions, ")
    assert last.endswith(
        " would be deleted, snapshots from commit 3 on kept: `lake gc --delete` does it"
    )
    done = twice("gc", "--keep", "0 days", "--delete")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == first
    assert done.out.splitlines()[1].startswith("deleted 4 objects, ")
    assert done.out.endswith(", snapshots from commit 3 on kept: commit 4\n")
    assert twice("gc", "--keep", "0 days", "--delete") == Ran(
        0,
        "nothing to delete: snapshots from commit 4 on, tags and what is held need all of it\n",
        "",
    )
    assert twice("verify").code == 0
    assert twice("sql", "SELECT 1 FROM raw.trips", "--at", "1") == Ran(
        1,
        "",
        "error: raw.trips at commit 1 cannot be read any more: `lake gc` collected its files in"
        " commit 4; read a newer snapshot (`lake log` lists them), or tag what is to be kept\n",
    )


def test_gc_as_json(twice: Run) -> None:
    found = json.loads(twice("gc", "--keep", "0 days", "--json").out)
    objects = found.pop("objects")
    assert found.pop("bytes") == sum(one["bytes"] for one in objects)
    assert found == {"deleted": False, "commit": None, "kept_since": 3, "versions": 1}
    assert [one["why"] for one in objects] == ["expired"] * 4


def test_gc_wants_a_duration(lake: Run) -> None:
    assert lake("gc", "--keep", "a while") == Ran(
        1,
        "",
        "error: 'a while' is no duration: write a whole number and second, minute, hour, day or"
        " week, such as '60 days'\n",
    )


def test_tags_are_listed_and_deleted(lake: Run) -> None:
    assert lake("tag") == Ran(0, "", "no tag yet\n")
    lake("tag", "first", "--at", "1")
    assert lake("tag") == Ran(0, "tag    commit\nfirst       1\n", "")
    assert json.loads(lake("tag", "--json").out) == [{"tag": "first", "commit": 1}]
    assert lake("tag", "first", "--delete") == Ran(0, "first was commit 1: deleted\n", "")
    assert lake("tag", "first", "--delete") == Ran(0, "nothing to do: there is no tag first\n", "")
    assert lake("tag", "--delete") == Ran(
        2,
        "",
        "error: --at and --delete need a NAME, and exclude each other; see `lake tag --help`\n",
    )


def test_log_shows_a_span(lake: Run) -> None:
    lake("tag", "first", "--at", "1")
    header = "commit  committed at          message                       changes\n"
    assert lake("log", "-n", "1") == Ran(
        0,
        "commit  committed at          message                changes\n"
        "     3  TIME  tag first at commit 1  1 tag\n",
        "",
    )
    assert lake("log", "--since", "first", "--until", "1") == Ran(
        0, f"{header}     1  TIME  land raw.trips/month=2024-01  1 replace\n", ""
    )
    assert lake("log", "--since", "2999-01-01") == Ran(0, "", "no commit in that time\n")
    assert lake("log", "--since", "soon") == Ran(
        1, "", "error: there is no tag 'soon' at commit 3; tags: first\n"
    )
