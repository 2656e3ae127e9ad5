"""What a landing would bring, asked of web servers and files."""

from pathlib import Path

import pytest

from lake.catalog.state import State
from lake.config import load
from lake.config.period import Periods
from lake.elt import EltPlan, plan
from lake.errors import InvalidConfig
from lake.lake import Lake
from lake.opening import init, open_lake
from tests.http_server import Page, Server, Status

TOML = """
[lake]
url = "./.lake"
[sources.trips]
url = "{server}t_{{month}}.csv"
partition.month = {{ values = ["2024-01", "2024-02", "2024-03"] }}
"""
CSV = b"id\n1\n"


@pytest.fixture
def at(tmp_path: Path) -> Lake:
    init(str(tmp_path / ".lake"))
    return opened(tmp_path)


def opened(folder: Path) -> Lake:
    (folder / "lake.toml").touch()
    return open_lake(str(folder / ".lake"), config=load(None, env=None, environ={}, cwd=folder))


def planned(folder: Path) -> dict[str, tuple[str, int | None]]:
    found: EltPlan = plan(opened(folder))
    return {one.order.partition[-2:]: (one.what, one.bytes) for one in found.landings}


@pytest.mark.parametrize(
    ("etag", "dated", "again"),
    [
        ("", "", "changed"),
        (None, "Mon, 01 Jan 2024 00:00:00 GMT", "unknown"),
        (None, "", "unknown"),
    ],
)
def test_a_web_server_is_asked_for_headers_and_a_second_plan_is_empty(
    tmp_path: Path, at: Lake, etag: str | None, dated: str, again: str
) -> None:
    with Server() as server:

        def page(body: bytes, when: str = dated) -> Page:
            return Page(body, etag=etag, last_modified=when)

        paths = [f"/t_2024-0{month}.csv" for month in (1, 2, 3)]
        server.pages |= dict.fromkeys(paths[:2], page(CSV))
        server.script(paths[2], Status(404))
        (tmp_path / "lake.toml").write_text(TOML.format(server=server.url()))
        assert planned(tmp_path) == {
            "01": ("missing", 5),
            "02": ("missing", 5),
            "03": ("failed", None),
        }
        server.pages[paths[2]] = page(CSV)
        lake = opened(tmp_path)
        lake.land_sources(at_once=1)
        kept = "unchanged" if etag is not None or dated else "unknown"
        assert {what for what, _ in planned(tmp_path).values()} == {kept}
        server.pages[paths[0]] = page(b"id\n1\n2\n", dated and "Tue, 02 Jan 2024 00:00:00 GMT")
        found = planned(tmp_path)
        assert found["01"] == (again, 7)
        assert found["02"][0] == kept


def test_files_are_read_and_what_is_here_already_is_not_planned(tmp_path: Path, at: Lake) -> None:
    (tmp_path / "lake.toml").write_text(TOML.format(server=""))
    for month in (1, 2, 3):
        (tmp_path / f"t_2024-0{month}.csv").write_bytes(CSV)
    opened(tmp_path).land_sources()
    assert {what for what, _ in planned(tmp_path).values()} == {"unchanged"}
    (tmp_path / "t_2024-02.csv").write_bytes(b"id\n9\n")
    (tmp_path / "t_2024-03.csv").unlink()
    assert planned(tmp_path) == {
        "01": ("unchanged", None),
        "02": ("changed", 5),
        "03": ("gone", None),
    }
    before: State = opened(tmp_path).state
    assert before.commit == 1


def test_what_is_no_file_is_planned_as_what_a_landing_would_say(tmp_path: Path, at: Lake) -> None:
    (tmp_path / "lake.toml").write_text(TOML.format(server=""))
    for month in (1, 2, 3):
        (tmp_path / f"t_2024-0{month}.csv").write_bytes(CSV)
    opened(tmp_path).land_sources()
    (tmp_path / "t_2024-02.csv").unlink()
    (tmp_path / "t_2024-02.csv").mkdir()
    (error,) = plan(opened(tmp_path)).errors
    assert "t_2024-02.csv is a folder: name a file" in str(error)


@pytest.mark.parametrize(
    ("since", "until", "held"),
    [
        ("", "", ["2024-01", "2024-02", "2024-02-29", "eu"]),
        ("2024-02", "", ["2024-02", "2024-02-29", "eu"]),
        ("", "2024-01", ["2024-01", "eu"]),
        ("2024-02-29", "2024-02-29", ["2024-02-29", "eu"]),
        ("2024-Q1", "2024-Q1", ["2024-01", "2024-02", "2024-02-29", "eu"]),
        ("2025", "", ["eu"]),
    ],
)
def test_a_partition_lies_whole_among_the_periods(since: str, until: str, held: list[str]) -> None:
    periods = Periods(since, until)
    every = ["2024-01", "2024-02", "2024-02-29", "eu"]
    assert [text for text in every if periods.hold([text])] == held


@pytest.mark.parametrize(
    ("since", "until"), [("soon", ""), ("", "2024-13"), ("2024-02", "2024-01")]
)
def test_what_is_no_period_is_refused(since: str, until: str) -> None:
    with pytest.raises(InvalidConfig):
        Periods(since, until)
