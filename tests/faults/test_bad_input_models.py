"""Models that are wrong, and models whose data are."""

import pytest

from lake.errors import (
    BuildFailed,
    CheckFailed,
    FileDamaged,
    InvalidConfig,
    LoadRefused,
    ModelInvalid,
)
from tests.faults import example
from tests.faults.example import DAILY, Project
from tests.faults.refusal import refuses

HEADER = "-- /// lake\n-- partition_by = 'month'\n-- reads.trips = 'same'\n-- ///\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "SELECT * FROM curated.b",
            "the models read each other in a circle: curated.a → curated.b → curated.a; break it at"
            " one of them",
        ),
        (
            "SELECT 1 AS x\nFROM raw.tripz",
            "models/a.sql:2:6: there is no dataset 'raw.tripz'; did you mean raw.trips?",
        ),
        (
            "-- why\nSELECT 1 AS x,\n  2 + FROM raw.trips",
            'models/a.sql:3:7: syntax error at or near "FROM"',
        ),
        (
            "SELECT (1 AS x",
            'models/a.sql:1:11: syntax error at or near "AS"',
        ),
        ("", "models/a.sql:1:1: it holds no SELECT: write one under the header"),
        ("DROP TABLE x", "models/a.sql:1:1: a model is one SELECT, this is DROP"),
        (
            "SELECT 1 AS x; SELECT 2 AS x",
            "models/a.sql:1:16: a model is one SELECT: a second statement starts here",
        ),
        ("SELECT '\0' AS x", "models/a.sql:1:9: a NUL character is here: take it out"),
        (
            "-- /// lake\n-- ownr = 'x'\n-- ///\nSELECT 1 AS x",
            "models/a.sql:2:4: a header has no key 'ownr'; did you mean owner?",
        ),
        (
            "SELECT random() AS x",
            "models/a.sql:1:8: random gives another answer every time: a model's rows depend on its"
            " inputs only; take the value from a dataset, or write it down",
        ),
    ],
)
def test_a_model_that_is_none_stops_the_transform_with_its_place(
    project: Project, text: str, message: str
) -> None:
    lk = project.open()
    lk.land_sources()
    project.model("a", text)
    project.model("b", "SELECT * FROM curated.a")
    refuses(lk, lk.transform, ModelInvalid, message)
    project.model("a", "SELECT id FROM raw.zones")
    assert {run.status for run in lk.transform().runs} == {"built"}


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (
            "SELECT nope FROM raw.trips",
            ModelInvalid,
            'models/a.sql:1:8: Referenced column "nope" not found in FROM clause! Candidate'
            ' bindings: "zone", "passengers", "fee", "fare"',
        ),
        (
            "SELECT id\nFROM raw.trips\nWHERE nofunc(id)",
            ModelInvalid,
            "models/a.sql:3:7: Scalar Function with name nofunc does not exist! Did you mean"
            ' "count"?',
        ),
        (
            "SELECT name::INTEGER AS x FROM raw.zones",
            BuildFailed,
            "models/a.sql could not be built: Could not convert string 'Astoria' to INT32 when"
            " casting from source column name; change the SELECT, or what it reads",
        ),
        (
            "SELECT INTERVAL 1 DAY AS x",
            ModelInvalid,
            "models/a.sql: column 'x' is of type INTERVAL, which not every reader of Parquet gets"
            ' right: write CAST("x" AS VARCHAR), or another type',
        ),
        (
            HEADER + "SELECT strftime(pickup, '%Y-%m') AS month, id FROM raw.trips",
            BuildFailed,
            "models/a.sql: 1 row lies outside of month=2024-02, which it builds, the first:"
            ' month=2024-01, id=4; filter them out, or read with "each"',
        ),
        (
            HEADER.replace("-- reads.trips = 'same'\n", "")
            + "SELECT nullif(month, '2024-01') AS month, id FROM raw.trips",
            BuildFailed,
            "models/a.sql: partition_by column 'month' is NULL in 3 of 6 rows: filter them out or"
            " give them a value",
        ),
    ],
)
def test_a_model_that_cannot_be_built_is_left_out_and_the_rest_published(
    project: Project, text: str, kind: type[Exception], message: str
) -> None:
    lk = project.open()
    lk.land_sources()
    project.model("a", text)
    refuses(lk, lk.transform, kind, message, commits=1)
    assert lk.sql("SELECT count(*) FROM curated.trips").fetchall() == [(6,)]
    assert "curated.a" not in lk.state.datasets
    refuses(lk, lk.transform, kind, message)


def test_a_failed_check_withholds_its_model_and_what_hangs_on_it(project: Project) -> None:
    lk = project.open()
    lk.land_sources()
    check = '{ sql = "SELECT day, trips FROM curated.daily WHERE trips > 1", name = "one_a_day" }'
    project.model("daily", DAILY.replace('"revenue" }', f'"revenue" }}, {check}'))
    project.model("sums", "SELECT sum(revenue) AS revenue FROM curated.daily")
    refuses(
        lk,
        lk.transform,
        CheckFailed,
        "curated.daily was withheld: check one_a_day found 2 rows: day=2024-01-01, trips=2;"
        " day=2024-01-31, trips=2",
        commits=1,
    )
    assert sorted(lk.state.datasets) == ["curated.trips", "raw.trips", "raw.zones"]
    failed = lk.sql('SELECT "check", failed, passed FROM meta.checks').fetchall()
    assert failed == [("one_a_day", 2, False)]
    project.model("daily", DAILY)
    statuses = {run.dataset: run.status for run in lk.transform().runs}
    assert statuses["curated.daily"] == statuses["curated.sums"] == "built"


def test_a_check_that_fails_later_leaves_what_was_published(project: Project) -> None:
    lk = project.walk()
    before = lk.sql("SELECT * FROM curated.daily ORDER BY day").fetchall()
    project.model("daily", DAILY.replace('"revenue" }', '"revenue" }, { row_count = { min = 9 } }'))
    refuses(
        lk,
        lk.transform,
        CheckFailed,
        "curated.daily was withheld: check row_count found 1 row: count=4",
        commits=1,
    )
    assert lk.sql("SELECT * FROM curated.daily ORDER BY day").fetchall() == before


def test_a_file_that_is_gone_under_a_model_is_named(project: Project) -> None:
    lk = project.walk()
    key = lk.sql("SELECT key FROM meta.files WHERE partition = 'month=2024-02'").fetchall()[0][0]
    gone = project.lake / key
    kept = gone.rename(project.root / "kept")
    project.model("trips", example.TRIPS.replace("z.name", "z.name AS zone_name"))
    message = (
        f"models/trips.sql could not be built: {key} is missing in {lk.url}, so raw.trips cannot be"
        " read: restore it from a copy of the lake"
    )
    refuses(lk, lk.transform, FileDamaged, message)
    kept.rename(gone)
    assert {run.status for run in lk.transform().runs} == {"built"}


def test_a_table_that_somebody_else_wrote_into_is_not_loaded(project: Project) -> None:
    import duckdb

    lk = project.walk()
    with duckdb.connect(project.root / "warehouse.duckdb") as warehouse:
        warehouse.execute("INSERT INTO daily FROM daily LIMIT 1")
    example.publish_again(project.root)
    lk.land_sources()
    lk.transform()
    refuses(
        lk,
        lk.load,
        LoadRefused,
        f"table daily in duckdb:///{project.root}/warehouse.duckdb would have 5 rows, and"
        f" curated.daily has 4 at commit {lk.commit}: nothing was changed; somebody else wrote into"
        " the table, so run lake load --reconcile daily, which shows what differs and mends it",
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("timezone =", "timezon =", "[lake] knows no key 'timezon': did you mean 'timezone'?"),
        ("[warehouse]", "[warehose]", "knows no key 'warehose': did you mean 'warehouse'?"),
        (
            "description =",
            "descripton =",
            "[sources.trips] knows no key 'descripton': did you mean 'description'?",
        ),
        (
            'every = "month"',
            'every = "moth"',
            "[sources.trips.partition.month] every = 'moth': did you mean 'month'?",
        ),
    ],
)
def test_a_typo_in_lake_toml_is_refused_with_the_nearest_right_word(
    project: Project, old: str, new: str, message: str
) -> None:
    lk = project.open()
    path = project.root / "lake.toml"
    path.write_text(path.read_text().replace(old, new))
    refuses(lk, project.open, InvalidConfig, f"{path}: {message}")
