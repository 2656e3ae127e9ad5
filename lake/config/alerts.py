"""The table `[alerts]` of `lake.toml`."""

import re
from email.utils import parseaddr
from urllib.parse import urlsplit

from lake.config import table
from lake.config.secrets import named
from lake.config.table import Table
from lake.config.types import Alerts, Mail

_STARTS = re.compile(r"https?://|\$\{[A-Za-z_]\w*\}")
_SECRET_HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")
_SCHEMES = ("smtp", "smtps")


def alerts(values: Table) -> Alerts:
    """Return who is told.

    Raises:
        InvalidConfig: a key is unknown, missing or wrong, or a password stands in it.
    """
    table.only(values, ("webhook", "slack", "email"))
    return Alerts(
        _hook(values, "webhook"),
        _hook(values, "slack"),
        _mail(table.inner(values, "email")) if "email" in values else None,
    )


def _hook(values: Table, key: str) -> str:
    if isinstance(values.values.get(key), dict):
        return table.attempt(values, key, lambda: named(table.inner(values, key).values))
    url = table.text(values, key, reads_environment=True)
    if key in values and not _STARTS.match(url):
        table.refuse(
            values,
            f'{key} = {url!r} is no address: write https://…, ${{NAME}} or {{ block = "NAME" }}',
        )
    if urlsplit(url).hostname in _SECRET_HOSTS:
        table.refuse(
            values, f'{key} is a secret of Slack\'s: export it, and write {key} = "${{SLACK_URL}}"'
        )
    return url


def _mail(values: Table) -> Mail:
    table.only(values, ("to", "from", "server"))
    to, sender = table.texts(values, "to"), table.text(values, "from")
    server = table.text(values, "server", reads_environment=True)
    if not to:
        table.refuse(values, 'has to say to whom: write to = ["you@example.com"]')
    for address in (*to, sender or to[0]):
        if "@" not in parseaddr(address)[1]:
            table.refuse(values, f"{address!r} is no mail address")
    if not server.startswith("${") and urlsplit(server).scheme not in _SCHEMES:
        table.refuse(
            values, f"server = {server!r} is no mail server: write smtp://HOST:PORT or smtps://HOST"
        )
    return Mail(to, sender or to[0], server)
