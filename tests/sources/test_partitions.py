import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lake.config import Key, Source
from lake.errors import InvalidConfig, SourceMissing
from lake.sources.partitions import Request, requests

NOW = datetime(2024, 3, 1, 2, 30, tzinfo=UTC)


def _asked(
    source: Source,
    *,
    since: str | None = None,
    until: str | None = None,
    now: datetime = NOW,
    timezone: str = "UTC",
    environ: Mapping[str, str] | None = None,
) -> tuple[Request, ...]:
    return requests(
        source, since=since, until=until, now=now, timezone=timezone, environ=environ or {}
    )


def _web(url: str, **keys: Key) -> Source:
    return Source("x", url, partition=keys)


def _folder(root: Path, url: str, *files: str, **keys: Key) -> Source:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(file)
    return Source("x", url, partition=keys, root=root)


def _found(root: Path, found: tuple[Request, ...]) -> dict[str, list[str]]:
    return {r.partition: [str(Path(u).relative_to(root)) for u in r.urls] for r in found}


MONTHS = Key("month", since="2023-11", lag=timedelta(days=40))


def test_every_month_is_asked_for_up_to_now_in_order() -> None:
    assert _asked(_web("https://h/g_{month}.parquet", month=MONTHS)) == (
        Request("month=2023-11", ("https://h/g_2023-11.parquet",)),
        Request("month=2023-12", ("https://h/g_2023-12.parquet",)),
        Request("month=2024-01", ("https://h/g_2024-01.parquet",), within_lag=True),
        Request("month=2024-02", ("https://h/g_2024-02.parquet",), within_lag=True),
        Request("month=2024-03", ("https://h/g_2024-03.parquet",), within_lag=True),
    )


def test_now_is_what_the_clocks_of_the_lakes_zone_say() -> None:
    source = _web("https://h/{day}", day=Key("day", since="2024-02-28"))
    days = [r.partition for r in _asked(source, timezone="America/New_York")]
    assert days == ["day=2024-02-28", "day=2024-02-29"]


def test_a_period_that_has_not_ended_may_still_come_without_a_lag() -> None:
    late = [r.within_lag for r in _asked(_web("https://h/{y}", y=Key("year", since="2022")))]
    assert late == [False, False, True]


@pytest.mark.parametrize(
    ("since", "until", "months"),
    [
        ("2024-02", None, ["2024-02", "2024-03"]),
        (None, "2023-11", ["2023-11"]),
        ("2020", "2023", ["2023-11", "2023-12"]),
        ("2024-01-31", "2024-02-01", ["2024-01", "2024-02"]),
        ("2024-Q1", None, ["2024-01", "2024-02", "2024-03"]),
        ("2025", None, []),
    ],
)
def test_since_and_until_narrow_in_any_unit(
    since: str | None, until: str | None, months: list[str]
) -> None:
    asked = _asked(_web("https://h/{month}", month=MONTHS), since=since, until=until)
    assert [r.partition.removeprefix("month=") for r in asked] == months


def test_what_is_no_period_is_refused() -> None:
    with pytest.raises(InvalidConfig, match=r"^'jan' is no time: write one such as 2024, 2024-Q1"):
        _asked(_web("https://h/{month}", month=MONTHS), since="jan")


def test_an_hour_that_the_clocks_skip_is_not_asked_for() -> None:
    source = _web("https://h/{hour}", hour=Key("hour", since="2024-03-31"))
    now = datetime(2024, 3, 31, 2, 0, tzinfo=UTC)
    asked = _asked(source, now=now, timezone="Europe/Paris")
    hours = [r.partition[-2:] for r in asked]
    assert hours == ["00", "01", "03", "04"]


def test_a_field_has_a_format_and_a_longer_period() -> None:
    source = _web("https://h/{year}/{quarter}/{day:%m/%d}", day=Key("day", since="2024-02-29"))
    assert [r.urls[0] for r in _asked(source)] == [
        "https://h/2024/2024-Q1/02/29",
        "https://h/2024/2024-Q1/03/01",
    ]


def test_several_keys_are_combined_and_encoded() -> None:
    regions, months = Key(values=("a/b", "é")), Key("month", since="2024-02")
    asked = _asked(_web("https://h/{region}?m={month}", region=regions, month=months))
    assert [(r.partition, r.urls[0]) for r in asked] == [
        ("region=a%2Fb/month=2024-02", "https://h/a%2Fb?m=2024-02"),
        ("region=a%2Fb/month=2024-03", "https://h/a%2Fb?m=2024-03"),
        ("region=%C3%A9/month=2024-02", "https://h/%C3%A9?m=2024-02"),
        ("region=%C3%A9/month=2024-03", "https://h/%C3%A9?m=2024-03"),
    ]


def test_two_partitions_at_one_place_are_refused() -> None:
    source = _web("https://h/{month:%m}", month=Key("month", since="2023-01"))
    said = "[sources.x] url: month=2023-01 and month=2024-01 are the same place: put all of the key"
    with pytest.raises(InvalidConfig, match=f"^{re.escape(said)}"):
        _asked(source)


def test_variables_are_looked_up_and_are_no_fields() -> None:
    source = _web("https://${HOST}/{k}", k=Key(values=("1",)))
    asked = _asked(source, environ={"HOST": "{k}.org"})
    assert asked == (Request("k=1", ("https://{k}.org/1",)),)


def test_a_variable_that_is_not_set_is_named() -> None:
    said = "[sources.x] url: the environment variable HOST is not set: export HOST first"
    with pytest.raises(InvalidConfig, match=f"^{re.escape(said)}$"):
        _asked(_web("https://${HOST}/x"))


def test_a_path_is_one_request_whether_or_not_it_is_there(tmp_path: Path) -> None:
    assert _asked(_folder(tmp_path, "data/z.csv")) == (
        Request("", (str(tmp_path / "data" / "z.csv"),)),
    )


@pytest.mark.parametrize(
    "form", ["{root}/z.csv", "file://{root}/z.csv", "file://localhost{root}/z.csv"]
)
def test_a_path_may_be_absolute_or_a_url(tmp_path: Path, form: str) -> None:
    root = tmp_path / "a b"
    url = form.format(root=str(root).replace(" ", "%20") if "file:" in form else root)
    assert _asked(Source("x", url, root=Path("/other")))[0].urls == (str(root / "z.csv"),)


def test_a_file_url_of_another_machine_is_refused() -> None:
    with pytest.raises(InvalidConfig, match=r"^file://nas/x is on another machine: write file:///"):
        _asked(Source("x", "file://nas/x"))


def test_a_glob_without_keys_is_one_partition_in_natural_order(tmp_path: Path) -> None:
    source = _folder(tmp_path, "in/*.csv", "in/p10.csv", "in/p2.csv", "in/p1.txt", "in/.p3.csv")
    assert _found(tmp_path, _asked(source)) == {"": ["in/p2.csv", "in/p10.csv"]}


def test_a_glob_that_finds_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match=r"^no file fits in/\*\.csv: look at the path, or at"):
        _asked(_folder(tmp_path, "in/*.csv"))


def test_a_file_whose_name_looks_like_a_glob_is_itself(tmp_path: Path) -> None:
    source = _folder(tmp_path, "a[1].csv", "a[1].csv", "a1.csv")
    assert _found(tmp_path, _asked(source)) == {"": ["a[1].csv"]}


def test_a_folder_says_which_partitions_there_are(tmp_path: Path) -> None:
    root = tmp_path / "weird [1]"
    names = ["g_2024-01.csv", "g_2023-12.csv", "g_2024-13.csv", "g_notes.csv", "h_2024-02.csv"]
    source = _folder(root, "./g_{month}.csv", *names, month=Key("month"))
    assert _asked(source) == (
        Request("month=2023-12", (f"{root}/./g_2023-12.csv",)),
        Request("month=2024-01", (f"{root}/./g_2024-01.csv",)),
    )


def test_a_folder_is_narrowed_by_since_and_until(tmp_path: Path) -> None:
    names = [f"{year}.csv" for year in range(2018, 2024)]
    source = _folder(tmp_path, "{y}.csv", *names, y=Key("year", since="2019"))
    asked = _asked(source, since="2020-06", until="2021")
    assert [r.partition for r in asked] == ["y=2020", "y=2021"]


def test_a_partition_of_a_glob_has_all_its_files(tmp_path: Path) -> None:
    names = ["eu/2024/01/b.csv", "eu/2024/01/a.csv", "eu/2023/12/a.csv", "us/2024/01/a.csv"]
    names += ["eu/2024/1/a.csv", "eu/2024/44/a.csv"]
    keys = {"region": Key(values=("us", "eu")), "month": Key("month")}
    source = _folder(tmp_path, "{region}/{month:%Y}/{month:%m}/*.csv", *names, **keys)
    assert _found(tmp_path, _asked(source)) == {
        "region=eu/month=2023-12": ["eu/2023/12/a.csv"],
        "region=eu/month=2024-01": ["eu/2024/01/a.csv", "eu/2024/01/b.csv"],
        "region=us/month=2024-01": ["us/2024/01/a.csv"],
    }


def test_fields_that_contradict_each_other_are_no_partition(tmp_path: Path) -> None:
    names = ["2024/2024-01.csv", "2023/2024-02.csv"]
    source = _folder(tmp_path, "{year}/{month}.csv", *names, month=Key("month"))
    assert _found(tmp_path, _asked(source)) == {"month=2024-01": ["2024/2024-01.csv"]}


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("**/d_{day:%Y%m%d}_*.csv", "a/b/d_20240229_x.csv"),
        ("d_{day:%Y-%j}.csv", "d_2024-060.csv"),
        ("[a-d]?{day}.[!x]sv", "d_2024-02-29.csv"),
        ("{day:%Y}/{day:%Y-%m-%d}{day:%m}.csv", "2024/2024-02-2902.csv"),
    ],
)
def test_patterns_are_read_back(tmp_path: Path, url: str, name: str) -> None:
    source = _folder(tmp_path, url, name, day=Key("day"))
    assert _found(tmp_path, _asked(source)) == {"day=2024-02-29": [name]}


def test_a_week_is_read_back_from_its_format(tmp_path: Path) -> None:
    source = _folder(tmp_path, "{w:%G_%V}.csv", "2024_09.csv", w=Key("week"))
    assert _found(tmp_path, _asked(source)) == {"w=2024-W09": ["2024_09.csv"]}


def test_a_folder_without_a_partition_is_refused_with_what_lies_there(tmp_path: Path) -> None:
    source = _folder(
        tmp_path, "g_{month}.csv", "g_2024_01.csv", "g_2024_02.csv", month=Key("month")
    )
    said = "no file fits g_{month}.csv: g_2024_01.csv and 1 more lie there, but say no month"
    with pytest.raises(SourceMissing, match=f"^{re.escape(said)}$"):
        _asked(source)


def test_declared_values_are_asked_for_though_missing(tmp_path: Path) -> None:
    source = _folder(tmp_path, "{k}.csv", "a.csv", k=Key(values=("b", "a")))
    assert _found(tmp_path, _asked(source)) == {"k=b": ["b.csv"], "k=a": ["a.csv"]}


def test_a_variable_may_be_the_folder(tmp_path: Path) -> None:
    source = _folder(tmp_path, "${DIR}/{y}.csv", "in/2024.csv", y=Key("year"))
    asked = _asked(source, environ={"DIR": str(tmp_path / "in")})
    assert _found(tmp_path, asked) == {"y=2024": ["in/2024.csv"]}


def test_what_a_folder_showed_before_is_asked_for_without_a_place(tmp_path: Path) -> None:
    keys = {"kind": Key(values=("a", "b")), "day": Key(every="day", since="2024-01-02")}
    source = _folder(tmp_path, "{kind}-{day}.csv", "a-2024-01-02.csv", **keys)
    before = [
        "kind=a/day=2024-01-02",
        "kind=b/day=2024-01-03",
        "kind=a/day=2024-01-01",
        "kind=a/day=2024-01",
        "kind=c/day=2024-01-02",
        "day=2024-01-02/kind=a",
        "kind=a",
    ]

    def vanished(until: str | None = None) -> list[str]:
        found = requests(
            source,
            since=None,
            until=until,
            now=NOW,
            timezone="UTC",
            environ={},
            known=lambda: before,
        )
        return [one.partition for one in found if not one.urls]

    assert vanished() == ["kind=b/day=2024-01-03"]
    assert vanished(until="2024-01-02") == []
    (tmp_path / "a-2024-01-02.csv").unlink()
    with pytest.raises(SourceMissing, match="no file fits"):
        vanished()
