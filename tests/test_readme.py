"""What the README shows runs."""

import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from lake.cli.verbs import VERBS
from lake.config import load
from lake.models.parse import parse_model

README = (Path(__file__).parent.parent / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_eight_lines_run_and_print_what_was_landed(tmp_path: Path) -> None:
    for number, rows in ((1, 3), (2, 5)):
        duckdb.sql(f"SELECT i AS id, i * 1.5 AS fare FROM range({rows}) AS t(i)").write_parquet(
            str(tmp_path / f"trips-0{number}.parquet")
        )
    (code,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"2024-01 +│ +3 ", done.stdout)
    assert re.search(r"2024-02 +│ +5 ", done.stdout)
    assert "originals/trips-01.parquet" in done.stdout
    landed = tmp_path / "originals" / "trips-01.parquet"
    assert landed.read_bytes() == (tmp_path / "trips-01.parquet").read_bytes()


def test_the_lake_toml_is_one(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    (tmp_path / "lake.toml").write_text(text)
    config = load(tmp_path / "lake.toml", env=None, environ={}, cwd=tmp_path)
    assert list(config.sources) == ["green_trips", "taxi_zones"]
    assert config.warehouse.load == ("daily_revenue",)


def test_the_model_is_one() -> None:
    (text,) = blocks("sql")
    model = parse_model(text, name="daily_revenue", path="models/daily_revenue.sql")
    assert [check.name for check in model.checks] == ["unique_day_zone", "not_null_revenue"]


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^\$ lake ([a-z]+)", README, re.M))))
def test_every_verb_of_the_readme_is_one(command: str) -> None:
    assert command in VERBS
