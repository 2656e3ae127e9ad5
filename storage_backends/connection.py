"""How connections are made for the SDKs that use `requests`: many at once, and not for long."""

from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError
from urllib3.util import Retry

_AGAIN = Retry(3, read=False, other=0, backoff_factor=0.3, respect_retry_after_header=False)
"""Only for connections that never came about, so nothing was sent: within 2 s."""


def prepare(session: requests.Session) -> None:
    """Let a session keep a connection for each thread, and ask for one more than once."""
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_connections=8, pool_maxsize=64, max_retries=_AGAIN))


def is_unreached(exc: BaseException | None) -> bool:
    """Tell whether no connection came about, or none that can be trusted."""
    if isinstance(exc, (requests.exceptions.SSLError, requests.exceptions.ProxyError)):
        return True
    why = exc.args[0] if isinstance(exc, requests.ConnectionError) and exc.args else None
    return isinstance(why, MaxRetryError) and isinstance(why.reason, NewConnectionError)


def is_endpoint(url: str) -> bool:
    """Tell whether servers can be asked at `url`: the SDKs would say so late, or not at all."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # no port, or no address
        return False
