"""What Google Cloud Storage and its SDK say, as the errors of `Store`; no message holds a token."""

import errno
import json
import os

import requests
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from storage_backends.connection import is_unreached
from storage_backends.store import foreign, unreached, untrusted

SDK = (
    api.GoogleAPIError,
    auth.GoogleAuthError,
    requests.RequestException,
)
"""Everything that the SDK raises for what a server or a network did."""

SETTING = "STORAGE_EMULATOR_HOST"
_LOGIN = (
    "`gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a key file"
)


def translated(exc: Exception, *, url: str, bucket: str, key: str) -> OSError:
    """Return the error of `Store` for one of the SDK's; whoever asks raises it `from` that."""
    if isinstance(exc, api.RetryError) and isinstance(exc.cause, SDK):
        exc = exc.cause
    if isinstance(exc, auth.DefaultCredentialsError):
        return no_credentials(url)
    if isinstance(exc, auth.RefreshError) and not exc.retryable:
        text = f"the credentials are no longer good: {_LOGIN}; then run the same command again"
        return PermissionError(errno.EPERM, f"{url}: {text}", key)
    if isinstance(exc, api.GoogleAPICallError) and exc.code:
        return _answered(exc, url, bucket, key)
    if isinstance(exc, requests.ConnectTimeout | requests.ReadTimeout):
        return TimeoutError(errno.ETIMEDOUT, f"{url} did not answer in time: try again", key)
    if isinstance(exc, (requests.JSONDecodeError, requests.TooManyRedirects)):
        return foreign(url, "Google Cloud Storage", SETTING)
    if isinstance(exc, requests.exceptions.SSLError):
        return untrusted(url, key, SETTING)
    if is_unreached(exc):
        return unreached(url, key, SETTING)
    return ConnectionError(errno.EIO, f"{url} broke off ({type(exc).__name__}): try again", key)


def no_credentials(url: str) -> PermissionError:
    """Return the error for no credentials, or for a file that should hold them and does not."""
    text = "there are no credentials"
    if file := os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        what = "holds no key that is good" if os.path.exists(file) else "is not there"
        text = f"the file that GOOGLE_APPLICATION_CREDENTIALS names {what}"
    return PermissionError(errno.EPERM, f"{url}: {text}: {_LOGIN}")


def may_be_the_bucket(exc: api.NotFound) -> bool:
    """Tell whether what is not there may be the bucket: not every answer says."""
    return not _text(exc).startswith("No such object")


def _answered(exc: api.GoogleAPICallError, url: str, bucket: str, key: str) -> OSError:
    number = int(exc.code or 0)
    if _is_page(exc) and (number == 403 or (number == 404 and not key)):
        return foreign(url, "Google Cloud Storage", SETTING)
    if number == 404:
        # Where no key was asked for, it is the bucket that is not there, whatever is said.
        if not key or ("bucket" in _text(exc) and "No such object" not in _text(exc)):
            text = "there is no such bucket: make it"
            text += f" (`gcloud storage buckets create gs://{bucket}`), or mend the URL (HTTP 404)"
            return PermissionError(errno.EPERM, f"{url}: {text}", key)
        return FileNotFoundError(errno.ENOENT, "no such object", key)
    if number == 412:
        return FileExistsError(errno.EEXIST, "the key is taken", key)
    if number == 401:
        text = f"the credentials are not taken: {_LOGIN}; then run the same command again"
        return PermissionError(errno.EPERM, f"{url}: {text} (HTTP 401)", key)
    if number == 403:
        text = "these credentials may not do that: ask for the rights that `lake init --policy`"
        return PermissionError(errno.EACCES, f"{url}: {text} prints (HTTP 403)", key)
    if number in (400, 405, 411, 413):
        text = f"refuses (HTTP {number}): look at credentials and rights"
        return PermissionError(errno.EPERM, f"{url} {text}", key)
    if number == 429:
        text = "asks for fewer requests, and for one write a second of each object (HTTP 429)"
        return ConnectionError(errno.EAGAIN, f"{url} {text}: try again", key)
    return ConnectionError(errno.EIO, f"{url} failed (HTTP {number}): try again", key)


def _is_page(exc: api.GoogleAPICallError) -> bool:
    """Tell a page from a plain word of Google's, which calls itself HTML, too."""
    kind = getattr(exc.response, "headers", {}).get("Content-Type", "")
    return "text/html" in kind and _text(exc).lstrip().startswith("<")


def _text(exc: api.GoogleAPICallError) -> str:
    """Return the server's own words, of JSON or as they are."""
    said = exc.response.text if isinstance(exc.response, requests.Response) else ""
    try:
        return str(json.loads(said)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return said
