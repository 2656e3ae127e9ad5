"""Runs of Prefect's link to its own page of them."""

import pytest

from lake.browser.prefect_pages import page_of
from lake.lake import Lake
from tests.browser.site import site
from tests.lakes import copy_of, land

RUN = "1545ea8c-ef7c-41d3-8264-3513dbb9ef3b"
TO = f"https://prefect.example/runs/flow-run/{RUN}"


@pytest.mark.parametrize(
    ("run", "environ", "to"),
    [
        (RUN, {"PREFECT_UI_URL": "https://prefect.example/"}, TO),
        (RUN, {"PREFECT_API_URL": "https://prefect.example/api"}, TO),
        ("4b3573654e64", {"PREFECT_UI_URL": "https://prefect.example"}, ""),
        (RUN, {}, ""),
        (RUN, {"PREFECT_UI_URL": "javascript:alert(1)"}, ""),
        (RUN, {"PREFECT_API_URL": "https://me:secret@prefect.example/api"}, ""),
    ],
)
def test_a_run_has_a_page_where_prefect_is_known(
    run: str, environ: dict[str, str], to: str
) -> None:
    assert page_of(run, environ) == to


def test_runs_and_commits_link_it(
    looked_at: Lake, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_UI_URL", "https://prefect.example")
    lk = copy_of(looked_at, tmp_path_factory.mktemp("run"))
    lk.run = RUN
    land(lk, "raw.trips", "FROM (VALUES (9, 'Z', 1.0)) t(id, zone, fare)", month="2024-05")
    with site(lk) as pages:
        assert f'href="{TO}"' in pages.get("/runs")
        assert f'href="{TO}"' in pages.get(f"/commits/{lk.commit}")
