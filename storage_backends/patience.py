"""How long a store may take to answer."""

import errno
import os

CONNECT_S = 10
_ANSWER_S = 60.0
"""MinIO holds a key for 30 s behind a writer that froze, so waiting for less gives up first."""


def answer_s() -> float:
    """Return for how many seconds an answer is waited for: `CLEARLAKE_ANSWER_S`, else 60.

    Raises:
        PermissionError: what is set is no positive number.
    """
    said = os.environ.get("CLEARLAKE_ANSWER_S", "")
    try:
        found = float(said or _ANSWER_S)
    except ValueError:
        found = 0
    if not 0 < found < float("inf"):
        text = f"CLEARLAKE_ANSWER_S is {said!r}: set it to seconds, such as 60"
        raise PermissionError(errno.EINVAL, text)
    return found
