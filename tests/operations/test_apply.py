"""What `apply` mends beside what it declares."""

from pathlib import Path

import duckdb

import lake
from lake import config as configuration
from lake.operations.apply import apply


def test_apply_makes_the_files_again_that_lead_the_views(tmp_path: Path) -> None:
    lk = lake.init(str(tmp_path / "lk"))
    duckdb.sql("SELECT 1 AS id").write_parquet(str(tmp_path / "x.parquet"))
    lk.land(tmp_path / "x.parquet", dataset="raw.x")
    (tmp_path / "lake.toml").write_text('[lake]\nurl = "lk"\n')
    lk.config = configuration.load(None, env=None, environ={}, cwd=tmp_path)
    leaders = list((tmp_path / "lk" / "_lake" / "schemas").iterdir())
    for leader in leaders:
        leader.unlink()
    assert apply(lk) == ([], None)
    assert list((tmp_path / "lk" / "_lake" / "schemas").iterdir()) == leaders
    assert lk.sql("FROM raw.x").fetchall() == [(1,)]
