"""Who may look, from where, and by which name."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from lake.browser.guard import HEADERS, Guard, guarded
from lake.errors import InvalidConfig
from lake.lake import Lake
from tests.browser.chromium import tab
from tests.browser.site import Site, site

TOKEN = "0123456789abcdef-a-token"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8383", "localhost.evil.example", ""]
)
def test_a_name_that_is_not_ours_is_refused(pages: Site, host: str) -> None:
    assert "not called so" in pages.get("/", 403, host=host)


@pytest.mark.parametrize("host", ["localhost:8383", "127.0.0.1", "[::1]:8383", "10.0.0.7:80"])
def test_localhost_and_addresses_of_numbers_are_ours(pages: Site, host: str) -> None:
    pages.get("/", host=host)


def test_a_name_that_was_given_is_ours(looked_at: Lake) -> None:
    with site(looked_at, Guard(hosts=frozenset({"lake.acme.example"}))) as pages:
        pages.get("/", host="Lake.ACME.example:443")


def test_every_answer_says_what_a_page_may_do(pages: Site) -> None:
    for path in ("/", "/index.json", "/nowhere", "/raw/nothing"):
        answer = pages.client.get(path)
        for name, text in HEADERS.items():
            assert answer.headers[name] == text
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


@pytest.fixture(scope="module")
def closed(looked_at: Lake) -> Iterator[Site]:
    with site(looked_at, Guard(token=TOKEN)) as served:
        yield served


@pytest.fixture(autouse=True)
def _no_cookies(closed: Site) -> None:
    closed.client.cookies.clear()


@pytest.mark.parametrize("origin", ["http://evil.example", "null", ""])
def test_only_its_own_pages_may_send(closed: Site, origin: str) -> None:
    assert closed.post("/login", {"token": TOKEN}, origin=origin).status_code == 403


@pytest.mark.xdist_group("chromium")
def test_the_form_lets_a_browser_in(chromium: Browser, closed: Site) -> None:
    with tab(chromium, closed.url) as it:
        it.go("/commits?since=1")
        it.page.get_by_label("Token").fill(TOKEN)
        it.page.get_by_role("button", name="Look").click()
        it.page.wait_for_url("**/commits?since=1")
        assert it.page.get_by_role("heading", level=1).inner_text() == "Commits"


@pytest.mark.parametrize("path", ["/", "/raw/trips", "/commits", "/nowhere"])
def test_without_the_token_nothing_is_shown(closed: Site, path: str) -> None:
    text = closed.get(path, 401)
    assert "Token" in text
    assert "trips" not in text.replace("/raw/trips", "")


def test_a_program_sends_the_token_in_a_header(closed: Site) -> None:
    assert "Bearer" in closed.get("/index.json", 401)
    closed.get("/index.json", 401, authorization="Bearer wrong")
    closed.get("/index.json", 200, authorization=f"Bearer {TOKEN}")


def test_who_knows_the_token_gets_a_cookie_that_does_not_hold_it(closed: Site) -> None:
    wrong = closed.post("/login", {"token": "x"}, origin=closed.url)
    assert (wrong.status_code, "not the token" in wrong.text) == (403, True)
    form = {"token": TOKEN, "to": "/commits?since=1"}
    answer = closed.post("/login", form, origin=closed.url)
    assert (answer.status_code, answer.headers["location"]) == (303, "/commits?since=1")
    said = answer.headers["set-cookie"]
    assert TOKEN not in said
    assert "httponly" in said.lower()
    assert "samesite=lax" in said.lower()
    closed.get("/commits")


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", ""])
def test_a_login_leads_to_no_other_site(closed: Site, to: str) -> None:
    answer = closed.post("/login", {"token": TOKEN, "to": to}, origin=closed.url)
    assert answer.headers["location"] == "/"


def test_a_proxy_vouches_only_from_where_it_is_trusted(looked_at: Lake) -> None:
    said = {"x-forwarded-user": "ada"}
    with site(looked_at, Guard(header="X-Forwarded-User", proxies=frozenset({"127.0.0.1"}))) as it:
        it.get("/", 200, **said)
        it.get("/", 401)
    with site(looked_at, Guard(header="X-Forwarded-User", proxies=frozenset({"10.0.0.5"}))) as it:
        it.get("/", 401, **said)


@pytest.mark.parametrize(
    ("bind", "given", "said"),
    [
        ("0.0.0.0", {}, "nothing asks who they are"),
        ("::", {}, "nothing asks who they are"),
        ("lake.example", {}, "nothing asks who they are"),
        ("127.0.0.1", {"token": "short"}, "can be guessed"),
        ("0.0.0.0", {"header": "X-User"}, "goes with"),
        ("0.0.0.0", {"proxies": ["10.0.0.5"]}, "nothing asks who they are"),
        ("0.0.0.0", {"header": "X-User", "proxies": ["proxy"]}, "is no address"),
    ],
)
def test_a_server_that_anyone_could_read_does_not_start(
    bind: str, given: dict[str, object], said: str
) -> None:
    with pytest.raises(InvalidConfig, match=said):
        guarded(bind, **{"token": "", "header": "", "proxies": [], "hostnames": [], **given})  # type: ignore[arg-type]


def test_loopback_needs_nothing_and_a_token_opens_the_rest() -> None:
    for bind, token in (("127.0.0.1", ""), ("localhost", ""), ("::1", ""), ("0.0.0.0", TOKEN)):
        guarded(bind, token=token, header="", proxies=[], hostnames=[])
