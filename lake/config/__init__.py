"""`lake.toml`: read, checked key by key, and given as frozen values."""

from lake.config.build import absolute
from lake.config.duration import duration, duration_text
from lake.config.read import find, load
from lake.config.secrets import expand, is_named, literal_secrets, recorded, url_of
from lake.config.source import source_from_text, source_text
from lake.config.types import (
    Alerts,
    Config,
    DeclaredColumn,
    Deployment,
    Key,
    Mail,
    Schedule,
    Source,
    TableConfig,
    Warehouse,
)

__all__ = [
    "Alerts",
    "Config",
    "DeclaredColumn",
    "Deployment",
    "Key",
    "Mail",
    "Schedule",
    "Source",
    "TableConfig",
    "Warehouse",
    "absolute",
    "duration",
    "duration_text",
    "expand",
    "find",
    "is_named",
    "literal_secrets",
    "load",
    "recorded",
    "source_from_text",
    "source_text",
    "url_of",
]
