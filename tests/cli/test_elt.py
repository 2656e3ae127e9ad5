import json
from pathlib import Path

import pytest

from tests.cli.ran import Ran, Run

MODEL = """\
-- /// lake
-- description = "Fares per month"
-- owner = "me"
-- partition_by = "month"
-- reads.trips = "same"
-- checks = [{ not_null = "fares" }, { row_count = { min = 5 }, severity = "warn" }]
-- ///
SELECT month, count(*) AS trips, sum(fare) AS fares FROM raw.trips GROUP BY month
"""


@pytest.fixture
def project(run: Run, here: Path) -> Run:
    """Run `lake` in a project with a source, a model and a table."""
    (here / "lake.toml").write_text(
        '[lake]\nurl = "data"\n[sources.trips]\nurl = "trips_{month}.csv"\n'
        'partition.month = { every = "month" }\n[warehouse]\nload = ["fares"]\n'
    )
    (here / "models").mkdir()
    (here / "models" / "fares.sql").write_text(MODEL)
    (here / "trips_2024-01.csv").write_text("id,fare\n1,2.5\n2,3.5\n")
    run("init")
    return run


def test_elt_takes_new_bytes_to_the_warehouse_and_then_has_nothing_to_do(project: Run) -> None:
    code, out, err = project("elt")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("raw.trips/month=2024-01  landed v1: 2 rows, ")
    assert lines[1:] == [
        "curated.fares  1 build: 1 partition changed, 1 row, 1 check passed",
        "  warning: row_count found 1 row",
        "fares  loaded 1 partition: 1 row in the table",
        "commit 3",
    ]
    assert project("elt") == Ran(
        0,
        "raw.trips/month=2024-01  unchanged: v1 has these bytes\n"
        "curated.fares  unchanged\n"
        "fares  unchanged: 1 row in the table\n"
        "nothing to do, the lake stays at commit 3\n",
        "",
    )


def test_each_stage_goes_alone(project: Run) -> None:
    assert project("load") == Ran(
        1,
        "",
        "error: there is no dataset curated.fares yet: land what it reads, then run `lake transform"
        " fares`\n",
    )
    project("land")
    assert project("transform", "--plan") == Ran(0, "curated.fares  1 build: never built\n", "")
    assert project("transform", "--audit").out.splitlines()[-1] == "audited: nothing was published"
    assert project("transform").out.splitlines()[-1] == "commit 2"
    assert project("transform", "--plan") == Ran(0, "nothing to transform\n", "")
    assert project("load", "--plan") == Ran(0, "fares  1 partition: month=2024-01\n", "")
    assert json.loads(project("load", "--json").out) == [
        {
            "table": "fares",
            "loaded": ["month=2024-01"],
            "removed": [],
            "rows": 1,
            "unchanged": 0,
        }
    ]
    assert project("load", "--plan") == Ran(0, "nothing to load\n", "")
    assert project("status").out.splitlines()[-1] == "fares  TIME     1"


def test_a_load_of_some_periods_is_planned_and_the_rest_is_told_to_be_missing(
    project: Run, here: Path
) -> None:
    for month in ("2024-02", "2024-03"):
        (here / f"trips_{month}.csv").write_text("id,fare\n1,2.5\n")
    project("land")
    project("transform")
    some = ("--since", "2024-02", "--until", "2024-02")
    assert project("load", *some, "--plan") == Ran(0, "fares  1 partition: month=2024-02\n", "")
    loaded = Ran(0, "fares  loaded 1 partition: 1 row in the table\n", "")
    assert project("load", *some) == loaded
    assert project("load", *some, "--plan") == Ran(0, "nothing to load\n", "")
    assert project("load", *some) == Ran(0, "fares  unchanged: 1 row in the table\n", "")
    told = [line.split() for line in project("status").out.splitlines()]
    said = "2 partitions to load: month=2024-01, month=2024-03"
    assert ["fares", "3", "1", *said.split()] in told
    rest = "fares  2 partitions: month=2024-01, month=2024-03\n"
    assert project("load", "--plan") == Ran(0, rest, "")
    assert project("elt", "--until", "2024-02").out.splitlines()[-2] == (
        "fares  loaded 1 partition: 2 rows in the table"
    )
    plan = json.loads(project("elt", "--plan", "--json", "--since", "2024-03").out)
    assert plan["load"] == [{"table": "fares", "partitions": ["month=2024-03"]}]
    assert project("load").out == "fares  loaded 1 partition: 3 rows in the table\n"
    assert project("load", *some, "--reconcile") == Ran(
        2,
        "",
        "error: --reconcile compares whole tables, without --since and --until; see `lake load"
        " --help`\n",
    )
    assert project("load", "--since", "2024-03", "--until", "2024-01") == Ran(
        1, "", "error: since 2024-03 is later than until 2024-01\n"
    )


def test_a_table_that_is_none_is_told_with_those_that_are(project: Run) -> None:
    for more in ((), ("--plan",)):
        assert project("load", "nope", *more) == Ran(
            1, "", "error: 'nope' is not in [warehouse] load: there is fares\n"
        )
        assert project("load", "faers", *more) == Ran(
            1, "", "error: 'faers' is not in [warehouse] load; did you mean fares?\n"
        )


def test_a_failed_check_withholds_its_model_and_says_what_it_found(
    project: Run, here: Path
) -> None:
    model = here / "models" / "fares.sql"
    model.write_text(MODEL.replace('severity = "warn"', 'severity = "error"'))
    project("land")
    code, out, err = project("transform")
    assert (code, out) == (1, "curated.fares  failed, not published\ncommit 2\n")
    assert err == ("error: curated.fares was withheld: check row_count found 1 row: count=1\n")
    runs = json.loads(project("transform", "--json").out)
    assert [(one["dataset"], one["status"]) for one in runs] == [("curated.fares", "failed")]


def test_a_model_that_is_wrong_is_named_with_its_place(project: Run, here: Path) -> None:
    (here / "models" / "fares.sql").write_text("SELECT *\nFROM raw.nothing\n")
    project("land")
    code, out, err = project("transform")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: models/fares.sql:2:6: ")


def test_elt_plans_every_stage_and_does_nothing(project: Run) -> None:
    assert json.loads(project("elt", "--plan", "--json").out) == {
        "land": [
            {
                "dataset": "raw.trips",
                "partition": "month=2024-01",
                "what": "missing",
                "version": 0,
                "bytes": 20,
                "from": ["HERE/trips_2024-01.csv"],
            }
        ],
        "transform": [],
        "load": [],
    }
    assert project("ls", "--json").out == "[]\n"


def test_apply_declares_what_differs_and_names_what_is_gone(project: Run, here: Path) -> None:
    assert project("apply") == Ran(
        0, "source trips  new\nmodel fares  new\ntable fares  new\ncommit 1\n", ""
    )
    assert project("apply") == Ran(0, "nothing changed: the lake stays at commit 1\n", "")
    (here / "models" / "fares.sql").unlink()
    toml = here / "lake.toml"
    toml.write_text(toml.read_text().replace('month"', 'month", lag = "9 days"'))
    assert project("apply") == Ran(
        0,
        "source trips  changed\n"
        "model fares  is in the log only: its file or table is gone, its data stay\n"
        "commit 2\n",
        "",
    )


def test_a_lake_opens_with_its_sources_and_models_without_the_project(
    project: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project("elt")
    (here / "elsewhere").mkdir()
    (here / "lake.toml").rename(here / "kept.toml")
    monkeypatch.chdir(here / "elsewhere")
    url = ("--lake", str(here / "data"))
    assert project("transform", *url) == Ran(
        0, "curated.fares  unchanged\nthe lake stays at commit 3\n", ""
    )
    assert project("apply", *url) == Ran(
        1,
        "",
        "error: there is no lake.toml here or above, so nothing to apply: go to your project's"
        " folder\n",
    )


def test_an_interval_in_which_a_source_has_nothing_is_told(project: Run, here: Path) -> None:
    path = here / "lake.toml"
    monthly = '{ every = "month", since = "2024-01" }'
    path.write_text(path.read_text().replace('{ every = "month" }', monthly))
    said = "trips has no month between its first and 2023-12: it is declared since 2024-01, until"
    for verb in (["land"], ["land", "--plan"], ["elt"], ["elt", "--plan"]):
        assert said in project(*verb, "--until", "2023-12").err


def test_a_model_of_which_nothing_landed_is_not_called_unchanged(project: Run) -> None:
    assert project("transform").out.startswith(
        "curated.fares  not built: raw.trips has nothing yet\n"
    )
