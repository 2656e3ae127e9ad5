"""What a profile adds to a landing: the same file landed with one and without, side by side."""

from functools import partial
from pathlib import Path

from benchmarks import places
from benchmarks.measure import LAKE, Figure, interleaved, process, ratio
from lake.opening import init


def figures() -> list[Figure]:
    with places.scratch() as folder:
        return [
            _beside("Parquet landed with a profile : without", places.taxi_parquet(), folder, 9),
            _beside("CSV landed with a profile : without", places.taxi_csv(), folder, 5),
        ]


def _beside(what: str, source: Path, folder: Path, rounds: int) -> Figure:
    contenders = [partial(_landed, source, folder, profile) for profile in ("true", "false")]
    with_profile, without = interleaved(rounds, *contenders)
    return ratio(what, 1.3, with_profile, without)


def _landed(source: Path, folder: Path, profile: str) -> float:
    """Land a file into a new lake, as one process."""
    project = places.emptied(folder / "project")
    (project / "lake.toml").write_text(
        f'[lake]\nurl = "./lake"\n[sources.trips]\nurl = "{source}"\nprofile = {profile}\n'
    )
    init(str(project / "lake"))
    return process("env", "-C", project, LAKE, "land", "trips")
