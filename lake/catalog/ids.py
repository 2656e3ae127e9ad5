"""Ids of commits: UUIDs of version 7 (RFC 9562), so that they sort by time."""

import secrets
import uuid
from datetime import datetime


def commit_id(now: datetime) -> str:
    """Return a new id. One logical commit has one, however often it is tried."""
    milliseconds = int(now.timestamp() * 1000)
    value = (milliseconds & (1 << 48) - 1) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return str(uuid.UUID(int=value))
