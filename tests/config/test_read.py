import re
from datetime import timedelta
from pathlib import Path

import pytest

from lake.config import (
    Alerts,
    Config,
    Deployment,
    Key,
    Schedule,
    Source,
    TableConfig,
    Warehouse,
    load,
)
from lake.errors import InvalidConfig

WALK = """
[lake]
url = "./.lake"
timezone = "America/New_York"
[env.prod]
lake.url = "s3://acme-lake/prod"
warehouse.url = "postgresql://${PGUSER}@db/ny_taxi"

[sources.green_trips]
url = "https://example.org/trip-data/green_tripdata_{month}.parquet"
partition.month = { every = "month", since = "2023-01", lag = "60 days" }
expect_every = "35 days"
description = "Green taxi trips, one file a month"

[warehouse]
load = ["daily_revenue"]
[warehouse.tables.daily_revenue]
table = "marts.daily_revenue"

[deployments.nightly]
flow = "elt"
schedule = { cron = "0 6 * * *", timezone = "Europe/Paris" }
[alerts]
webhook = "${ALERT_WEBHOOK}"
"""


def _load(folder: Path, text: str, *, env: str | None = None, **environ: str) -> Config:
    (folder / "lake.toml").write_text(text)
    return load(None, env=env, environ=environ, cwd=folder)


def _check_refused(
    folder: Path, text: str, said: str, *, env: str | None = None, **environ: str
) -> None:
    with pytest.raises(InvalidConfig, match=f"^{re.escape(f'{folder}/{said}')}$"):
        _load(folder, text, env=env, **environ)


def test_the_example_of_the_design_is_read_whole(tmp_path: Path) -> None:
    config = _load(tmp_path, WALK)
    assert config == Config(
        root=tmp_path,
        path=tmp_path / "lake.toml",
        url=str(tmp_path / ".lake"),
        timezone="America/New_York",
        sources={
            "green_trips": Source(
                name="green_trips",
                url="https://example.org/trip-data/green_tripdata_{month}.parquet",
                partition={"month": Key("month", since="2023-01", lag=timedelta(days=60))},
                expect_every=timedelta(days=35),
                description="Green taxi trips, one file a month",
            )
        },
        warehouse=Warehouse(
            load=("daily_revenue",),
            tables={"daily_revenue": TableConfig("marts.daily_revenue")},
        ),
        deployments={
            "nightly": Deployment("elt", Schedule(cron="0 6 * * *", timezone="Europe/Paris"))
        },
        alerts=Alerts("${ALERT_WEBHOOK}"),
    )
    assert config.models == tmp_path / "models"
    assert config.sources["green_trips"].root == tmp_path


def test_the_file_of_a_folder_above_is_found(tmp_path: Path) -> None:
    (tmp_path / "lake.toml").write_text('[lake]\nurl = "lakes/one"\n')
    below = tmp_path / "notebooks" / "today"
    below.mkdir(parents=True)
    config = load(None, env=None, environ={}, cwd=below)
    assert (config.root, config.url) == (tmp_path, str(tmp_path / "lakes" / "one"))


def test_without_a_file_there_are_the_defaults(tmp_path: Path) -> None:
    assert load(None, env=None, environ={"LAKE_ENV": "prod"}, cwd=tmp_path) == Config(root=tmp_path)


def test_an_env_without_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"so no \[env.prod\]: leave out --env, or go to"):
        load(None, env="prod", environ={}, cwd=tmp_path)


def test_a_named_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"other\.toml cannot be read: No such file"):
        load(Path("other.toml"), env=None, environ={}, cwd=tmp_path)


def test_an_env_overrides_key_by_key(tmp_path: Path) -> None:
    config = _load(tmp_path, WALK, env="prod", PGUSER="ada")
    assert config.url == "s3://acme-lake/prod"
    assert config.timezone == "America/New_York"
    assert config.warehouse.url == "postgresql://ada@db/ny_taxi"
    assert config.warehouse.load == ("daily_revenue",)


def test_the_environment_names_the_env_and_the_option_beats_it(tmp_path: Path) -> None:
    text = '[env.a.lake]\nurl = "s3://a/l"\n[env.b.lake]\nurl = "s3://b/l"\n'
    assert _load(tmp_path, text, LAKE_ENV="a").url == "s3://a/l"
    config = _load(tmp_path, text, env="b", LAKE_ENV="a")
    assert (config.url, config.env) == ("s3://b/l", "b")


def test_an_unknown_env_is_refused_with_the_nearest(tmp_path: Path) -> None:
    said = "lake.toml: there is no [env.prd]: did you mean 'prod'?"
    _check_refused(tmp_path, WALK, said, env="prd")


def test_a_variable_that_is_not_set_is_named_with_its_key(tmp_path: Path) -> None:
    said = (
        "lake.toml with [env.prod]: [warehouse] url: the environment variable PGUSER is not set:"
        " export PGUSER first"
    )
    _check_refused(tmp_path, WALK, said, env="prod")


def test_variables_of_another_env_and_of_a_source_need_not_be_set(tmp_path: Path) -> None:
    config = _load(tmp_path, WALK + '[sources.orders]\nurl = "${ORDERS}/orders.csv"\n')
    assert config.sources["orders"].url == "${ORDERS}/orders.csv"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[lkae]\n", "knows no key 'lkae': did you mean 'lake'?"),
        ('[lake]\nurll = "x"\n', "[lake] knows no key 'urll': did you mean 'url'?"),
        ("[lake]\nzzz = 1\n", "[lake] knows no key 'zzz': there is browser, timezone, url"),
        ("[lake]\nurl = 5\n", "[lake] url is 5: write text"),
        ('[lake]\nurl = ""\n', "[lake] url is empty: write one, or take the key out"),
        ("lake = 1\n", "lake is 1: write a table"),
        (
            '[lake]\ntimezone = "Paris"\n',
            "[lake] timezone = 'Paris' is no time zone: write one such as 'Europe/Paris'",
        ),
        (
            '[sources.Green]\nurl = "x.csv"\n',
            "[sources.Green] the name: 'raw.Green' is no dataset: a name is lower-case letters,"
            " digits and single underscores, starts with a letter and has at most 200 characters",
        ),
        (
            "[sources.x]\n",
            '[sources.x] has no url: write a path, a glob or https://…, or database = "${NAME}"',
        ),
        (
            '[sources.x]\nurl = "a"\ndescripton = "a"\n',
            "[sources.x] knows no key 'descripton': did you mean 'description'?",
        ),
        (
            '[sources.x]\nurl = "a"\nmax_rejects = true\n',
            "[sources.x] max_rejects is true: write a whole number",
        ),
        (
            '[sources.x]\nurl = "a"\nmax_rejects = -1\n',
            "[sources.x] max_rejects = -1 is below zero",
        ),
        (
            '[sources.x]\nurl = "a"\nkeep_original = "no"\n',
            "[sources.x] keep_original is 'no': write true or false",
        ),
        (
            '[sources.x]\nurl = "a"\nexpect_every = "1 month"\n',
            "[sources.x] expect_every: '1 month' is no duration: write a whole number and second,"
            " minute, hour, day or week, such as '60 days'",
        ),
        (
            '[sources.x]\nurl = "a"\nowner = "${TEAM}"\n',
            "[sources.x] owner = '${TEAM}' does not read the environment: write it without ${…}",
        ),
        (
            '[sources.x]\ndatabase = "${D}"\ntable = "a.b"\npartition.m = { values = ["1"] }\n',
            "[sources.x] partition does not go together with database: take one out",
        ),
        (
            '[sources.x]\ndatabase = "${ORDERS}"\n',
            '[sources.x] says either table = "public.orders" or query = "SELECT …"',
        ),
        (
            '[sources.x]\ndatabase = "${ORDERS}"\ntable = "a.b.c"\n',
            "[sources.x] table = 'a.b.c' is no table: write SCHEMA.TABLE, with a dot in it in"
            " quotes",
        ),
        (
            '[sources.x]\ndatabase = "mysql://db/x"\ntable = "a"\n',
            "[sources.x] database: mysql:// is not supported by this version, which reads"
            " postgresql://…: land an export of it, or write a Python source",
        ),
        (
            '[sources.x]\ndatabase = { block = "a", name = "b" }\ntable = "a"\n',
            '[sources.x.database] names one place: write database = { block = "NAME" }',
        ),
        (
            '[sources.x]\ndatabase = "${D}"\ntable = "a"\nlookback = "1 hour"\n',
            "[sources.x] lookback goes behind a cursor: name one, or take lookback out",
        ),
        (
            '[sources.x]\ndatabase = "${D}"\ntable = "a"\ncursor = "c"\n'
            "columns.c.personal = true\n",
            "[sources.x] cursor = 'c' is personal, and the log keeps it: name another",
        ),
        (
            '[sources.x]\nurl = "a"\ncursor = "id"\n',
            '[sources.x] cursor is of a database: write database = "${NAME}", too',
        ),
        (
            '[sources.x]\nurl = "s3://b/x.csv"\n',
            "[sources.x] url: s3:// is not supported by this version: write a path or https://…, or"
            ' database = "${NAME}" for PostgreSQL',
        ),
        (
            '[sources.x]\nurl = "http://h/{month}"\n',
            "[sources.x] url: {month} in the url is no key of the partition: declare"
            ' partition.month = { every = "month", since = "2024-01" } or { values = [...] }',
        ),
        (
            '[sources.x]\nurl = "http://h/x"\npartition.month = { every = "month" }\n',
            "[sources.x] url: the url does not tell one month from another: put {month} in it",
        ),
        (
            '[sources.x]\nurl = "http://h/{month}"\npartition.month = { every = "month" }\n',
            "[sources.x] partition.month has no since: say which month is the first",
        ),
        (
            '[sources.x]\nurl = "{m}"\npartition.m = { every = "mont" }\n',
            "[sources.x.partition.m] every = 'mont': did you mean 'month'?",
        ),
        (
            '[sources.x]\nurl = "{m}"\npartition.m = { every = "day", values = ["a"] }\n',
            '[sources.x.partition.m] says either every = "month" (or another period) or'
            " values = [...]",
        ),
        (
            '[sources.x]\nurl = "{m}"\npartition.m = { values = ["a", "a"] }\n',
            "[sources.x.partition.m] values names 'a' twice",
        ),
        (
            '[sources.x]\nurl = "{m}"\npartition.m = { values = [1] }\n',
            "[sources.x.partition.m] values holds 1: write text, in quotes",
        ),
        (
            '[sources.x]\nurl = "{m}"\npartition.m = { every = "month", since = "2024-13" }\n',
            "[sources.x.partition.m] since: '2024-13' is no month: write one such as 2024-01",
        ),
        (
            '[sources.x]\nurl = "{m}"\n'
            'partition.m = { every = "month", since = "2024-02", until = "2024-01" }\n',
            "[sources.x.partition.m] since 2024-02 is later than until 2024-01",
        ),
        (
            '[sources.x]\nurl = "{version}"\npartition.version = { values = ["a"] }\n',
            "[sources.x.partition.version] the name: 'version' is no partition key: it is letters,"
            " digits and underscores, starts with no digit, and is not 'version' or 'filename'",
        ),
        (
            '[sources.x]\nurl = "{a}{b}"\n'
            'partition = { a = { every = "day" }, b = { every = "month" } }\n',
            "[sources.x] url: only one key of a partition can have 'every', not a, b",
        ),
        (
            '[warehouse]\nload = ["a"]\n[warehouse.tables.b]\ntable = "x"\n',
            "[warehouse.tables.b] is not in warehouse.load: there is a",
        ),
        (
            '[warehouse]\nload = ["a"]\n[warehouse.tables.a]\ntable = "x;y"\n',
            "[warehouse.tables.a] table = 'x;y' is no table: write NAME or SCHEMA.NAME",
        ),
        (
            '[warehouse]\nload = ["a"]\n[warehouse.tables.a]\nmode = "upsert"\n',
            "[warehouse.tables.a] mode = 'upsert' is no mode: there is append, merge, replace",
        ),
        (
            '[warehouse]\nload = ["a"]\n[warehouse.tables.a]\nmode = "merge"\n',
            "[warehouse.tables.a] mode = 'merge' goes with merge_on: write merge_on = [\"KEY\"] to"
            ' merge, or mode = "replace" or "append" alone',
        ),
        (
            '[warehouse]\nload = ["a"]\n[warehouse.tables.a]\nmode = "append"\nmerge_on = ["id"]\n',
            "[warehouse.tables.a] mode = 'append' goes without merge_on: write merge_on = [\"KEY\"]"
            ' to merge, or mode = "replace" or "append" alone',
        ),
        (
            '[deployments.n]\nflow = "etl"\n',
            "[deployments.n] flow = 'etl' is no flow: did you mean 'elt'?",
        ),
        (
            '[deployments.n]\nflow = "elt"\nschedule = { timezone = "UTC" }\n',
            "[deployments.n.schedule] has to say one of cron, interval and rrule",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_file_table_and_key(
    tmp_path: Path, text: str, said: str
) -> None:
    _check_refused(tmp_path, text, f"lake.toml: {said}")


def test_an_env_that_is_not_selected_is_checked_too(tmp_path: Path) -> None:
    said = "lake.toml with [env.prod]: [lake] knows no key 'ulr': did you mean 'url'?"
    _check_refused(tmp_path, '[env.prod]\nlake.ulr = "s3://a/b"\n', said)


def test_a_syntax_error_is_told_with_line_and_column(tmp_path: Path) -> None:
    said = "lake.toml:2:7: Invalid value: the file is no valid TOML"
    _check_refused(tmp_path, "[lake]\nurl = \n", said)


def test_a_file_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lake.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(InvalidConfig, match=r"byte 5 is no UTF-8: save the file as UTF-8$"):
        load(None, env=None, environ={}, cwd=tmp_path)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "lake.toml").write_bytes(b'\xef\xbb\xbf[lake]\r\nurl = "/l"\r\n')
    assert load(None, env=None, environ={}, cwd=tmp_path).url == "/l"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('warehouse.url = "postgresql://ada:hunter2@db/x"', "warehouse.url"),
        ('sources.x.database = "postgresql://ada:hunter2@db/x"', "sources.x.database"),
        ('warehouse.url = "postgresql://ada:hun/ter2@db/x"', "warehouse.url"),
        ('env.prod.warehouse.url = "postgresql://${U}:hunter2@db/x"', "env.prod.warehouse.url"),
        ('sources.x.url = "https://h/x.csv?a=1&token=hunter2"', "sources.x.url"),
        ('lake.password = "hunter2"', "lake.password"),
        (
            'deployments.n.job_variables.env.PGPASSWORD = "hunter2"',
            "deployments.n.job_variables.env.PGPASSWORD",
        ),
        ('warehouse.url = "postgresql://db/x?sslpassword=hunter2"', "warehouse.url"),
        ('deployments.n.parameters.api_key = "hunter2"', "deployments.n.parameters.api_key"),
    ],
)
def test_a_literal_secret_is_refused_and_not_shown(tmp_path: Path, text: str, key: str) -> None:
    said = (
        f"lake.toml: {key} holds a secret: write ${{NAME}} in its place, and set NAME in the"
        " environment"
    )
    _check_refused(tmp_path, text, said)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://${U}:${P}@db/x",
        "postgresql://ada@db/x",
        "https://host:8080/a@b",
        "https://h/x?token=${T}",
    ],
)
def test_a_named_secret_and_what_only_looks_like_one_are_accepted(tmp_path: Path, url: str) -> None:
    environ = {"U": "ada", "P": "p:w@d", "T": "t"}
    config = _load(tmp_path, f'warehouse.url = "{url}"', **environ)
    assert config.warehouse.url == re.sub(r"\$\{(.)\}", lambda m: environ[m[1]], url)


def test_a_table_says_what_becomes_of_what_changed(tmp_path: Path) -> None:
    text = (
        '[warehouse]\nload = ["a", "b", "c"]\n[warehouse.tables]\n'
        'a = { mode = "append" }\nb = { merge_on = ["id", "day"] }\nc = { table = "m.c" }\n'
    )
    assert _load(tmp_path, text).warehouse.tables == {
        "a": TableConfig("a", "append"),
        "b": TableConfig("b", "merge", ("id", "day")),
        "c": TableConfig("m.c"),
    }


def test_the_warehouse_lies_where_the_file_says(tmp_path: Path) -> None:
    relative = _load(tmp_path, 'warehouse.url = "duckdb:///out/w.duckdb"').warehouse.url
    absolute = _load(tmp_path, 'warehouse.url = "duckdb:////srv/w.duckdb"').warehouse.url
    assert (relative, absolute) == (f"duckdb:///{tmp_path}/out/w.duckdb", "duckdb:////srv/w.duckdb")
