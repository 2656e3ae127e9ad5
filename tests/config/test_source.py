from datetime import timedelta
from pathlib import Path

import pytest

from lake.config import Key, Source, load, source_from_text, source_text
from lake.config.types import Database, Reading
from lake.errors import InvalidConfig


def test_a_declaration_says_only_what_was_said() -> None:
    assert source_text(Source("zones", "zones.csv", root=Path("/x"))) == '{"url":"zones.csv"}'


@pytest.mark.parametrize(
    "source",
    [
        Source("zones", "zones.csv"),
        Source(
            "zones",
            "https://${U}:${P}@h/zönes.csv",
            owner="ops",
            reading=Reading(keep_original=False),
        ),
        Source(
            "green_trips",
            "https://h/{region}/{month:%Y/%m}.csv",
            partition={
                "region": Key(values=("São Paulo", "a/b")),
                "month": Key("month", since="2023-01", until="2025", lag=timedelta(days=60)),
            },
            expect_every=timedelta(hours=36),
            description='a "quoted" one',
            reading=Reading(max_rejects=5, key=("id",), widths=(("b", 3), ("a", 2))),
        ),
        Source(
            "orders",
            "",
            database=Database("${URL}", "shop.orders", cursor="id", lookback=1000),
            reading=Reading(key=("id",)),
        ),
        Source(
            "orders",
            "",
            database=Database(
                {"block": "shop"}, query="SELECT 1 AS at", cursor="at", lookback="2 hours"
            ),
        ),
    ],
)
def test_a_declaration_gives_the_source_back(source: Source) -> None:
    assert source_from_text(source_text(source), source.name) == source


def test_the_order_of_the_keys_survives() -> None:
    keys = {"b": Key(values=("1",)), "a": Key(values=("2",))}
    source = Source("x", "{a}{b}", partition=keys)
    assert list(source_from_text(source_text(source), "x").partition) == ["b", "a"]


def test_a_declaration_of_a_newer_version_is_refused() -> None:
    with pytest.raises(InvalidConfig, match=r"^the lake's log: \[sources.x\] knows no key 'tail'"):
        source_from_text('{"url":"x","tail":"at"}', "x")


def test_a_declaration_that_is_no_json_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="declaration of source 'x' is no JSON object: 'hm'"):
        source_from_text("hm", "x")


def test_a_date_needs_no_quotes(tmp_path: Path) -> None:
    text = '[sources.x]\nurl = "h/{day}"\npartition.day = { every = "day", since = 2024-01-31 }'
    (tmp_path / "lake.toml").write_text(text)
    config = load(None, env=None, environ={}, cwd=tmp_path)
    assert config.sources["x"].partition["day"].since == "2024-01-31"
    assert config.sources["x"].dataset == "raw.x"
