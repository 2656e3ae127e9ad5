import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lake.cli.verbs import VERBS, group
from lake.operations.example import NEXT_STEPS
from lake.operations.start import MINIMAL
from lake.version import VERSION
from tests.cli.ran import Ran, Run

NEXT = "".join(f"{step}\n" for step in NEXT_STEPS)
LAKE = (sys.executable, "-m", "lake")


def test_version_is_one_line_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from lake.cli import main; code = main(['--version']);"
        "assert not {'click', 'duckdb', 'rich', 'json'} & set(sys.modules), sorted(sys.modules);"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"lake {VERSION}\n", "")


def test_version_is_understood_between_other_words_too(run: Run) -> None:
    assert run("--json", "--version") == Ran(0, f"lake {VERSION}\n", "")


def test_listing_a_lake_loads_no_duckdb(lake: Run) -> None:
    code = (
        "import sys; from lake.cli import main; main(['ls']);"
        "sys.exit(bool({'duckdb', 'pyarrow', 'pandas', 'rich', 'sqlglot'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_verb_has_a_module_and_a_line_of_help(run: Run) -> None:
    context = group().make_context("lake", ["ls"])
    for name in VERBS:
        command = group().get_command(context, name)
        assert command is not None
        assert command.name == name
        assert run(name, "--help").code == 0


def test_verbs_of_other_packages_load_no_prefect_before_they_are_run(here: Path) -> None:
    here.mkdir()
    code = (
        "import sys; from lake.cli import main; main(['--help']); main(['deploy', '--help']);"
        "sys.exit(main(['ls', '--lake', 'x']) != 1 or 'prefect' in sys.modules)"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=here)
    assert done.returncode == 0, done.stderr
    assert "  deploy      make the Prefect deployments that lake.toml names\n" in done.stdout
    assert "  server      run a Prefect server for this lake's flows, until Ctrl-C\n" in done.stdout


def test_verbs_whose_extra_is_missing_are_not_listed_and_say_how_to_install_it(
    here: Path,
) -> None:
    here.mkdir()
    hidden = (
        "import sys, importlib.util as util; found = util.find_spec;"
        "util.find_spec = lambda name, *more: None if name == 'prefect' else found(name, *more);"
        "from lake.cli import main; main([]); sys.exit(main(['server']))"
    )
    words = [sys.executable, "-c", hidden]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=here)
    assert (done.returncode, "deploy" in done.stdout) == (1, False)
    assert done.stderr == "error: this verb needs Prefect: pip install 'clearlake[flows]'\n"


def test_without_a_verb_the_verbs_are_listed(run: Run) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out.startswith("Usage: lake [OPTIONS] VERB …\n")
    for name, what in VERBS.items():
        assert f"  {name:<10}  {what}\n" in out


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("lands",), "there is no verb 'lands'; did you mean land? See `lake --help`"),
        (("ls", "--foo"), "No such option '--foo'; see `lake ls --help`"),
        (("get", "raw.x"), "Missing option '-o' / '--output'; see `lake get --help`"),
        (
            ("land", "x", "--partition", "a=b"),
            "--partition needs --as: a source says its own partitions; see `lake land --help`",
        ),
        (
            ("land", "a", "b", "--as", "raw.x"),
            "--as takes exactly one FILE, URL or - (stdin); see `lake land --help`",
        ),
        (
            ("land", "a", "--as", "raw.x", "--since", "2024-01"),
            "--since and --until are for sources, not beside --as; see `lake land --help`",
        ),
        (
            ("transform", "--plan", "--audit"),
            "--plan and --audit exclude each other; see `lake transform --help`",
        ),
        (
            ("sql", "select 1", "--json", "--format", "csv"),
            "--json and --format csv exclude each other; see `lake sql --help`",
        ),
        (
            ("init", "x", "--example", "nyc-taxi"),
            "--example writes a lake.toml with the URL: leave the URL out; see `lake init --help`",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_exits_with_2(
    run: Run, words: tuple[str, ...], error: str
) -> None:
    assert run(*words) == Ran(2, "", f"error: {error}\n")


def test_init_writes_a_project_and_makes_the_lake(run: Run, here: Path) -> None:
    assert run("init") == Ran(
        0, "wrote lake.toml\nmade the lake file://HERE/.lake, time zone UTC\n", ""
    )
    assert (here / "lake.toml").read_text() == MINIMAL
    assert (here / "models").is_dir()


def test_init_again_changes_nothing(run: Run, here: Path) -> None:
    run("init")
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert run("init", "--timezone", "Europe/Paris") == Ran(
        0,
        "the lake file://HERE/.lake is there already, at commit 0\n",
        "its time zone is UTC and stays so\n",
    )
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


def test_init_with_a_url_writes_no_project(run: Run, here: Path) -> None:
    ran = run("init", "data", "--timezone", "Europe/Paris", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out) == {
        "lake": "file://HERE/data",
        "id": "UUID",
        "timezone": "Europe/Paris",
        "new": True,
        "commit": 0,
        "written": [],
    }
    assert not (here / "lake.toml").exists()


def test_the_example_is_a_project_that_applies(run: Run) -> None:
    assert run("init", "--example", "nyc-taxi") == Ran(
        0,
        "wrote lake.toml\nwrote models/yellow_trips.sql\nwrote models/green_trips.sql\n"
        "wrote models/daily_revenue.sql\n"
        "made the lake file://HERE/.lake, time zone America/New_York\n",
        NEXT,
    )
    assert run("init", "--example", "nyc-taxi") == Ran(
        0, "the lake file://HERE/.lake is there already, at commit 0\n", NEXT
    )
    assert run("apply") == Ran(
        0,
        "source yellow_trips  new\nsource green_trips  new\nsource taxi_zones  new\n"
        "model daily_revenue  new\nmodel green_trips  new\nmodel yellow_trips  new\n"
        "table yellow_trips  new\ntable daily_revenue  new\ncommit 1\n",
        "",
    )


def test_the_example_overwrites_nothing(run: Run, here: Path) -> None:
    (here / "lake.toml").write_text("[lake]\n")
    assert run("init", "--example", "nyc-taxi") == Ran(
        1, "", "error: HERE/lake.toml is there with another text: choose an empty folder\n"
    )
    assert not (here / "models").exists()


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("s4://bucket", "'s4://bucket' can be no lake: no backend for s4://"),
        ("file://host/x", "'file://host/x' can be no lake: file://host/x names a host"),
        ("/proc/lake", "no lake can be made at file:///proc/lake: "),
    ],
)
def test_a_place_that_can_be_no_lake_is_one_error(run: Run, url: str, error: str) -> None:
    code, out, err = run("init", url)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"error: {error}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_one_error(run: Run, here: Path) -> None:
    here.chmod(0o500)
    code, out, err = run("init", "lake")
    here.chmod(0o700)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: no lake can be made at file://HERE/lake: ")


def test_a_wrong_time_zone_is_one_error(run: Run) -> None:
    assert run("init", "data", "--timezone", "Mars/Base") == Ran(
        1, "", "error: 'Mars/Base' is no time zone: write one such as Europe/Paris\n"
    )


def test_no_lake_named_is_one_error(run: Run) -> None:
    assert run("ls") == Ran(
        1,
        "",
        "error: no lake is named: give --lake URL, set LAKE_URL, or write a lake.toml with"
        " `lake init`\n",
    )


def test_no_lake_at_the_place_is_one_error(run: Run) -> None:
    assert run("ls", "--lake", "nowhere") == Ran(
        1,
        "",
        "error: there is no lake at file://HERE/nowhere: make one with"
        " `lake init file://HERE/nowhere`\n",
    )


def test_common_options_go_before_and_behind_the_verb(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init", "one")
    assert run("--lake", "one", "--json", "ls") == Ran(0, "[]\n", "")
    assert run("ls", "--json", "--lake", "one") == Ran(0, "[]\n", "")
    assert run("--lake", "other", "ls", "--lake", "one", "--json") == Ran(0, "[]\n", "")
    monkeypatch.setenv("LAKE_URL", "one")
    assert run("ls", "--json") == Ran(0, "[]\n", "")


def test_env_chooses_a_part_of_the_project(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "lake.toml").write_text(
        '[lake]\nurl = "dev"\n[env.prod]\nlake.url = "prod"\n', encoding="utf-8"
    )
    run("init", "prod")
    assert run("ls", "--env", "prod", "--json") == Ran(0, "[]\n", "")
    monkeypatch.setenv("LAKE_ENV", "prod")
    assert run("ls", "--json") == Ran(0, "[]\n", "")


def test_a_typo_in_the_project_is_one_error(run: Run, here: Path) -> None:
    (here / "lake.toml").write_text('[lake]\nulr = "dev"\n', encoding="utf-8")
    code, out, err = run("ls")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: HERE/lake.toml: [lake] ")
    assert "ulr" in err
    assert "url" in err


def test_a_lake_of_a_later_format_is_left_alone(run: Run, here: Path) -> None:
    run("init", "data")
    for name in ("lake.json", "checkpoint.json"):
        path = here / "data" / "_lake" / name
        path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    for words in (("ls",), ("land", "x.csv", "--as", "raw.x"), ("verify",)):
        code, out, err = run(*words, "--lake", "data")
        assert (code, out) == (1, "")
        assert err == (
            "error: file://HERE/data: _lake/checkpoint.json has format 2, this clearlake knows 1:"
            " upgrade clearlake\n"
        )


def test_a_hole_in_the_log_stops_every_verb(lake: Run, here: Path) -> None:
    hole = here / ".lake" / "_lake" / "log" / f"{1:020}.json"
    hole.unlink()
    cache = here.parent / "cache"
    for path in cache.rglob("*.json"):
        path.unlink()
    lake_url = ("--lake", ".lake")
    code, out, err = lake("land", "trips_2024-01.csv", "--as", "raw.new", *lake_url)
    assert (code, out) == (1, "")
    assert err.startswith("error: the log in file://HERE/.lake has a hole: ")


def test_interrupting_is_one_line_and_exits_with_130(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        def isatty(self) -> bool:
            return False

        def read(self) -> str:
            raise KeyboardInterrupt

    run("init", "data")
    monkeypatch.setattr(sys, "stdin", Interrupted())
    # The empty line ends the one on which the terminal shows `^C`.
    assert run("sql", "--lake", "data") == Ran(
        130, "", "\nerror: interrupted; run the same command again to go on\n"
    )


def test_a_reader_who_goes_away_is_no_error(lake: Run) -> None:
    query = "SELECT range FROM range(1000000)"
    for kind in ("table", "csv", "json"):
        done = subprocess.run(
            [
                "sh",
                "-c",
                '"$@" | head -n 1 >/dev/null',
                "sh",
                *LAKE,
                "sql",
                query,
                "--format",
                kind,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("program", ["lake", "clearlake"])
def test_words_are_completed(lake: Run, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    del lake
    done = subprocess.run(
        LAKE,
        env={
            **os.environ,
            f"_{program.upper()}_COMPLETE": "bash_complete",
            "COMP_WORDS": f"{program} show raw",
            "COMP_CWORD": "2",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "plain,raw.trips\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_for_both_names(run: Run, shell: str) -> None:
    code, out, err = run("completion", shell)
    assert (code, err) == (0, "")
    assert "_LAKE_COMPLETE" in out
    assert "_CLEARLAKE_COMPLETE" in out
