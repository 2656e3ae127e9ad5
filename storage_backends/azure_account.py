"""Which account of Azure is asked, and with what: as the environment says it."""

import binascii
import os
import re
from base64 import b64decode

from storage_backends.azure_errors import SETTING, missing
from storage_backends.connection import is_endpoint
from storage_backends.store import misset


def account(url: str) -> str:
    """Return the account's name.

    Raises:
        PermissionError: none is named, or it can be none; `url` is what the message speaks of.
    """
    found = os.environ.get("AZURE_STORAGE_ACCOUNT")
    if not found:
        raise missing(url)
    return _checked(url, found, "AZURE_STORAGE_ACCOUNT")


def connection_string(url: str) -> str:
    """Return the account, and the secret that opens it; empty, where there is only a login.

    Raises:
        PermissionError: the account or the secret can be none.
    """
    if said := os.environ.get(SETTING):
        _check(url, said)
        return said
    key, sas = (os.environ.get(f"AZURE_STORAGE_{name}") for name in ("KEY", "SAS_TOKEN"))
    if not key and not sas:
        return ""
    if key:
        _check_key(url, key, "AZURE_STORAGE_KEY")
    secret = f"AccountKey={key}" if key else f"SharedAccessSignature={str(sas).lstrip('?')}"
    return (
        f"DefaultEndpointsProtocol=https;AccountName={account(url)};{secret};"
        "EndpointSuffix=core.windows.net"
    )


def malformed(url: str) -> PermissionError:
    """Return the error for a connection string that is none."""
    return misset(url, f"{SETTING} is none: copy it from the account's access keys")


def _check(url: str, said: str) -> None:
    """Look at the parts, of which the SDK would find only when it asks that they are none."""
    parts: dict[str, str] = {}
    for part in said.rstrip(";").split(";"):
        name, is_part, value = part.partition("=")
        if not is_part:
            raise malformed(url)
        parts[name.upper()] = value
    if endpoint := parts.get("BLOBENDPOINT"):
        if not is_endpoint(endpoint):
            raise misset(url, f"the BlobEndpoint in {SETTING} is none: write https://host")
    elif named := parts.get("ACCOUNTNAME"):
        _checked(url, named, f"the AccountName in {SETTING}")
    if key := parts.get("ACCOUNTKEY"):
        _check_key(url, key, f"the AccountKey in {SETTING}")


def _checked(url: str, name: str, setting: str) -> str:
    # Not quoted: somebody may have put a secret into the wrong place.
    if not re.fullmatch("[a-z0-9]{3,24}", name):
        text = "can be no account's name: that is 3 to 24 lower-case letters and digits"
        raise misset(url, f"{setting} {text}")
    return name


def _check_key(url: str, key: str, setting: str) -> None:
    try:
        b64decode(key, validate=True)
    except binascii.Error:
        text = "is no base64: copy it from the account's access keys"
        raise misset(url, f"{setting} {text}") from None
