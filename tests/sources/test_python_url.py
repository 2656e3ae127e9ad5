"""A source of lake.toml that is Python."""

import sys
from pathlib import Path

import pytest

import lake
from lake.errors import SourceUnreadable
from lake.lake import Lake

ORDERS = """
import lake

@lake.source(key="id")
def orders(month="none"):
    yield {"id": 1, "of": month}
    yield {"id": 1, "of": month + "!"}

@lake.source
def leaves():
    yield {"id": 1}
    raise SystemExit(3)

plain = 7
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "acme_orders.py").write_text(ORDERS)
    lake.init("lk")
    for name in [name for name in sys.modules if name.startswith("acme_")]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def opened(folder: Path, url: str, more: str = "") -> Lake:
    (folder / "lake.toml").write_text(f'[lake]\nurl = "lk"\n[sources.o]\nurl = "{url}"\n{more}')
    return lake.open()


def test_a_generator_lands_with_its_arguments_and_its_key(project: Path) -> None:
    more = 'partition.month = { values = ["2024-01", "2024-02"] }\n'
    lk = opened(project, "python:acme_orders:orders?month={month}", more)
    assert [one.outcome for one in lk.land_sources()] == ["landed", "landed"]
    assert [one.outcome for one in lk.land_sources()] == ["unchanged", "unchanged"]
    found = lk.sql("SELECT of, month FROM raw.o__current").fetchall()
    assert found == [("2024-02!", "2024-02")]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("python:acme_orders:plain", " is no source: write @lake.source above the function plain "),
        ("python:acme_orders:nothing", " is no source: write @lake.source above the function no"),
        ("python:acme_orders", " names no source: write python:package.module:name, with "),
        ("python:acme_nowhere:x", " cannot be loaded: ModuleNotFoundError: No module named 'acm"),
        ("python:acme_bad:x", " cannot be loaded: SyntaxError: "),
        ("python:acme_exits:x", " cannot be loaded: SystemExit: 5; mend or install its module, "),
    ],
)
def test_what_is_no_source_is_one_line(project: Path, url: str, said: str) -> None:
    (project / "acme_bad.py").write_text("x = (")
    (project / "acme_exits.py").write_text("raise SystemExit(5)")
    with pytest.raises(SourceUnreadable) as told:
        opened(project, url).land_sources()
    assert str(told.value).startswith(url + said)
    assert "\n" not in str(told.value)


def test_a_generator_that_leaves_the_program_publishes_nothing(project: Path) -> None:
    lk = opened(project, "python:acme_orders:leaves")
    with pytest.raises(SourceUnreadable, match=r"^leaves failed at record 2: SystemExit: 3; noth"):
        lk.land_sources()
    assert "raw.o" not in lk.state.datasets
