"""The bucket and its objects: levels, owners, previews, and keys of any kind."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest

from lake.lake import Lake
from tests.browser.site import Site, site
from tests.lakes import land, new_lake, shared_lake
from tests.stores import HookedStore

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 30
ODD = [
    'raw/o\'dd "key"/100%.txt',
    'raw/o\'dd "key"/a b+c&d=#?.txt',
    'raw/o\'dd "key"/new\nline.txt',
    'raw/o\'dd "key"/\u202egnp.txt',
    'raw/o\'dd "key"/%2e%2e%2f.txt',
    'raw/o\'dd "key"/<b>.txt',
    'raw/o\'dd "key"/...',
]
FILES = {
    "things/pic.png": PNG,
    "things/fake.png": b"<svg onload=alert(1)>",
    "things/x.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "things/late.html": b"text first <script>alert(1)</script>",
    "things/page.html": b"<script>alert(1)</script>",
    "things/plain.txt": "one\r\ntwo\tthree <b>\u202e\n".encode() * 3,
    "things/long.txt": b"<&>" * 100_000,
    "things/semi.csv": b'a;b;"c <i>"\n1;;"x\ny"\n',
    "things/tree.json": b'{"a": {"b": [1, "<b>", null]}, "deep": ' + b"[" * 50 + b"]" * 50 + b"}",
    "things/deep.json": b"[" * 60_000,
    "things/not.json": b'{"a": ',
    "things/bytes.bin": bytes(range(256)),
    "things/empty": b"",
    "things/half.parquet": b"PAR1 and then nothing",
    "things/packed.gz": gzip.compress(b"text"),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with shared_lake(tmp_path_factory) as lk:
        land(lk, "raw.trips", "SELECT i AS id, repeat('é', 3000) AS t FROM range(500) t(i)", m="1")
        root = Path(lk.url.removeprefix("file://"))
        for key, data in {**FILES, **dict.fromkeys(ODD, b"odd")}.items():
            (root / key).parent.mkdir(parents=True, exist_ok=True)
            (root / key).write_bytes(data)
        many = ", ".join(f"{n} AS c{n}" for n in range(50))
        duckdb.sql(f"COPY (SELECT {many}, NULL AS z, [1, 2] AS l) TO '{root}/things/wide.parquet'")
        late = "TIMESTAMP '290000-01-01' a, TIMESTAMP_NS '2024-01-02 03:04:05' b"
        late += ", TIMESTAMP_MS '2024-01-02 00:00:00.5' c"
        duckdb.sql(f"COPY (SELECT {late}) TO '{root}/things/late.parquet'")
        yield lk


@pytest.fixture(scope="module")
def served(kept: Lake) -> Iterator[Site]:
    with site(kept) as pages:
        yield pages


def address(key: str, **query: str) -> str:
    more = "".join(f"&{name}={text}" for name, text in query.items())
    return f"/bucket/object?key={quote(key, safe='')}{more}"


def preview(served: Site, key: str, **query: str) -> dict[str, object]:
    found: dict[str, object] = served.json(address(key, **query))["preview"]
    return found


def test_the_bucket_is_shown_folder_by_folder(served: Site) -> None:
    said = served.json("/bucket")
    assert [one["key"] for one in said["entries"]] == [
        "_lake/",
        "catalog.duckdb",
        "raw/",
        "things/",
    ]
    said = served.json("/bucket?prefix=raw/trips/m=1/")
    (entry,) = said["entries"]
    assert (entry["of"], entry["version"]) == ("raw.trips m=1 v1", "/raw/trips/m=1/v1")
    below = served.json(entry["link"])["entries"]
    assert {one["what"] for one in below} == {"data", "profile", "receipt"}
    assert {one["version"] for one in below} == {"/raw/trips/m=1/v1"}
    assert [step["name"] for step in said["steps"]] == ["bucket", "raw", "trips", "m=1"]


def test_what_no_version_names_is_an_orphan(served: Site) -> None:
    found = {one["name"]: one["what"] for one in served.json("/bucket?prefix=things/")["entries"]}
    assert set(found.values()) == {"orphan"}
    assert "An orphan is named by no version" in served.get("/bucket?prefix=things/")
    log = served.json("/bucket?prefix=_lake/log/")["entries"]
    assert {one["what"] for one in log} == {"the log"}
    assert {one["what"] for one in served.json("/bucket?prefix=_lake/")["entries"]} >= {
        "the lake's identity"
    }


def test_what_was_put_into_a_version_s_folder_is_an_orphan_too(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.zones", "SELECT 1 AS id")
    root = Path(lk.url.removeprefix("file://"))
    (folder,) = root.glob("raw/zones/version=*")
    (folder / "stray.parquet").write_bytes(b"PAR1")
    other = folder.with_name("version=20240101T000000Z-00000000-0000")
    other.mkdir()
    (other / "_receipt.json").write_bytes(b"{}")
    with site(lk) as pages:
        prefix = quote(f"{folder.relative_to(root)}/", safe="")
        below = {one["name"]: one for one in pages.json(f"/bucket?prefix={prefix}")["entries"]}
        assert below.pop("stray.parquet")["what"] == "orphan"
        assert {one["of"] for one in below.values()} == {"raw.zones v1"}
        whole = pages.json("/bucket?prefix=raw/zones/")["entries"]
        assert [one["what"] for one in whole] == ["orphan", "version"]
        key = f"{other.relative_to(root)}/_receipt.json"
        assert pages.json(address(key))["what"] == "orphan"


def test_a_folder_of_many_is_shown_a_page_at_a_time(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    folder = Path(lk.url.removeprefix("file://")) / "many"
    folder.mkdir()
    for number in range(450):
        (folder / f"{number:04}").touch()
    with site(lk) as pages:
        seen: list[str] = []
        page = pages.json("/bucket?prefix=many/")
        assert page["newer"] == ""
        while True:
            assert len(page["entries"]) <= 200
            seen += [one["name"] for one in page["entries"]]
            if not page["older"]:
                break
            page = pages.json(page["older"])
        assert seen == [f"{number:04}" for number in range(450)]
        assert "behind this key" in pages.get("/bucket?prefix=many/&after=many/9")
        for number in range(150):
            (folder / f"{'é' * 120}{number:04}").touch()
        assert len(pages.get("/bucket?prefix=many/&after=many/0449")) < 150_000


@pytest.mark.parametrize("key", ODD)
def test_a_key_of_any_kind_is_shown_and_comes_back(served: Site, key: str) -> None:
    folder = quote(key.rpartition("/")[0] + "/", safe="")
    entries = {one["key"]: one for one in served.json(f"/bucket?prefix={folder}")["entries"]}
    assert set(entries) == set(ODD)
    text = served.get(entries[key]["link"])
    assert "odd" in text
    assert "<b>.txt" not in text
    assert "\u202e" not in text
    answer = served.client.get(served.json(entries[key]["link"])["download"])
    assert answer.content == b"odd"
    name = quote(key.rpartition("/")[2], safe="")
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"


@pytest.mark.parametrize(
    "key",
    ["../secret", "raw/../../x", "/etc/passwd", "", "raw//x", "a\0b", "raw\\x", "_lake/.tmp/x",
     "%ED%B3%BF"],
)  # fmt: skip
def test_nothing_outside_of_the_lake_is_ever_read(served: Site, key: str) -> None:
    encoded = key if key.startswith("%") else quote(key, safe="")
    for more in ("", "&download=1", "&image=1"):
        answer = served.client.get(f"/bucket/object?key={encoded}{more}")
        assert answer.status_code in (400, 404), key
        assert "root:" not in answer.text
        assert str(served.lake.config.root) not in answer.text
    folder = served.client.get(f"/bucket?prefix={encoded or '..'}/")
    assert folder.status_code == 400 or "Nothing lies" in folder.text


def test_links_that_lead_out_are_not_followed(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    root = Path(lk.url.removeprefix("file://"))
    (tmp_path / "secret").write_text("whispered", encoding="utf-8")
    (root / "out").symlink_to(tmp_path)
    (root / "file").symlink_to(tmp_path / "secret")
    with site(lk) as pages:
        assert [one["key"] for one in pages.json("/bucket")["entries"]] == ["_lake/"]
        for key in ("out/secret", "file"):
            answer = pages.client.get(address(key, download="1"))
            assert (answer.status_code, "whispered" in answer.text) == (400, False)
            assert str(tmp_path) not in answer.text
        assert pages.client.get("/bucket?prefix=out/").status_code == 400


def test_nothing_at_a_key_is_told(served: Site) -> None:
    for key in ("raw/nothing", "raw/" + "x" * 300, "x" * 5000):
        assert "nothing lies at this key" in served.get(address(key), 404).lower()


def test_parquet_is_shown_by_its_first_rows_and_columns(served: Site) -> None:
    said = preview(served, "things/wide.parquet")
    assert (said["kind"], said["column_count"]) == ("rows", 52)
    assert said["columns"] == [f"c{n}" for n in range(20)]
    last = preview(served, "things/wide.parquet", columns="40")
    assert (last["columns"], last["rows"]) == (
        [*(f"c{n}" for n in range(40, 50)), "z", "l"],
        [[*(str(n) for n in range(40, 50)), None, "[1, 2]"]],
    )
    late = preview(served, "things/late.parquet")["rows"]
    assert late == [
        [
            "<value out of range: 9089348860800000000>",
            "2024-01-02 03:04:05",
            "2024-01-02 00:00:00.500",
        ]
    ]
    data = next(one for one in served.json("/raw/trips/m=1/v1")["files"]["shown"])
    text = served.get(data["link"])
    assert "The first 100 of 500 rows." in text
    assert len(text) < 150_000


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("things/pic.png", "image"),
        ("things/fake.png", "none"),
        ("things/x.svg", "none"),
        ("things/late.html", "none"),
        ("things/page.html", "none"),
        ("things/plain.txt", "text"),
        ("things/long.txt", "none"),
        ("things/semi.csv", "rows"),
        ("things/tree.json", "tree"),
        ("things/deep.json", "text"),
        ("things/not.json", "text"),
        ("things/bytes.bin", "none"),
        ("things/empty", "text"),
        ("things/half.parquet", "none"),
        ("things/packed.gz", "none"),
    ],
)
def test_each_kind_of_bytes_has_its_preview(served: Site, key: str, kind: str) -> None:
    assert preview(served, key)["kind"] == kind
    text = served.get(address(key))
    assert len(text) < 150_000
    for bad in ("<script>alert", "<b>", "<i>\n", "\u202e", "onload=alert(1)>"):
        assert bad not in text


def test_csv_and_json_are_read_as_what_they_are(served: Site) -> None:
    said = preview(served, "things/semi.csv")
    assert (said["columns"], said["rows"]) == (["a", "b", "c <i>"], [["1", "", "x⏎y"]])
    tree = served.json(address("things/tree.json"))["preview"]["tree"]
    leaves = tree["parts"][0]["parts"][0]["parts"]
    assert [one["text"] for one in leaves] == ["1", '"<b>"', "null"]


def test_only_pictures_are_sent_as_pictures(served: Site) -> None:
    answer = served.client.get(served.json(address("things/pic.png"))["image"])
    assert (answer.headers["content-type"], answer.content) == ("image/png", PNG)
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    for key in ("things/fake.png", "things/x.svg", "things/page.html"):
        assert served.client.get(address(key, image="1")).status_code == 404
        answer = served.client.get(address(key, download="1"))
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.content == FILES[key]


class Refusing(HookedStore):
    """A store that gives nothing of what lies below `raw/` and `things/`."""

    def __init__(self, inner: HookedStore, error: OSError) -> None:
        def refuse(verb: str, key: str) -> None:
            if key.startswith(("raw/", "things/")):
                raise error

        super().__init__(inner, before=refuse)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "403 key AKIA123"), "does not let us in"),
        (ConnectionError(111, "no route AKIA123"), "cannot be reached"),
    ],
)
def test_a_store_that_refuses_or_is_away_is_told_in_one_line(
    kept: Lake, error: OSError, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site(kept) as pages:
        pages.get("/")
        link = pages.json("/raw/trips/m=1/v1")["downloads"][0]["link"]
    opened = "tests.browser.site.again"

    def refusing(lk: Lake) -> Lake:
        from tests.lakes import again

        found = again(lk)
        found.log.store = Refusing(found.log.store, error)  # type: ignore[arg-type]
        return found

    monkeypatch.setattr(opened, refusing)
    with site(kept) as pages:
        for path in ("/bucket?prefix=raw/", address("things/plain.txt"), link,
                     address("things/plain.txt", download="1")):  # fmt: skip
            text = pages.get(path, 503)
            assert said in text, path
            assert "AKIA" not in text
        page = pages.json("/raw/trips/m=1/v1")
        assert page["receipt_problem"] == "its object cannot be fetched now"
