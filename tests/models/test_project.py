from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.errors import ModelInvalid, NoSuchModel
from lake.lake import Lake
from lake.models.project import project, reads_of
from tests.lakes import again, copy_of, land, model, shared_lake


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with shared_lake(tmp_path_factory) as lk:
        land(lk, "raw.trips", "SELECT 1 AS id, 2 AS zone", month="2024-01")
        yield lk


@pytest.fixture
def lk(template: Lake, tmp_path: Path) -> Lake:
    return copy_of(template, tmp_path)


def chain(lk: Lake) -> None:
    """Models that wait for each other against the order of their names; one only checks another."""
    model(lk, "z_first", "SELECT id, zone FROM raw.trips")
    model(lk, "m_second", "SELECT id FROM curated.z_first")
    model(lk, "a_last", "SELECT id FROM curated.m_second")
    model(lk, "b_checks", "SELECT id FROM raw.trips",
          'checks = [{ references = "id", to = "curated.z_first.id" }]')  # fmt: skip


def names(nodes: object) -> list[str]:
    assert isinstance(nodes, list)
    return [node.model.name for node in nodes]


def test_models_come_after_what_they_and_their_checks_read(lk: Lake) -> None:
    chain(lk)
    found = project(lk)
    assert names(found.chosen([])) == ["z_first", "b_checks", "m_second", "a_last"]
    assert reads_of(found.nodes["curated.b_checks"]) == ("raw.trips", "curated.z_first")
    assert found.reads()["curated.a_last"] == {"curated.m_second"}


def test_a_chosen_model_brings_its_upstreams_only(lk: Lake) -> None:
    chain(lk)
    found = project(lk)
    assert names(found.chosen(["m_second"])) == ["z_first", "m_second"]
    assert names(found.chosen(["curated.b_checks"])) == ["z_first", "b_checks"]
    with pytest.raises(NoSuchModel, match=r"there is no model 'm_secnd'; did you mean m_second?"):
        found.chosen(["m_secnd"])


def test_a_circle_is_named(lk: Lake) -> None:
    model(lk, "a", "SELECT * FROM curated.b")
    model(lk, "b", "SELECT * FROM curated.a")
    with pytest.raises(ModelInvalid, match=r"in a circle: curated.a → curated.b → curated.a"):
        project(lk)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a", b"SELECT * FROM raw.tripz", "models/a.sql:1:15: there is no dataset 'raw.tripz'"),
        ("a", b"SELECT '\xff'", "models/a.sql cannot be read: .*a model is a text file in UTF-8"),
        ("A b", b"SELECT 1", "models/A b.sql: a model's file is named like its dataset"),
        ("a", b"DROP TABLE x", "models/a.sql:1:1: a model is one SELECT, this is DROP"),
    ],
)
def test_a_file_that_is_no_model_is_named(lk: Lake, name: str, text: bytes, message: str) -> None:
    model(lk, name, "").write_bytes(text)
    with pytest.raises(ModelInvalid, match=message):
        project(lk)


def test_only_sql_files_are_models(lk: Lake) -> None:
    model(lk, "a", "SELECT 1 AS n")
    (lk.config.models / "notes.md").write_text("none")
    (lk.config.models / "old").mkdir()
    (lk.config.models / "old" / "b.sql").write_text("SELECT nothing FROM nowhere")
    assert list(project(lk).nodes) == ["curated.a"]


def test_an_empty_models_folder_has_no_models_though_the_log_has(lk: Lake) -> None:
    path = model(lk, "a", "SELECT id FROM raw.trips")
    lk.transform()
    path.unlink()
    assert project(lk).nodes == {}
    lk.config.models.rmdir()
    assert list(project(again(lk)).nodes) == ["curated.a"]


def test_keys_of_an_input_and_of_its_model_must_agree(lk: Lake) -> None:
    model(
        lk, "a", "SELECT id, zone FROM raw.trips", 'partition_by = "zone"', 'reads.trips = "same"'
    )
    with pytest.raises(ModelInvalid, match=r"month.*zone|zone.*month"):
        project(lk)
