"""Format: a query is laid out in the editor, and means what it meant."""

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import tab
from tests.browser.site import Site

pytestmark = pytest.mark.xdist_group("chromium")

FORMATTED = """\
SELECT month, -- when
       count(*) FILTER (WHERE fare > 1) AS n,
       sum(fare) OVER (PARTITION BY zone ORDER BY month) AS s,
       extract(year FROM DATE '2024-01-01') AS y,
       'a,  b FROM c' AS t,
       $$x  FROM y$$ AS d,
       E'it\\'s  FROM' AS e
FROM (SELECT *
      FROM raw.trips
      WHERE fare BETWEEN 1 AND 9
        AND zone IS DISTINCT FROM 'Z') AS f
LEFT JOIN raw.zones USING (zone)
GROUP BY ALL
ORDER BY ALL
LIMIT 9"""


def test_a_query_is_laid_out_and_means_what_it_meant(chromium: Browser, pages: Site) -> None:
    lines = [f"{line}\n" if "--" in line else f"{line.strip()} " for line in FORMATTED.split("\n")]
    flat = "".join(lines).strip().replace("SELECT month, --", "SELECT month,   --")
    with tab(chromium, pages.url) as it:
        it.go("/sql")
        area = it.page.locator("textarea")
        area.fill(flat)
        button = it.page.get_by_role("button", name="Format")
        button.click()
        assert area.input_value() == FORMATTED
        button.click()
        assert area.input_value() == FORMATTED
        area.press("Control+z")
        assert area.input_value() == flat
        it.is_calm()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'a'\n'b' AS x",
        "WITH a AS (SELECT 1 AS x UNION ALL SELECT 2), b AS (FROM a) SELECT x FROM b ORDER BY x",
        "SELECT 1 - -1 AS x /* a -- b */ -- 'c\n, \"from\", 'it''s' FROM (SELECT 3 AS \"from\")",
        "FROM raw.trips SELECT count(*) AS n, max(CASE WHEN fare > 1 AND id > 1 THEN 1 END) AS m",
        "SELECT 1 AS éfrom, 2 AS a$from, $é$a  b$é$ AS t",
        "SELECT t.zone FROM raw.trips t JOIN raw.zones z ON t.zone = z.zone AND id > 0 ORDER BY 1",
    ],
)
def test_a_laid_out_query_has_the_same_answer(chromium: Browser, pages: Site, sql: str) -> None:
    with tab(chromium, pages.url) as it:
        it.go("/sql")
        area = it.page.locator("textarea")
        area.fill(sql)
        it.page.get_by_role("button", name="Format").click()
        text = area.input_value()
    assert "".join(text.split()) == "".join(sql.split())
    asked = [pages.client.get("/sql.json", params={"sql": one}, headers={"Sec-Fetch-Site": "none"})
             for one in (sql, text)]  # fmt: skip
    assert [one.status_code for one in asked] == [200, 200], asked[0].text
    assert asked[0].json()["rows"] == asked[1].json()["rows"]


def test_a_query_with_a_comment_in_a_comment_stays_as_it_is(chromium: Browser, pages: Site) -> None:
    sql = "/* /* */ ' */ SELECT 'a  b' FROM (VALUES (1))"
    with tab(chromium, pages.url) as it:
        it.go("/sql")
        area = it.page.locator("textarea")
        area.fill(sql)
        it.page.get_by_role("button", name="Format").click()
        assert area.input_value() == sql
