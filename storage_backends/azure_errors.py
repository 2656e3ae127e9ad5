"""What Azure and its SDK say, as the errors of `Store`; no message holds a key or a signature."""

import errno

import requests
from azure.core import exceptions as core

from storage_backends.connection import is_unreached
from storage_backends.store import foreign, unreached, untrusted

SETTING = "AZURE_STORAGE_CONNECTION_STRING"

_TEXTS = {
    "ContainerNotFound": "there is no such container: make it (`az storage container create --name"
    " {container}`), or mend the URL",
    "ContainerBeingDeleted": "the container is being deleted: wait, make it again, or mend the URL",
    "ContainerDisabled": "the container is disabled: ask its owner",
    "AuthenticationFailed": "the credentials are not taken: look at"
    " AZURE_STORAGE_CONNECTION_STRING, its key or signature, and at this host's clock",
    "InvalidAuthenticationInfo": "the credentials are not taken: look at"
    " AZURE_STORAGE_CONNECTION_STRING, or log in again (`az login`)",
    "AccountIsDisabled": "the storage account is disabled: ask its owner",
    "BlobArchived": "the object lies in an archive tier: rehydrate it first"
    " (`az storage blob set-tier --tier Hot`)",
    "BlobBeingRehydrated": "the object is on its way out of an archive tier: wait some hours",
    "BlobImmutableDueToPolicy": "a policy keeps the object from being changed",
}
_LOGIN = "set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT and log in (`az login`)"


def missing(url: str) -> PermissionError:
    """Return the error for no credentials at all."""
    return PermissionError(errno.EPERM, f"{url}: there are no credentials: {_LOGIN}")


def translated(exc: Exception, *, url: str, container: str, key: str) -> OSError:
    """Return the error of `Store` for one of the SDK's; whoever asks raises it `from` that."""
    if isinstance(exc, core.HttpResponseError) and exc.status_code:
        return _answered(exc, url, container, key)
    if isinstance(exc, core.ClientAuthenticationError):
        return PermissionError(errno.EPERM, f"{url}: no credentials are good: {_LOGIN}", key)
    if isinstance(exc, (core.ServiceRequestTimeoutError, core.ServiceResponseTimeoutError)):
        return TimeoutError(errno.ETIMEDOUT, f"{url} did not answer in time: try again", key)
    why = getattr(exc, "inner_exception", None)
    if isinstance(why, requests.exceptions.SSLError):
        return untrusted(url, key, SETTING)
    if is_unreached(why):
        return unreached(url, key, SETTING)
    return ConnectionError(errno.EIO, f"{url} broke off ({type(exc).__name__}): try again", key)


def code(exc: core.AzureError) -> str:
    """Return Azure's own word for what is wrong."""
    return str(getattr(getattr(exc, "error_code", None), "value", None) or _header(exc))


def _header(exc: core.AzureError) -> str:
    response = getattr(exc, "response", None)
    return str(response.headers.get("x-ms-error-code", "")) if response is not None else ""


def _answered(exc: core.HttpResponseError, url: str, container: str, key: str) -> OSError:
    said, number = code(exc), int(exc.status_code or 0)
    number_said = f"{said or 'no reason'}, HTTP {number}"
    if text := _TEXTS.get(said):
        text = f"{url}: {text.format(container=container)} ({number_said})"
        return PermissionError(errno.EPERM, text, key)
    if number == 404 and said in ("BlobNotFound", "ResourceNotFound"):
        return FileNotFoundError(errno.ENOENT, "no such object", key)
    if number == 412 or said == "BlobAlreadyExists":
        return FileExistsError(errno.EEXIST, "the key is taken", key)
    if number in (401, 403):
        text = "these credentials may not do that, or have ended: ask for what `lake init --policy`"
        text += " prints"
        if said == "AuthorizationFailure":  # so Azurite says of a key that is another account's
            text += ", and look at the account's key"
        return PermissionError(errno.EACCES, f"{url}: {text} ({number_said})", key)
    if isinstance(exc, core.DecodeError) or (number in (200, 404) and not said):
        return foreign(url, "Azure", SETTING)
    if number in (400, 405, 411, 413):
        text = f"refuses ({number_said}): look at credentials and rights"
        return PermissionError(errno.EPERM, f"{url} {text}", key)
    return ConnectionError(errno.EIO, f"{url} failed ({number_said}): try again", key)
