"""`lake apply`."""

from lake.cli.call import Call, verb
from lake.cli.output import document, line


@verb(name="apply")
def command(call: Call) -> None:
    """Declare in the log what lake.toml and models/ say.

    The lake then opens with its sources and models wherever the bucket is. What was taken out of
    the files is named, and nothing is dropped.
    """
    from lake.operations.apply import apply

    lake = call.open()
    found, number = apply(lake)
    if call.json:
        document({"commit": number, "declared": found})
        return
    for one in found:
        if one.what != "unchanged":
            line(f"{one.kind} {one.name}  {_said(one.what)}")
    if number is None:
        line(f"nothing changed: the lake stays at commit {lake.commit}")
    else:
        line(f"commit {number}")


def _said(what: str) -> str:
    if what == "not declared here":
        return "is in the log only: its file or table is gone, its data stay"
    return what
