"""What a verb that publishes says while it works, and the document that it leaves."""

from collections.abc import Callable
from typing import Any

from lake.cli.call import Call
from lake.cli.output import document, line, plain


class Report:
    """Tells of each thing when it is settled.

    At the end, whatever that is, it prints the JSON document of what was done; a failure before
    anything was done leaves none.
    """

    def __init__(self, call: Call, done: Any, *, end: Callable[[], str] = str) -> None:
        """Report for `call`.

        Args:
            call: says whether JSON is wanted.
            done: the document, which the tellers' lists are part of.
            end: gives the last line for people; it may be empty.
        """
        self.call, self.done, self.end = call, done, end
        self.told = 0

    def teller(self, into: list[Any], words: Callable[[Any], str]) -> Callable[[Any], None]:
        """Return what hears of one kind of thing: it keeps it and says it in words."""

        def tell(one: Any) -> None:
            self.told += 1
            into.append(one)
            if not self.call.json:
                for text in words(one).split("\n"):
                    line(plain(text))

        return tell

    def __enter__(self) -> None:
        """Start."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self.told and kind is not None:
            return
        if self.call.json:
            document(self.done)
        elif end := self.end():
            line(plain(end))
