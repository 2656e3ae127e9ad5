"""What the README shows runs."""

import gzip
import re
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from importlib.metadata import entry_points
from pathlib import Path

import duckdb
import pytest

import lake
from lake.cli.verbs import VERBS
from lake.config import TableConfig, load
from lake.errors import VersionHeld
from lake.models.parse import parse_model
from tests.databases import Shop, rows

README = (Path(__file__).parent.parent / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def block(language: str, word: str) -> str:
    """Return the only block of a language that holds a word."""
    (found,) = [text for text in blocks(language) if word in text]
    return found


DATABASE, CONTRACT = block("toml", "[sources.orders]"), block("toml", "[sources.trips]")


def test_the_eight_lines_run_and_print_what_was_landed(tmp_path: Path) -> None:
    for number, count in ((1, 3), (2, 5)):
        duckdb.sql(f"SELECT i AS id, i * 1.5 AS fare FROM range({count}) AS t(i)").write_parquet(
            str(tmp_path / f"trips-0{number}.parquet")
        )
    code = "\n".join(blocks("python")) + "\nprint(lk.sql('FROM raw.orders__current').fetchall())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"2024-01 +│ +3 ", done.stdout)
    assert re.search(r"2024-02 +│ +5 ", done.stdout)
    assert "originals/trips-01.parquet" in done.stdout
    assert "[(1, 9.5, '2024-02')]" in done.stdout
    landed = tmp_path / "originals" / "trips-01.parquet"
    assert landed.read_bytes() == (tmp_path / "trips-01.parquet").read_bytes()


def test_the_lake_toml_is_one(tmp_path: Path) -> None:
    text = blocks("toml")[0]
    (tmp_path / "lake.toml").write_text(text)
    config = load(tmp_path / "lake.toml", env=None, environ={}, cwd=tmp_path)
    assert list(config.sources) == ["green_trips", "taxi_zones"]
    assert config.warehouse.load == ("daily_revenue",)


@pytest.mark.xdist_group("postgres")
def test_the_database_source_lands_what_is_newer(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop.root)
    monkeypatch.setenv("ORDERS_URL", shop.url)
    (shop.root / "lake.toml").write_text(DATABASE)
    shop.run("CREATE TABLE orders (id int, updated_at timestamptz DEFAULT now())")
    lake.init("lake")
    lk = lake.open("lake")
    for _ in range(2):
        shop.run("INSERT INTO orders VALUES (1)")
        lk.land_sources()
    assert rows(lk, "SELECT count(*) FROM raw.orders") == [(2,)]
    assert rows(lk, "SELECT count(*) FROM raw.orders__current") == [(1,)]


def test_a_table_is_merged_as_the_readme_says(tmp_path: Path) -> None:
    (text,) = (block for block in blocks("toml") if "merge_on" in block)
    (tmp_path / "lake.toml").write_text(text)
    environ = {"PGPASSWORD": "p@ss/word"}
    config = load(tmp_path / "lake.toml", env=None, environ=environ, cwd=tmp_path)
    assert config.warehouse.url == "postgresql://loader:p@ss/word@db.example.org/ny_taxi"
    assert config.warehouse.tables["orders"] == TableConfig("marts.orders", "merge", ("id",))


def test_the_contract_keeps_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lake.toml").write_text(CONTRACT.replace("max_rejects = 10", ""))
    (tmp_path / "trips").mkdir()
    text = (
        b"id;fare;payment_date;kind\n"
        b"1;1,50;31/01/2024 10:00;street;\n"
        b"2;NA;31/01/2024 10:00;dispatch\n"
        b";2,50;31/01/2024 10:00;street\n"
        b"4;-1,00;31/01/2024 10:00;street\n"
        b"5;1,00;2024-01-31 10:00;street\n"
        b"6;1,00;31/01/2024 10:00;bus\n"
    )
    (tmp_path / "trips" / "2024-01-31.csv.gz").write_bytes(gzip.compress(text))
    lake.init("lake")
    lk = lake.open("lake")
    with pytest.raises(VersionHeld, match=r"^raw.trips/day=2024-01-31 is held: 4 rows were reject"):
        lk.land_sources()
    (tmp_path / "lake.toml").write_text(CONTRACT)
    lake.open("lake").apply()
    found = lake.open("lake").sql("SELECT id, fare, paid_at FROM raw.trips ORDER BY id").fetchall()
    at = datetime(2024, 1, 31, 10)
    assert found == [(1, Decimal("1.50"), at), (2, None, at)]
    rejected = lake.open("lake").sql("SELECT line FROM raw.trips__rejected ORDER BY line")
    assert rejected.fetchall() == [(4,), (5,), (6,), (7,)]


def test_the_model_is_one() -> None:
    (text,) = blocks("sql")
    model = parse_model(text, name="daily_revenue", path="models/daily_revenue.sql")
    assert [check.name for check in model.checks] == ["unique_day_zone", "not_null_revenue"]


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^\$ lake ([a-z]+)", README, re.M))))
def test_every_verb_of_the_readme_is_one(command: str) -> None:
    assert command in {*VERBS, *entry_points(group="lake.verbs").names}
