"""What `remove`, `drop` and `rename` say besides what they did."""

from typing import TYPE_CHECKING

from lake.cli.call import Call
from lake.cli.output import document, plain, talk

if TYPE_CHECKING:
    from lake.operations.remove import Taken


def tell(call: Call, done: "Taken") -> bool:
    """Say what is left to do beside the data; where JSON is wanted, print it and return True."""
    if call.json:
        document(done)
        return True
    for note in done.notes:
        talk(plain(f"note: {note}"))
    return False
