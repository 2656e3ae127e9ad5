"""How long a person waits for a word: starting Python is part of it."""

from benchmarks.lakes import big_lake
from benchmarks.measure import LAKE, Figure, interleaved, process, python, seconds

_HEAVY = ("duckdb", "pyarrow", "pandas", "boto3", "prefect")
_CHECK = f"import lake, sys; sys.exit([m for m in {_HEAVY} if m in sys.modules] or 0)"


def figures() -> list[Figure]:
    big = big_lake()
    process(LAKE, "--lake", big, "ls")
    python(_CHECK)
    ls, version, imported, bare = interleaved(
        9,
        lambda: process(LAKE, "--lake", big, "ls"),
        lambda: process(LAKE, "--version"),
        lambda: python("import lake"),
        lambda: python(""),
    )
    above = [max(one - other, 0.0) for one, other in zip(imported, bare, strict=True)]
    return [
        seconds("`lake ls`, 10,000 commits with 100,000 files", 0.4, ls),
        seconds("`lake --version`", 0.1, version),
        seconds(f"`import lake` above bare Python, loads no {', '.join(_HEAVY)}", 0.05, above),
    ]
