"""What a model builds is profiled, but for columns that speak of people."""

import json
from pathlib import Path

from lake import layout
from tests.lakes import land, model, new_lake

HEADER = ('description = "Fares"', 'owner = "money"', 'partition_by = "month"')


def test_a_built_partition_has_a_profile(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    rows = "FROM (VALUES (1, 'A', 2.5), (2, NULL, 4.0)) t(id, zone, fare)"
    land(lk, "raw.trips", rows, month="2024-01")
    land(lk, "raw.trips", rows, month="2024-02")
    model(lk, "fares", "SELECT month, zone, fare FROM raw.trips", *HEADER)
    lk.transform()
    found = lk.profiles("curated.fares")
    assert (found.files, found.missing, found.rows) == (2, 0, 4)
    columns = {one.name: one for one in found.columns}
    assert (columns["zone"].nulls, columns["zone"].top) == (2, (("A", 2),))
    assert (columns["fare"].min, columns["fare"].max) == ("2.5", "4.0")


def test_what_is_personal_in_what_it_reads_is_in_no_profile(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.people", "FROM (VALUES (1, 'Ada'), (2, 'Bob')) t(id, name)")
    said = {"url": "people.parquet", "columns": {"name": {"personal": True}}}
    lk.state.declarations["source"] = {"people": json.dumps(said)}
    model(lk, "people", "SELECT id, name FROM raw.people", *HEADER[:2])
    lk.transform()
    (version,) = (part.current for part in lk.state.current("curated.people"))
    assert version
    beside = layout.beside(version.files[0].key, layout.PROFILE)
    assert b"Ada" not in lk.log.store.get(beside)
    assert [one.personal for one in lk.profiles("curated.people").columns] == [False, True]
