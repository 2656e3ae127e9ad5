import json
from pathlib import Path

import duckdb
import pytest

from lake.cli import main
from tests.cli.ran import Ran, Run


def test_ls_lists_datasets(lake: Run) -> None:
    code, out, err = lake("ls")
    assert (code, err) == (0, "")
    header, row = out.splitlines()
    assert header.split() == ["dataset", "partitions", "rows", "bytes", "changed", "at"]
    assert row.split()[:3] + row.split()[-1:] == ["raw.trips", "2", "3", "TIME"]


def test_ls_of_an_empty_lake_says_so_beside_the_data(run: Run) -> None:
    run("init", "data")
    assert run("ls", "--lake", "data") == Ran(0, "", "no dataset yet: `lake land` brings some\n")


def test_ls_of_a_dataset_lists_its_partitions_also_of_former_times(lake: Run) -> None:
    now = json.loads(lake("ls", "raw.trips", "--json").out)
    before = json.loads(lake("ls", "raw.trips@1", "--json").out)
    assert [(one["partition"], one["version"], one["rows"]) for one in now] == [
        ("month=2024-01", 1, 2),
        ("month=2024-02", 1, 1),
    ]
    assert [one["partition"] for one in before] == ["month=2024-01"]


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (
            ("ls", "raw.tripz"),
            1,
            "there is no dataset raw.tripz at commit 2; did you mean raw.trips?",
        ),
        (("ls", "trips"), 1, "'trips' is no dataset: write raw.NAME or curated.NAME"),
        (
            ("ls", "raw.trips/month=2024-01"),
            2,
            "`lake show raw.trips/month=2024-01` shows one partition; name a dataset here;"
            " see `lake ls --help`",
        ),
        (
            ("show", "raw.trips/month=2024-03"),
            1,
            "raw.trips has no partition month=2024-03; did you mean month=2024-02?",
        ),
        (
            ("show", "raw.trips/month=2024-01@v7"),
            1,
            "raw.trips/month=2024-01 has no v7: its newest is v1",
        ),
        (("show", "raw.trips@"), 1, "'raw.trips@' ends in '@': write a commit, a tag, a time"),
        (("show", "raw.trips@99"), 1, "there is no commit 99: the newest is 2"),
        (("log", "raw.trips@soon"), 1, "there is no tag 'soon' at commit 2; tags: none"),
        (("tag", "2024"), 1, "'2024' is no tag: it starts with a letter"),
        (("tag", "v3"), 1, "'v3' is no tag: it starts with a letter"),
        (("attach", "/nowhere/x.duckdb"), 1, "cannot write /nowhere/x.duckdb: "),
        (
            ("ls", "--env", "prod"),
            1,
            "HERE/lake.toml: there is no [env.prod]: there is no [env.…] at",
        ),
        (("files", "raw.trips/month"), 1, "'month' is no partition: write KEY=VALUE"),
    ],
)
def test_what_is_not_there_is_one_error(
    lake: Run, words: tuple[str, ...], code: int, error: str
) -> None:
    found, out, err = lake(*words)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert err.startswith(f"error: {error}")


def test_show_tells_where_a_version_came_from(lake: Run, here: Path) -> None:
    del here
    code, out, err = lake("show", "raw.trips/month=2024-02@v1")
    assert (code, err) == (0, "")
    lines = [" ".join(text.split()) for text in out.splitlines()]
    assert lines[:6] == [
        "dataset raw.trips",
        "partition month=2024-02",
        "version 1",
        "commit 2",
        "landed at TIME",
        "why landing",
    ]
    assert "url file://HERE/trips_2024-02.csv" in lines
    assert "receipt raw/trips/month=2024-02/version=V/_receipt.json" in lines
    assert "raw/trips/month=2024-02/version=V/trips_2024-02.csv" in lines
    assert "the original, 14 B, sha256 SHA256" in lines
    assert any(text.startswith("1 row, ") for text in lines)


def test_show_schema_tells_the_rule_of_each_column(lake: Run) -> None:
    assert lake("show", "raw.trips", "--schema") == Ran(
        0,
        "column  type     rule\n"
        "id      BIGINT   same\n"
        "fare    DOUBLE   same\n"
        "month   VARCHAR  partition\n",
        "",
    )
    assert json.loads(lake("show", "raw.trips", "--schema", "--json").out)[0] == {
        "column": "id",
        "type": "BIGINT",
        "rule": "same",
        "runs": [
            {
                "first": "month=2024-01",
                "last": "month=2024-02",
                "column": "id",
                "type": "BIGINT",
                "files": 2,
            }
        ],
        "changes": [],
    }


def test_show_profile_tells_what_the_columns_hold(lake: Run) -> None:
    assert lake("show", "raw.trips", "--profile").out == (
        "column  type    nulls  min  max  distinct  top\n"
        "id      BIGINT      0  1    3    ≥2        -\n"
        "fare    DOUBLE      0  2.5  4.5  ≥2        -\n"
    )
    assert lake("show", "raw.trips", "--profile", "--schema") == Ran(
        2,
        "",
        "error: --schema and --profile are two tables: ask for one of them; see"
        " `lake show --help`\n",
    )


def test_show_schema_tells_the_history_of_a_column_that_drifts(lake: Run, here: Path) -> None:
    (here / "more.csv").write_text("id,fare,tip\nx,1.5,2\n")
    assert lake("land", "more.csv", "--as", "raw.trips", "--partition", "month=2024-03").code == 0
    assert lake("show", "raw.trips", "--schema").out == (
        "column  type     rule\n"
        "id      VARCHAR  as text\n"
        "fare    DOUBLE   same\n"
        "tip     BIGINT   missing in some files\n"
        "month   VARCHAR  partition\n"
        "\n"
        "drift (the other 2 had one type throughout)\n"
        "id: read as VARCHAR (as text)\n"
        "  month=2024-01 … month=2024-02  id BIGINT, 2 files\n"
        "  month=2024-03                  id VARCHAR, 1 file\n"
        "  commit 3: BIGINT became VARCHAR\n"
        "tip: read as BIGINT (missing in some files)\n"
        "  month=2024-01 … month=2024-02  not there, 2 files\n"
        "  month=2024-03                  tip BIGINT, 1 file\n"
    )


def test_log_lists_commits_newest_first(lake: Run) -> None:
    assert lake("log") == Ran(
        0,
        "commit  committed at          message                       changes\n"
        "     2  TIME  land raw.trips/month=2024-02  1 replace\n"
        "     1  TIME  land raw.trips/month=2024-01  1 replace\n",
        "",
    )
    found = json.loads(lake("log", "raw.trips/month=2024-01", "--json").out)
    assert [(one["commit"], one["version"], one["action"]) for one in found] == [(1, 1, "landing")]


def test_a_tag_names_a_snapshot(lake: Run) -> None:
    assert lake("tag", "first", "--at", "1") == Ran(0, "first is commit 1\n", "")
    assert lake("tag", "now", "--json") == Ran(0, '{\n "tag": "now",\n "commit": 3\n}\n', "")
    assert lake("sql", "SELECT count(*) AS n FROM raw.trips", "--at", "first").out == "n\n2\n"


def test_an_empty_lake_cannot_be_tagged(run: Run) -> None:
    run("init", "data")
    assert run("tag", "first", "--lake", "data") == Ran(
        1, "", "error: commit 0 is the empty lake: tag first needs something to keep\n"
    )


def test_get_gives_the_original_bytes_back(lake: Run, here: Path) -> None:
    assert lake("get", "raw.trips", "-o", "back") == Ran(
        0,
        "back/month=2024-01/trips_2024-01.csv\nback/month=2024-02/trips_2024-02.csv\n",
        "",
    )
    for month in ("2024-01", "2024-02"):
        original = here / f"trips_{month}.csv"
        assert (here / "back" / f"month={month}" / original.name).read_bytes() == (
            original.read_bytes()
        )


def test_get_overwrites_nothing(lake: Run) -> None:
    lake("get", "raw.trips", "-o", "back")
    assert lake("get", "raw.trips/month=2024-01", "-o", "back/month=2024-01") == Ran(
        1,
        "",
        "error: back/month=2024-01/trips_2024-01.csv is there already: choose an empty folder\n",
    )


def test_get_into_what_is_no_folder_is_one_error(lake: Run, here: Path) -> None:
    assert lake("get", "raw.trips/month=2024-01", "-o", "lake.toml/x") == Ran(
        1,
        "",
        "error: cannot write lake.toml/x/trips_2024-01.csv: Not a directory; choose another"
        " folder\n",
    )
    assert (here / "lake.toml").is_file()
    long = lake("get", "raw.trips/month=2024-01", "-o", "x" * 300)
    assert (long.code, long.out, long.err.count("\n")) == (1, "", 1)
    assert "File name too long" in long.err


def test_any_error_of_this_machine_is_one_line_without_its_number(lake: Run) -> None:
    code, out, err = lake("attach", "lake.toml/x.duckdb")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "Not a directory" in err
    assert "Errno" not in err


def test_attach_writes_a_file_for_any_duckdb(lake: Run, here: Path) -> None:
    assert lake("attach", "old.duckdb", "--at", "1") == Ran(
        0,
        "old.duckdb\n",
        "the lake at commit 1: ATTACH 'old.duckdb' AS lake (READ_ONLY)\n",
    )
    connection = duckdb.connect(str(here / "old.duckdb"), read_only=True)
    assert connection.sql("SELECT count(*), sum(fare) FROM raw.trips").fetchall() == [(2, 6.0)]
    connection.close()


def test_files_lists_urls(lake: Run) -> None:
    key = "HERE/.lake/raw/trips/month=2024-0{}/version=V/data.parquet"
    assert lake("files", "raw.trips") == Ran(0, f"{key.format(1)}\n{key.format(2)}\n", "")
    assert json.loads(lake("files", "raw.trips@1", "--json").out) == [{"url": key.format(1)}]


def test_files_as_duckdb_is_a_statement_that_runs(
    lake: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    del lake
    assert main(["files", "raw.trips", "--as", "duckdb"]) == 0
    statement = capsys.readouterr().out
    found = duckdb.connect().sql(f"SELECT count(*), max(month) FROM ({statement})")
    assert found.fetchall() == [(3, "2024-02")]


def test_files_as_polars_and_spark_have_the_casts_of_the_view(lake: Run, here: Path) -> None:
    lake("sql", "COPY (SELECT 4::INTEGER AS id, NULL AS fare) TO 'small.parquet'")
    words = ("--as", "raw.trips", "--partition", "month=2024-03")
    assert lake("land", "small.parquet", *words).code == 0
    del here
    polars = lake("files", "raw.trips/month=2024-03", "--as", "polars")
    assert polars == Ran(
        0,
        "pl.concat([\n"
        "    pl.scan_parquet(['HERE/.lake/raw/trips/month=2024-03/version=V/small.parquet'],"
        " glob=False, hive_partitioning=False).select("
        "pl.col('id').cast(pl.Int64).alias('id'), pl.lit(None, dtype=pl.Float64).alias('fare'),"
        " pl.lit('2024-03').cast(pl.String).alias('month')),\n"
        '], how="vertical_relaxed")\n',
        "",
    )
    spark = lake("files", "raw.trips/month=2024-03", "--as", "spark")
    assert spark == Ran(
        0,
        "functools.reduce(lambda a, b: a.unionAll(b), [\n"
        "    spark.read.parquet(*['file://HERE/.lake/raw/trips/month=2024-03/version=V/"
        "small.parquet']).select(F.col('`id`').cast('bigint').alias('id'),"
        " F.lit(None).cast('double').alias('fare'),"
        " F.lit('2024-03').cast('string').alias('month')),\n"
        "])\n",
        "",
    )


def test_a_cast_that_only_duckdb_does_alike_is_refused_elsewhere(lake: Run) -> None:
    lake("sql", "COPY (SELECT 4 AS id, 'four' AS fare) TO 'text.parquet'")
    lake("land", "text.parquet", "--as", "raw.trips", "--partition", "month=2024-03")
    assert lake("files", "raw.trips", "--as", "polars") == Ran(
        1,
        "",
        "error: column 'fare' joins DOUBLE with VARCHAR, which only DuckDB does as the lake's view:"
        " use --as duckdb\n",
    )


def test_status_tells_what_is_late(run: Run, here: Path) -> None:
    (here / "lake.toml").write_text(
        '[lake]\nurl = "data"\n[sources.trips]\nurl = "trips.csv"\nexpect_every = "1 day"\n'
    )
    run("init")
    assert run("status") == Ran(
        0,
        "file://HERE/data at commit 0\n\nsources\n"
        "source  newest  landed at  late\n"
        "trips   -       -          nothing landed yet\n",
        "",
    )
    (here / "trips.csv").write_text("id\n1\n")
    run("land")
    (found,) = json.loads(run("status", "--json").out)["sources"]
    assert (found["source"], found["newest"], found["late"]) == ("trips", "", "")
