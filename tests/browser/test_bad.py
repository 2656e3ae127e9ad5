"""What nobody would send, and a lake that changes while it is looked at."""

from datetime import timedelta
from pathlib import Path

import pytest

from lake.browser.guard import guarded
from lake.cli import main
from lake.errors import InvalidConfig
from lake.lake import Lake
from tests.browser.site import Site, site
from tests.lakes import again, land, new_lake

LONG = "9" * 5000


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/commits?since=2000-01-01", 200),
        ("/commits?since=2000-01-01T00:00:00Z&until=2999-01-01", 200),
        ("/commits?since=tomorrow", 404),
        ("/commits?since=2024-13-01", 400),
        ("/commits?dataset=%00&author=%00", 200),
        (f"/raw/trips/rows?row={LONG}", 400),
        ("/raw/trips/rows?from=3", 400),
        (f"/raw/trips/rows?page={LONG}", 400),
        (f"/raw/trips/month=2024-01/v1?files={'0' * 12}{LONG}", 400),
        (f"/raw/trips/month=2024-01/v{LONG}", 404),
        (f"/commits/{LONG}", 404),
        ("/raw/trips/versions?page=-1", 200),
        ("/raw/trips/month=%ff/v1", 404),
        ("/raw/trips/%00/v1", 404),
        ("/raw/Trips", 404),
        ("/raw/trips//v1", 404),
        ("/?raw=x", 400),
        (f"/search?q={'a' * 60000}", 200),
        ("/?" + "&".join(f"a{n}=1" for n in range(200)), 200),
    ],
)
def test_strange_addresses_get_a_page_and_never_a_500(pages: Site, path: str, status: int) -> None:
    text = pages.get(path, status)
    assert "Traceback" not in text


def test_since_a_date_is_from_its_beginning(pages: Site, looked_at: Lake) -> None:
    day = looked_at.log.clock().date()
    assert len(pages.json(f"/commits?since={day}")["commits"]) == looked_at.commit
    assert pages.json(f"/commits?since={day + timedelta(days=2)}")["commits"] == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_is_taken_but_questions(pages: Site, method: str) -> None:
    answer = pages.client.request(method, "/raw/trips", headers={"Origin": pages.url})
    assert answer.status_code == 405


def test_what_is_not_there_is_told_in_json_where_json_was_asked_for(pages: Site) -> None:
    answer = pages.client.get("/raw/nope.json")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
    assert answer.json()["text"].startswith("There is no dataset raw.nope")


def test_a_form_of_many_fields_is_a_wrong_token(pages: Site) -> None:
    form = {f"field{n}": "x" for n in range(50)}
    assert pages.post("/login", form, origin=pages.url).status_code == 403


def test_files_are_hashed_whenever_that_is_asked_for(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.trips", "SELECT 1 AS id")
    (file,) = (Path(lk.log.store.data_url(one.key)) for one in lk.state.data_files("raw.trips"))
    whole = file.read_bytes()
    with site(lk) as pages:
        for data, state in (
            (whole, "verified"),
            (b"x" + whole[1:], "damaged"),
            (whole, "verified"),
        ):
            file.chmod(0o644)
            file.write_bytes(data)
            said = pages.json("/raw/trips/v1?verify=1")
            assert [one["state"] for one in said["files"]["shown"]] == [state]


def test_a_new_object_is_in_the_bucket_when_it_is_reloaded(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.trips", "SELECT 1 AS id")
    with site(lk) as pages:
        before = pages.json("/bucket?prefix=raw/")
        lk.log.store.put_new("raw/new.txt", b"x")
        reload = {"Cache-Control": "max-age=0"}
        after = pages.client.get("/bucket.json?prefix=raw/", headers=reload).json()
        assert len(after["entries"]) == len(before["entries"]) + 1


def test_what_is_gone_needs_no_attention(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.trips", "SELECT 1 AS id", month="2024-01")
    land(lk, "raw.trips", "SELECT 'a' AS id", month="2024-02")
    with site(lk) as pages:
        assert [one["word"] for one in pages.json("/")["attention"]] == ["drifted"]
    lk.drop("raw.trips")
    with site(again(lk)) as pages:
        assert pages.json("/")["attention"] == []


@pytest.mark.parametrize(
    "path", ["/raw/trips/month=2024-01/v2/diff/v1", "/raw/trips/month=2024-01/v2?verify=1"]
)
def test_another_site_s_page_makes_nobody_work(pages: Site, path: str) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}
    answer = pages.client.get(path, headers=headers)
    assert answer.status_code in (307, 403)
    followed = pages.client.get(path, headers={**headers, "Sec-Fetch-Dest": "document"})
    assert followed.status_code == 200


@pytest.mark.parametrize("name", ["https://x.example", "x.example:8443", "", "a b"])
def test_a_hostname_is_only_a_name(name: str) -> None:
    with pytest.raises(InvalidConfig, match="is no name"):
        guarded("127.0.0.1", token="", header="", proxies=[], hostnames=[name])


def test_a_proxy_is_known_by_its_address_however_it_is_written() -> None:
    guard = guarded(
        "::1", token="", header="X-User", proxies=["10.0.0.5", "2001:DB8::1"], hostnames=[]
    )
    for peer in ("::ffff:10.0.0.5", "10.0.0.5", "2001:db8::1"):
        assert guard.lets_in({"x-user": "ada"}, peer)
    assert not guard.lets_in({"x-user": "ada"}, "::ffff:10.0.0.6")


def test_behind_tls_the_cookie_says_so() -> None:
    guard = guarded("0.0.0.0", token="x" * 32, header="", proxies=["10.0.0.5"], hostnames=[])
    assert guard.is_secure({"x-forwarded-proto": "https"}, "10.0.0.5", "http")
    assert not guard.is_secure({"x-forwarded-proto": "https"}, "10.0.0.6", "http")


def test_a_port_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["browse", "--lake", str(tmp_path), "--port", "99999"]) == 2
    assert "99999 is not in the range" in capsys.readouterr().err


def test_a_damaged_file_is_told_as_what_it_is(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.trips", "SELECT range AS id, hash(range) AS h FROM range(20000)")
    (file,) = (Path(lk.log.store.data_url(one.key)) for one in lk.state.data_files("raw.trips"))
    whole = bytearray(file.read_bytes())
    whole[2000:9000] = bytes(7000)
    file.chmod(0o644)
    file.write_bytes(whole)
    with site(lk) as pages:
        assert "is damaged" in pages.get("/raw/trips/rows", 502)
        asked = {"Sec-Fetch-Site": "none"}
        answer = pages.client.get(
            "/sql.json?sql=SELECT%20sum(id)%20FROM%20raw.trips", headers=asked
        )
        assert (answer.status_code, "is damaged" in answer.json()["error"]) == (502, True)
        assert "damaged" in pages.get("/raw/trips/v1?verify=1")
        pages.get("/raw/trips")
