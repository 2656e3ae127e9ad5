"""What a bucket block and the credentials in it say, as the stores look for it."""

import atexit
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import mkstemp
from typing import Any
from urllib.parse import urlsplit

from lake.errors import InvalidConfig

Data = Mapping[str, Any]
Environment = dict[str, str | None]
CREDENTIALS = ("credentials", "gcp_credentials")
"""The fields of bucket blocks that hold their credentials."""


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket; `kinds` are the blocks that may open it, by their types' slugs."""

    scheme: str
    bucket: str
    folder: str
    kinds: tuple[str, ...]

    def url(self, below: str) -> str:
        """Return the URL of a folder in it."""
        parts = (self.bucket, self.folder, below)
        return f"{self.scheme}://{'/'.join(part.strip('/') for part in parts if part.strip('/'))}"


_PLACES = {
    "bucket_name": ("s3", "bucket_folder", ("aws-credentials", "minio-credentials")),
    "bucket": ("gs", "bucket_folder", ("gcp-credentials",)),
    "container_name": ("az", "base_folder", ("azure-blob-storage-credentials",)),
}
_MARKS = {
    "minio_root_user": "minio-credentials",
    "aws_access_key_id": "aws-credentials",
    "service_account_info": "gcp-credentials",
    "connection_string": "azure-blob-storage-credentials",
}
"""Which kind credentials are that were written into a bucket block without a block of their own."""


def place(name: str, bucket: Data) -> Place:
    """Return where a bucket block says that the lake is.

    Raises:
        InvalidConfig: it does not.
    """
    for field, (scheme, folder, kinds) in _PLACES.items():
        if bucket.get(field):
            return Place(scheme, str(bucket[field]), bucket.get(folder) or "", kinds)
    raise half(name, "its bucket has no name")


def environment(name: str, found: Place, held: Data, references: Data) -> Environment:
    """Return the variables by which the stores find the credentials of a bucket.

    Args:
        name: of the block.
        found: the bucket.
        held: the credentials' fields; without any, what opens it is the worker's own affair.
        references: what the server says of the blocks in the bucket block.

    Raises:
        InvalidConfig: they are of another cloud, or half of what is needed.
    """
    if not held:
        return {}
    told = [references[key]["block_document"]["block_type"]["slug"] for key in references]
    slug = next(iter(told), "") or next((_MARKS[key] for key in _MARKS if key in held), "")
    if slug not in found.kinds:
        raise InvalidConfig(
            f"the block {name!r} has a bucket of {found.scheme}:// with the credentials block"
            f" {slug or 'of no known kind'}, which does not open it: put in one of"
            f" {', '.join(found.kinds)}"
        )
    return _KINDS[slug](name, held)


def half(name: str, what: str) -> InvalidConfig:
    """Return the error about a block that is not filled in."""
    return InvalidConfig(f"the block {name!r} is half-filled: {what}; fill it in, in the UI")


def _aws(name: str, held: Data) -> Environment:
    key, secret = held.get("aws_access_key_id"), held.get("aws_secret_access_key")
    if bool(key) != bool(secret):
        raise half(name, "its AWS credentials have a key without its secret, or the other way")
    found = _endpoint(held)
    if profile := held.get("profile_name"):
        found["AWS_PROFILE"] = profile
    if key:
        found |= {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
        found |= {"AWS_SESSION_TOKEN": held.get("aws_session_token") or None, "AWS_PROFILE": None}
    return found


def _minio(name: str, held: Data) -> Environment:
    user, word = held.get("minio_root_user"), held.get("minio_root_password")
    found = _endpoint(held)
    if not user or not word or not found.get("AWS_ENDPOINT_URL"):
        raise half(name, "its MinIO credentials have no user, no password or no endpoint URL")
    found |= {"AWS_ACCESS_KEY_ID": user, "AWS_SECRET_ACCESS_KEY": word}
    return found | {"AWS_SESSION_TOKEN": None, "AWS_PROFILE": None}


def _endpoint(held: Data) -> Environment:
    """Return region, endpoint and certificates, which a boto3 session of the block forgets."""
    said: Data = held.get("aws_client_parameters") or {}
    found: Environment = {}
    if region := held.get("region_name"):
        found |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    if endpoint := said.get("endpoint_url"):
        found |= {"AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT_URL_S3": None}
    if bundle := said.get("verify_cert_path"):
        found["AWS_CA_BUNDLE"] = str(bundle)
    return found


def gcp(name: str, held: Data) -> Environment:
    """Return where Google's libraries find a service account: in a file, the only place."""
    found: Environment = {}
    if project := held.get("project"):
        found["GOOGLE_CLOUD_PROJECT"] = project
    info, file = held.get("service_account_info"), held.get("service_account_file")
    if isinstance(info, str):
        info = json.loads(info or "{}")
    if info and not {"client_email", "private_key"} <= info.keys():
        raise half(name, "its service account has no client_email or no private_key")
    if info:
        file = _key_file(json.dumps(info))
    if file:
        found["GOOGLE_APPLICATION_CREDENTIALS"] = str(file)
    return found


@lru_cache(maxsize=8)
def _key_file(text: str) -> str:
    """Write a key into a file that only its owner reads, and that ends with this process."""
    number, path = mkstemp(prefix="lake-", suffix=".json")
    with os.fdopen(number, "w") as file:
        file.write(text)
    atexit.register(Path(path).unlink, missing_ok=True)
    return path


def _azure(name: str, held: Data) -> Environment:
    if said := held.get("connection_string"):
        return {"AZURE_STORAGE_CONNECTION_STRING": said}
    host = urlsplit(held.get("account_url") or "").hostname
    if not host:
        raise half(name, "its Azure credentials have neither a connection string nor a URL")
    names = ("client_id", "tenant_id", "client_secret")
    principal = {f"AZURE_{key.upper()}": held.get(key) for key in names if held.get(key)}
    if principal and len(principal) < len(names):
        raise half(name, "its service principal has no client_id, tenant_id or client_secret")
    # What the worker's own environment says would come first.
    others = ("CONNECTION_STRING", "KEY", "SAS_TOKEN")
    taken: Environment = dict.fromkeys(f"AZURE_STORAGE_{key}" for key in others)
    return taken | principal | {"AZURE_STORAGE_ACCOUNT": host.partition(".")[0]}


_KINDS: dict[str, Callable[[str, Data], Environment]] = {
    "aws-credentials": _aws,
    "azure-blob-storage-credentials": _azure,
    "gcp-credentials": gcp,
    "minio-credentials": _minio,
}
