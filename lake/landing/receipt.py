"""The receipt of a version: where it came from, written beside its files."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lake.catalog.entries import File, Schema
from lake.version import VERSION


def receipt(
    *,
    lake: str,
    dataset: str,
    partition: str,
    at: datetime,
    run: str,
    sources: Sequence[dict[str, Any]],
    reading: Mapping[str, Any],
    files: Sequence[File],
    schema: Schema,
    counts: Mapping[str, int],
) -> bytes:
    """Return a receipt as JSON for people: source, hashes, counts, schema and run.

    It holds no commit and no version number, for it is written before they are known.
    """
    document = {
        "lake": lake,
        "dataset": dataset,
        "partition": partition,
        "landed_at": at.isoformat(timespec="seconds"),
        "run": run,
        "clearlake": VERSION,
        "sources": list(sources),
        "read_as": dict(reading),
        "rows": sum(file.rows for file in files if file.role == "data"),
        **counts,
        "files": [
            {"key": f.key, "role": f.role, "bytes": f.bytes, "rows": f.rows, "sha256": f.sha256}
            for f in files
        ],
        "columns": [{"name": column.name, "type": column.type} for column in schema],
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode()
