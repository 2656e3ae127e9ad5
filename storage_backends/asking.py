"""What an SDK raises while a store is asked, as the errors of `Store`."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Translate = Callable[[Exception], OSError]


@contextmanager
def asking(
    raised: tuple[type[Exception], ...],
    translated: Translate,
    *,
    url: str,
    key: str,
    is_read: bool = False,
) -> Iterator[None]:
    """Raise the store's error for whatever of `raised` comes up inside.

    A read says that it wants one state of an object (`is_read`), so one that is another by now is
    no key that is taken.
    """
    try:
        yield
    except raised as exc:
        found = translated(exc)
        if is_read and isinstance(found, FileExistsError):
            text = f"{url}: {key} changed while it was read: try again"
            found = ConnectionError(errno.EIO, text, key)
        raise found from exc
