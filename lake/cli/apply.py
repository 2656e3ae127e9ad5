"""`lake apply`."""

from typing import TYPE_CHECKING

from lake.cli.call import Call, verb
from lake.cli.land import words
from lake.cli.output import document, line, plain
from lake.errors import raise_all

if TYPE_CHECKING:
    from lake.operations.apply import Application


@verb(name="apply")
def command(call: Call) -> None:
    """Declare in the log what lake.toml and models/ say.

    The lake then opens with its sources and models wherever the bucket is. What was taken out of
    the files is named, and nothing is dropped. What is held is read again as it is declared now.
    """
    lake = call.open()
    done = lake.apply()
    if call.json:
        document({"commit": done.commit, "declared": done.declared, "read_again": done.read_again})
    else:
        _tell(done, lake.commit)
    raise_all(done.errors)


def _tell(done: "Application", commit: int) -> None:
    for one in done.declared:
        if one.what != "unchanged":
            line(f"{one.kind} {one.name}  {_said(one.what)}")
    for landing in done.read_again:
        line(plain(f"{words(landing)}; read again, as it is declared now"))
    if done.commit or done.read_again:
        line(f"commit {commit}")
    else:
        line(f"nothing changed: the lake stays at commit {commit}")


def _said(what: str) -> str:
    if what == "not declared here":
        return "is in the log only: its file or table is gone, its data stay"
    return what
