"""Which of several spellings a view takes, when one commit brings them all."""

from pathlib import Path

import duckdb

import lake
from lake.landing.land import land
from lake.landing.order import Order
from lake.landing.stage import Attempt


def month(folder: Path, name: str, fee: str) -> Order:
    path = folder / f"{name}.parquet"
    duckdb.sql(f'SELECT 1 AS id, 1.5 AS "{fee}"').write_parquet(str(path))
    return Order("raw.trips", f"month={name}", (str(path),))


def test_the_newest_spelling_wins_also_within_one_commit(tmp_path: Path) -> None:
    lk = lake.init(str(tmp_path / "lk"))
    spellings = {"2024-01": "airport_fee", "2024-02": "Airport_fee", "2024-03": "Airport_Fee"}
    orders = [month(tmp_path, name, fee) for name, fee in spellings.items()]
    land(Attempt(lk.log, lk.new_id()), lk.state, orders)
    assert lk.sql("FROM raw.trips").columns == ["id", "Airport_Fee", "month"]


def test_a_reopened_lake_finds_the_file_that_leads_the_view(tmp_path: Path) -> None:
    lk = lake.init(str(tmp_path / "lk"))
    for orders in (
        [("2024-01", "fee"), ("2024-02", "Fee ")],
        [("2024-01", "FEE"), ("2024-03", "fee")],
    ):
        chosen = [month(tmp_path, name, fee) for name, fee in orders]
        land(Attempt(lk.log, lk.new_id()), lk.state, chosen)
        found = lake.open(str(tmp_path / "lk"))
        assert found.sql("SELECT count(fee) FROM raw.trips").fetchall() == [(lk.commit + 1,)]
