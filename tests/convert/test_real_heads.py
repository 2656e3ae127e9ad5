"""The heads of 221 real monthly files, each cut in the middle of a line."""

import re
from collections import Counter
from pathlib import Path

import pytest

from lake.config.types import AS_IT_COMES, Reading
from lake.convert.converted import Converted
from lake.convert.csv.convert import convert_csv
from tests.convert.converting import read_rejects

HEADS = Path(__file__).parents[3] / "shared" / "data" / "tlc_heads"
pytestmark = pytest.mark.skipif(
    not HEADS.is_dir(), reason="shared/data is not beside the repository"
)


def convert(path: Path, folder: Path, reading: Reading) -> Converted:
    rejects = folder / "rejects"
    rejects.unlink(missing_ok=True)
    done = convert_csv(path, folder / "out", name=path.name, reading=reading, rejects=rejects)
    assert len(read_rejects(rejects)) == done.rejected, path.name
    return done


def test_186_land_and_35_do_where_surplus_empty_fields_are_no_fault(tmp_path: Path) -> None:
    found = {path: convert(path, tmp_path, AS_IT_COMES) for path in sorted(HEADS.glob("*.csv"))}
    assert sum(done.rows + done.rejected for done in found.values()) == 1_504
    assert Counter(done.rejected for done in found.values() if done.rejected < 2) == {0: 16, 1: 170}
    wider = {path: done for path, done in found.items() if done.rejected > 1}
    assert len(wider) == 35
    for path, done in found.items():
        if path in wider:
            columns = len(path.read_bytes().partition(b"\n")[0].split(b","))
            told = rf"line [234]: {columns + 2} fields where the header has {columns}"
            assert re.fullmatch(told, done.first_reject), path.name
            empty = convert(path, tmp_path, Reading(extra_fields="empty"))
            assert empty.rejected <= 1, path.name
            assert empty.rows + empty.rejected == done.rows + done.rejected, path.name
        elif done.rejected:
            last = len(path.read_bytes().splitlines())
            assert done.first_reject.startswith(f"line {last}: "), path.name
