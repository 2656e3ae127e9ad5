import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli.ran import Ran, Run

CSV = "id,fare\n1,2.5\n2,3.5\n"


class _Stdin(io.TextIOWrapper):
    pass


def _give(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", _Stdin(io.BytesIO(text.encode())))


def test_a_file_lands_once(run: Run, here: Path) -> None:
    run("init", "data")
    (here / "trips.csv").write_text(CSV)
    words = ("land", "trips.csv", "--as", "raw.trips", "--partition", "month=2024-01")
    first, again = run(*words, "--lake", "data"), run(*words, "--lake", "data")
    landed = [*(here / "data" / "raw").rglob("trips.csv"), *(here / "data").rglob("data.parquet")]
    size = sum(path.stat().st_size for path in landed)
    assert first == Ran(
        0, f"raw.trips/month=2024-01  landed v1: 2 rows, {size} B\n1 landed: commit 1\n", ""
    )
    assert again == Ran(
        0,
        "raw.trips/month=2024-01  unchanged: v1 has these bytes\n"
        "1 unchanged: nothing to do, the lake stays at commit 1\n",
        "",
    )


def test_other_bytes_are_the_next_version(lake: Run, here: Path) -> None:
    (here / "trips_2024-01.csv").write_text("id,fare\n9,9.5\n")
    ran = lake(
        "land", "trips_2024-01.csv", "--as", "raw.trips", "--partition", "month=2024-01", "--json"
    )
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(ran.out)
    assert [sorted(one) for one in found] == [
        [
            "bytes",
            "commit",
            "dataset",
            "note",
            "outcome",
            "partition",
            "rejected",
            "rows",
            "version",
        ]
    ]
    assert (found[0]["outcome"], found[0]["version"], found[0]["commit"]) == ("landed", 2, 3)


def test_what_comes_through_a_pipe_is_landed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("init", "data")
    _give(monkeypatch, CSV)
    ran = run("land", "-", "--as", "raw.trips", "--lake", "data")
    assert (ran.code, ran.out.splitlines()[-1], ran.err) == (0, "1 landed: commit 1", "")
    shown = json.loads(run("show", "raw.trips", "--lake", "data", "--json").out)
    assert shown["current"]["source"] == {"url": "-", "name": "stdin", "sha256": "SHA256"}
    _give(monkeypatch, CSV)
    assert run("land", "-", "--as", "raw.trips", "--lake", "data").out.startswith(
        "raw.trips  unchanged: v1 has these bytes\n"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a/b", "a%2Fb"),
        ("a=b", "a%3Db"),
        ("100%", "100%25"),
        ("a b", "a%20b"),
        ("🚕", "%F0%9F%9A%95"),
        ("../up", "..%2Fup"),
    ],
)
def test_any_text_is_a_partition(run: Run, here: Path, value: str, text: str) -> None:
    run("init", "data")
    (here / "trips.csv").write_text(CSV)
    lake = ("--lake", "data")
    landed = run("land", "trips.csv", "--as", "raw.trips", "--partition", f"kind={value}", *lake)
    assert (landed.code, landed.err) == (0, "")
    assert landed.out.startswith(f"raw.trips/kind={text}  landed v1: 2 rows")
    query = "SELECT DISTINCT kind FROM raw.trips"
    assert json.loads(run("sql", query, "--json", *lake).out) == [{"kind": value}]
    assert run("get", f"raw.trips/kind={text}", "-o", "back", *lake).code == 0
    assert (here / "back" / "trips.csv").read_text() == CSV


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--as", "../x"), "'../x' is no dataset: write raw.NAME or curated.NAME"),
        (("--as", ""), "'' is no dataset: write raw.NAME or curated.NAME"),
        (("--as", "raw.Trips"), "'raw.Trips' is no dataset: a name is lower-case letters, digits"),
        (("--as", "raw.a__b"), "'raw.a__b' is no dataset: a name is lower-case letters, digits"),
        (("--as", "raw.x", "--partition", "month="), "partition 'month' has an empty value"),
        (("--as", "raw.x", "--partition", "=x"), "'' is no partition key: it is letters"),
        (("--as", "raw.x", "--partition", "month"), "--partition 'month': write KEY=VALUE"),
        (("--as", "raw.x", "--partition", "a/b=1"), "'a/b' is no partition key: it is letters"),
        (
            ("--as", "raw.trips", "--partition", "day=1"),
            "raw.trips is partitioned by month, and this partition has the keys day",
        ),
        (("--as", "raw.trips"), "raw.trips is partitioned by month, and this partition has none"),
    ],
)
def test_a_name_that_can_be_none_is_one_error(
    lake: Run, words: tuple[str, ...], error: str
) -> None:
    code, out, err = lake("land", "trips_2024-01.csv", *words)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"error: {error}")


def test_a_file_that_is_not_there_is_an_error_also_where_the_lake_has_it(lake: Run) -> None:
    words = ("land", "gone.csv", "--as", "raw.trips", "--partition", "month=2024-01")
    assert lake(*words) == Ran(
        1, "", "error: there is no file HERE/gone.csv: look at the name, or at the folder\n"
    )
    assert json.loads(lake("ls", "--json").out)[0]["changed_in"] == 2


def test_a_source_that_nobody_declared_is_named(run: Run, here: Path) -> None:
    (here / "lake.toml").write_text('[lake]\nurl = "data"\n[sources.trips]\nurl = "trips.csv"\n')
    run("init")
    assert run("land", "tripps") == Ran(
        1, "", "error: there is no source 'tripps'; did you mean trips?\n"
    )
    assert run("land", "trips.csv") == Ran(
        1,
        "",
        "error: there is no source 'trips.csv'; did you mean trips?; a file is landed with"
        " --as raw.NAME\n",
    )


def test_what_cannot_be_joined_is_held_and_the_view_stays(lake: Run, here: Path) -> None:
    query = ("sql", "COPY (SELECT [1] AS fare) TO 'nested.parquet'")
    assert lake(*query) == Ran(0, "", "")
    words = ("land", "nested.parquet", "--as", "raw.trips", "--partition", "month=2024-03")
    code, out, err = lake(*words)
    assert code == 1
    assert out == ("raw.trips/month=2024-03  held: kept as v1, not current\n1 held: commit 3\n")
    assert err.startswith(
        "error: raw.trips/month=2024-03 is held: column 'fare' cannot be read together: "
    )
    assert err.count("\n") == 1
    assert lake("sql", "SELECT count(*) AS n FROM raw.trips").out == "n\n3\n"
    status = json.loads(lake("status", "--json").out)
    assert [(one["partition"], one["version"]) for one in status["held"]] == [("month=2024-03", 1)]
    assert lake("ls", "raw.trips").out.splitlines()[0].split() == [
        *("partition", "version", "rows", "bytes", "landed", "at", "held")
    ]


def _project(here: Path) -> None:
    (here / "lake.toml").write_text(
        '[lake]\nurl = "data"\n'
        '[sources.trips]\nurl = "trips_{month}.csv"\n'
        'partition.month = { every = "month" }\n'
        '[sources.zones]\nurl = "zones.csv"\n'
    )
    for month in ("2024-01", "2024-02"):
        (here / f"trips_{month}.csv").write_text(CSV)


def test_one_source_that_fails_does_not_stop_the_others(run: Run, here: Path) -> None:
    _project(here)
    run("init")
    code, out, err = run("land")
    assert code == 1
    assert err == "error: there is no file HERE/zones.csv: look at the name, or at the folder\n"
    assert [text.split(":")[0] for text in out.splitlines()] == [
        "raw.trips/month=2024-01  landed v1",
        "raw.trips/month=2024-02  landed v1",
        "2 landed",
    ]
    code, out, err = run("land", "--json")
    assert [one["outcome"] for one in json.loads(out)] == ["unchanged", "unchanged"]
    assert (code, err.count("\n")) == (1, 1)


def test_every_error_has_a_line_of_its_own(run: Run, here: Path) -> None:
    _project(here)
    (here / "trips_2024-01.csv").write_bytes(b"")
    run("init")
    code, _, err = run("land")
    assert code == 1
    assert [text.startswith("error: ") for text in err.splitlines()] == [True, True]


def test_a_plan_fetches_nothing(run: Run, here: Path) -> None:
    _project(here)
    run("init")
    (here / "trips_2024-02.csv").write_text(CSV)
    asked = run("land", "trips", "--plan", "--since", "2024-02")
    assert asked == Ran(
        0,
        "raw.trips/month=2024-02  missing: 20 B from HERE/trips_2024-02.csv\n1 to land, 20 B\n",
        "",
    )
    assert json.loads(run("land", "trips", "--plan", "--until", "2024-01", "--json").out) == [
        {
            "dataset": "raw.trips",
            "partition": "month=2024-01",
            "what": "missing",
            "version": 0,
            "bytes": 20,
            "from": ["HERE/trips_2024-01.csv"],
        }
    ]
    assert run("ls", "--json").out == "[]\n"


SECRET = {"USER_": "ada", "PASS_": "s3cr3t"}


def _secret_source(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRET.items():
        monkeypatch.setenv(name, value)
    (here / "lake.toml").write_text(
        '[lake]\nurl = "data"\n'
        '[sources.trips]\nurl = "https://${USER_}:${PASS_}@127.0.0.1:9/t.csv?token=${PASS_}&a=1"\n'
    )


@pytest.mark.parametrize("words", [("land", "--plan"), ("elt", "--plan")])
def test_a_plan_shows_no_secret(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    _secret_source(here, monkeypatch)
    run("init")
    for ran in (run(*words), run(*words, "--json")):
        assert ran.code == 1
        assert "https://127.0.0.1:9/t.csv?a=1 failed 2 times in a row" in ran.err
        assert "s3cr3t" not in ran.out + ran.err


@pytest.mark.parametrize("more", [(), ("--plan",), ("--json",)])
@pytest.mark.parametrize("scheme", ["ftp", "s3", "S3"])
def test_a_url_of_another_kind_is_refused_without_its_secret(
    run: Run, scheme: str, more: tuple[str, ...]
) -> None:
    run("init", "data")
    url = f"{scheme}://user:s3cr3t@x/y.csv"
    assert run("land", url, "--as", "raw.t", "--lake", "data", *more) == Ran(
        1,
        "",
        f"error: {scheme.lower()}://x/y.csv cannot be fetched: {scheme}:// is not supported by this"
        " version; give a path, file:///… or https://…\n",
    )


def test_a_url_in_place_of_a_source_shows_no_secret(run: Run) -> None:
    run("init", "data")
    for more in ((), ("--plan",)):
        ran = run("land", "https://user:s3cr3t@x/y.csv", "--lake", "data", *more)
        assert (ran.code, ran.out) == (1, "")
        assert "s3cr3t" not in ran.err


def test_a_variable_that_holds_a_url_of_another_kind_is_refused(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASE", "ftp://user:s3cr3t@x")
    (here / "lake.toml").write_text('[lake]\nurl = "data"\n[sources.t]\nurl = "${BASE}/y.csv"\n')
    run("init")
    code, out, err = run("land")
    assert (code, out) == (1, "")
    assert err.startswith("error: ftp://x/y.csv cannot be fetched: ftp:// is not supported")


def test_a_source_that_cannot_be_planned_does_not_hide_the_others(run: Run, here: Path) -> None:
    (here / "lake.toml").write_text(
        '[lake]\nurl = "data"\n'
        '[sources.a]\nurl = "a_{month}.csv"\npartition.month = { every = "month" }\n'
        '[sources.b]\nurl = "b.csv"\n'
        '[sources.c]\nurl = "${NOT_SET}/c.csv"\n'
    )
    (here / "b.csv").write_text(CSV)
    run("init")
    errors = [
        "error: no file fits a_{month}.csv: look at the path, or at the folder",
        "error: [sources.c] url: the environment variable NOT_SET is not set: export NOT_SET first",
    ]
    code, out, err = run("land", "--plan")
    assert (code, out, err.splitlines()) == (
        1,
        "raw.b  missing: 20 B from HERE/b.csv\n1 to land, 20 B\n",
        errors,
    )
    code, out, err = run("land", "--plan", "--json")
    assert (code, [one["dataset"] for one in json.loads(out)]) == (1, ["raw.b"])
    assert err.splitlines() == errors
    assert run("land", "a", "--plan") == Ran(1, "", errors[0] + "\n")


NO_TEXT = "bad\udcff.csv"


def test_a_file_name_that_is_no_text_is_recorded_percent_encoded(run: Run, here: Path) -> None:
    (here / NO_TEXT).write_text(CSV)
    run("init", "data")
    lake = ("--lake", "data")
    assert run("land", NO_TEXT, "--as", "raw.n4", *lake).code == 0
    shown = json.loads(run("show", "raw.n4", "--json", *lake).out)["current"]
    assert shown["source"]["name"] == "bad%FF.csv"
    assert shown["source"]["url"].endswith("/bad%FF.csv")
    (path,) = (here / "data").rglob("_receipt.json")
    receipt = json.loads(path.read_text(encoding="utf-8"))
    assert receipt["sources"][0]["name"] == "bad%FF.csv"
    assert run("land", NO_TEXT, "--as", "raw.n4", *lake).out.startswith("raw.n4  unchanged: ")
    planned = run("land", NO_TEXT, "--as", "raw.n5", "--plan", "--json", *lake).out
    assert json.loads(planned.encode())[0]["from"] == [NO_TEXT]
    assert run("get", "raw.n4", "-o", "back", *lake).code == 0
    assert (here / "back" / "bad%FF.csv").read_text() == CSV


def test_a_glob_may_find_a_file_name_that_is_no_text(run: Run, here: Path) -> None:
    (here / NO_TEXT).write_text(CSV)
    (here / "good.csv").write_text(CSV)
    (here / "lake.toml").write_text('[lake]\nurl = "data"\n[sources.n]\nurl = "*.csv"\n')
    run("init")
    assert run("land").out.startswith("raw.n  landed v1: 4 rows, ")
    assert run("sql", "SELECT count(*) AS n FROM raw.n").out == "n\n4\n"


def test_a_partition_whose_files_vanish_is_told_and_kept(run: Run, here: Path) -> None:
    (here / "lake.toml").write_text(
        '[lake]\nurl = "data"\n[sources.trips]\nurl = "trips_{month}.csv"\n'
        'partition.month = { every = "month" }\n'
    )
    months = [here / f"trips_2024-0{number}.csv" for number in (1, 2, 3)]
    for month in months:
        month.write_text(CSV)
    run("init")
    run("land")
    months[0].unlink()
    assert run("land", "--plan", "--until", "2024-01").out == (
        "raw.trips/month=2024-01  gone at the source: v1 is kept\nnothing to land\n"
    )
    code, out, err = run("land", "--since", "2024-02")
    assert (code, err, "2024-01" in out) == (0, "", False)
    code, out, err = run("land")
    assert (code, err) == (0, "")
    assert out.splitlines()[2:] == [
        "raw.trips/month=2024-01  gone at the source: v1 is kept",
        "2 unchanged, 1 gone: commit 2",
    ]
    assert [one["gone"] for one in json.loads(run("ls", "raw.trips", "--json").out)] == [
        *(True, False, False)
    ]
    assert run("land").out.splitlines()[-1].endswith("the lake stays at commit 2")
    assert run("sql", "SELECT count(*) AS n FROM raw.trips").out == "n\n6\n"
    months[0].write_text("id,fare\n7,7.5\n")
    assert run("land").out.startswith("raw.trips/month=2024-01  landed v2: 1 row")
    for month in months:
        month.unlink()
    assert run("land") == Ran(
        1, "", "error: no file fits trips_{month}.csv: look at the path, or at the folder\n"
    )
    assert not any(one["gone"] for one in json.loads(run("ls", "raw.trips", "--json").out))


def test_of_a_glob_with_values_each_value_may_vanish_alone(run: Run, here: Path) -> None:
    (here / "lake.toml").write_text(
        '[lake]\nurl = "data"\n[sources.trips]\nurl = "{kind}_*.csv"\n'
        'partition.kind = { values = ["a", "b"] }\n'
    )
    run("init")
    (here / "a_1.csv").write_text(CSV)
    code, out, err = run("land")
    assert (code, out.startswith("raw.trips/kind=a  landed v1: ")) == (1, True)
    assert err == (
        "error: no file of raw.trips/kind=b is where its source looks: look at the path, or at the"
        " folder\n"
    )
    (here / "a_1.csv").rename(here / "b_1.csv")
    code, out, err = run("land")
    assert (code, err) == (0, "")
    assert out.startswith("raw.trips/kind=a  gone at the source: v1 is kept\n")
    (here / "b_1.csv").unlink()
    assert run("land") == Ran(
        1, "", "error: no file fits {kind}_*.csv: look at the path, or at the folder\n"
    )
