"""The lake that is looked at: kept at its head, and as it was at former commits."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from lake import layout
from lake.browser.snapshot import Snapshot
from lake.catalog.snapshot import resolve
from lake.errors import LakeError, LakeTooNew, LogDamaged, NoSuchLake, StoreRefused, unavailable
from lake.lake import Lake

FRESH_S = 2.0
"""How long the head is taken for the head, before the lake is asked again."""
_FORMER = 4


_WHY: tuple[tuple[type[LakeError], str], ...] = (
    (LakeTooNew, "Only a newer Clearlake can read the lake"),
    (StoreRefused, "The lake's store refuses this server's credentials"),
    (LogDamaged, "The lake's log is damaged"),
    (NoSuchLake, "The lake is not at its place any more"),
    (LakeError, "Cannot reach the lake"),
)


@dataclass(frozen=True, slots=True)
class Away:
    """Why nothing newer can be seen, and since when (UTC)."""

    said: str
    since: datetime


class Window:
    """Gives snapshots. Every method may be called from any thread.

    Attributes:
        away: why the lake cannot be looked at any more; None if it can.
    """

    def __init__(self, open_lake: Callable[[], Lake]) -> None:
        """Take what opens the lake; it is opened when it is asked for first, and then again."""
        self._open = open_lake
        self._lock, self._former_lock = threading.Lock(), threading.Lock()
        self._lake: Lake | None = None
        self._head: Snapshot | None = None
        self._asked = 0.0
        self._former: OrderedDict[int, Snapshot] = OrderedDict()
        self.away: Away | None = None

    def at(self, when: str) -> Snapshot:
        """Return the lake at a commit, a tag or a time; `""`: at its head.

        Raises:
            NoSuchVersion, InvalidAddress: there is no such.
            LakeError: the lake could never be opened.
        """
        head = self.head()
        if not when:
            return head
        number = resolve(head.lake.log, head.state(), when)
        if number == head.commit:
            return head
        with self._former_lock:
            found = self._former.get(number) or Snapshot(head.lake.at(number))
            # A head that was replaced meanwhile may have had the credentials of then.
            if self._head is head:
                self._former[number] = found
                self._former.move_to_end(number)
            while len(self._former) > _FORMER:
                self._former.popitem(last=False)
            return found

    def head(self) -> Snapshot:
        """Return the newest commit that is known; see `away`.

        One request looks whether there is a newer one; the others meanwhile take what is known.

        Raises:
            LakeError: the lake could never be opened.
        """
        is_old = time.monotonic() - self._asked > FRESH_S
        if self._head is None:
            with self._lock:
                self._look_if_old()
        elif is_old and self._lock.acquire(blocking=False):
            try:
                self._look_if_old()
            finally:
                self._lock.release()
        assert self._head is not None
        return self._head

    def _look_if_old(self) -> None:
        if self._head is None or time.monotonic() - self._asked > FRESH_S:
            self._look()
            self._asked = time.monotonic()

    def _look(self) -> None:
        try:
            if self._lake is None or self.away:
                self._lake = self._open()
            else:
                _look_for(self._lake)
                self._lake.refresh()
        except LakeError as error:
            if self._head is None:
                raise
            # Credentials may have expired, or the network is down: what is known stays.
            said = next(said for kind, said in _WHY if isinstance(error, kind))
            self.away = Away(said, self.away.since if self.away else datetime.now(UTC))
            return
        if self._head is None or self.away or self._head.commit != self._lake.commit:
            self._head = Snapshot(self._fixed(self._lake))
        if self.away:
            # What was opened then has the credentials of then; `at` keeps nothing of it from here.
            with self._former_lock:
                self._former.clear()
        self.away = None

    def _fixed(self, lake: Lake) -> Lake:
        return Lake(lake.log, lake.state.fork(), lake.config, lake.run, fixed=True)


def _look_for(lake: Lake) -> None:
    """Make sure that the lake is still there: a folder that is gone has nothing newer, either."""
    try:
        lake.log.store.size(layout.LAKE)
    except FileNotFoundError as exc:
        raise NoSuchLake(f"{lake.url} is no lake any more") from exc
    except OSError as exc:
        raise unavailable(
            f"{lake.url} cannot be reached; this goes on once it can be", exc
        ) from exc
