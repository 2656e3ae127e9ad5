"""What became of a file's rows when it was converted to Parquet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of a file's rows: `rows` landed, `rejected` kept aside, and lines without any.

    Attributes:
        rows: how many landed.
        rejected: how many did not: they could not be read, or broke the contract.
        blank_lines: lines with nothing in them, which are no rows.
        first_reject: where and why the first row was rejected, such as `line 4: 2 fields …`; it
            never quotes a value, because it may get into the log.
        comment_lines: lines that the source declares to be no rows.
        flaw: how the file as a whole breaks its contract, or nothing.
    """

    rows: int
    rejected: int = 0
    blank_lines: int = 0
    first_reject: str = ""
    comment_lines: int = 0
    flaw: str = ""
