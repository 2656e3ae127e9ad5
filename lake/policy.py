"""What a cloud must be told so that somebody may read a lake, write it, or load tables from it."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from lake import layout
from lake.errors import InvalidConfig
from storage_backends import Place, in_cloud, masked

Role = Literal["reader", "writer", "loader"]
ROLES: tuple[Role, ...] = get_args(Role)
READ = ("_lake/*", "curated/*", layout.CATALOG)
"""What a reader gets, who lists nothing."""
PUT: dict[Role, Sequence[str]] = {
    "reader": (),
    "writer": ("*",),
    "loader": ("_lake/*", layout.CATALOG),
}
_PROBES = "_lake/.probe-*"
DELETED: dict[Role, Sequence[str]] = {
    "reader": (),
    "writer": ("raw/*", "curated/*", _PROBES),
    "loader": (_PROBES,),
}
"""What may be deleted: `lake gc` and `lake doctor` do. The log is not among it."""
_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
"""Where the regions lie that are not in the partition `aws`."""


def policy(role: Role, url: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the policy of a role for the lake at `url`, as JSON in the words of its cloud.

    That is IAM's for S3, bindings for GCS, and for Azure a role with the condition under which it
    is assigned. A reader reads `_lake/`, `curated/` and `catalog.duckdb`, and lists nothing; a
    writer lands, transforms and collects, and deletes nothing of the log; a loader reads all and
    publishes what it loaded.

    Args:
        role: whose.
        url: the lake's.
        environ: which partition of AWS is meant (`AWS_REGION`), and the key that S3 encrypts with
            (`CLEARLAKE_S3_SSE_KMS_KEY_ID`).

    Raises:
        InvalidConfig: the lake is in a folder, its prefix can stand in no policy, or `url` is none.
    """
    place = _place(url)
    prefix = f"{place.prefix}/" if place.prefix else ""
    if place.scheme == "s3":
        made = _s3(role, place.bucket, prefix, environ)
    else:
        made = (_gcs if place.scheme == "gs" else _azure)(role, place.bucket, prefix)
    return json.dumps(made, indent=2)


def _place(url: str) -> Place:
    try:
        place = in_cloud(url)
    except ValueError as exc:
        raise InvalidConfig(f"{masked(url)!r} can be no lake: {exc}") from exc
    if place is None:
        raise InvalidConfig(
            f"{masked(url)} is in no cloud, so there is no policy for it: give a URL such as"
            " s3://BUCKET/PREFIX, or set the rights of the folder"
        )
    return place


def _read(role: Role) -> Sequence[str]:
    return READ if role == "reader" else ("*",)


def _s3(role: Role, bucket: str, prefix: str, environ: Mapping[str, str]) -> Any:
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or ""
    starts = (name for start, name in _PARTITIONS.items() if region.startswith(start))
    arn = f"arn:{next(starts, 'aws')}"

    def allow(actions: Sequence[str], patterns: Sequence[str]) -> dict[str, Any]:
        named = [f"{arn}:s3:::{bucket}/{prefix}{pattern}" for pattern in patterns]
        return {"Effect": "Allow", "Action": list(actions), "Resource": named}

    def allow_bucket(action: str) -> dict[str, Any]:
        return {"Effect": "Allow", "Action": [action], "Resource": [f"{arn}:s3:::{bucket}"]}

    statements = [allow(["s3:GetObject"], _read(role))]
    if PUT[role]:
        parts = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
        statements.append(allow(["s3:PutObject", *parts], PUT[role]))
        listing = allow_bucket("s3:ListBucket")
        if prefix:
            listing["Condition"] = {"StringLike": {"s3:prefix": [f"{prefix}*"]}}
        statements.append(listing)
        statements.append(allow(["s3:DeleteObject"], DELETED[role]))
    if role == "writer":  # for whoever looks for unfinished uploads, of which IAM knows no prefix
        statements.append(allow_bucket("s3:ListBucketMultipartUploads"))
    if key := environ.get("CLEARLAKE_S3_SSE_KMS_KEY_ID"):
        statements.append(_kms(role, key, arn))
    return {"Version": "2012-10-17", "Statement": statements}


def _kms(role: Role, key: str, arn: str) -> dict[str, Any]:
    """Allow what S3 does in one's name with a key, which is an id, an alias, or the ARN of one."""
    name = key.rpartition(":")[2]
    is_alias = name.startswith("alias/")
    made: dict[str, Any] = {
        "Effect": "Allow",
        "Action": ["kms:Decrypt", *(["kms:GenerateDataKey"] if PUT[role] else [])],
        "Resource": [key if ":key/" in key else f"{arn}:kms:*:*:key/{'*' if is_alias else name}"],
    }
    if is_alias:  # IAM takes none for a resource
        made["Condition"] = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": name}}
    return made


def _gcs(role: Role, bucket: str, prefix: str) -> Any:
    """Without `delete` nothing can be overwritten, so nobody rewrites the log."""
    whole = f"projects/_/buckets/{bucket}"

    def bind(to: str, patterns: Sequence[str], *, lists: bool = False) -> dict[str, Any]:
        named = [f"{whole}/objects/{prefix}{pattern}" for pattern in patterns]
        tests = [
            f"resource.name.startsWith({_cel(name[:-1])})"
            if name.endswith("*")
            else f"resource.name == {_cel(name)}"
            for name in named
        ]
        tests += [f"resource.name == {_cel(whole)}"] if lists else []
        title = f"clearlake {role}: {to.removeprefix('storage.')}"
        return {
            "role": f"roles/{to}",
            "members": ["user:SOMEBODY@example.org"],
            "condition": {"title": title, "expression": " || ".join(tests)},
        }

    bindings = [bind("storage.objectViewer", _read(role), lists=role != "reader")]
    if PUT[role]:
        bindings.append(bind("storage.objectCreator", PUT[role]))
        renewed = (layout.HINT, layout.CATALOG)
        bindings.append(bind("storage.objectUser", (*DELETED[role], *renewed)))
    return {"bindings": bindings, "version": 3}


def _cel(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"


def _refuse_quote(container: str, prefix: str) -> None:
    if "'" in prefix:
        raise InvalidConfig(
            f"no policy can name az://{container}/{prefix}: a text of Azure's conditions ends at"
            " the ' of the prefix; make the lake below another one, or in a container of its own"
        )


def _azure(role: Role, container: str, prefix: str) -> Any:
    _refuse_quote(container, prefix)

    def within(patterns: Sequence[str]) -> str:
        tests = [
            f"@Resource[{_BLOBS}:path] String{'Like' if '*' in pattern else 'Equals'}"
            f" '{prefix}{pattern}'"
            for pattern in patterns
        ]
        return " OR ".join(tests)

    def only(action: str, rule: str, *, but: str = "") -> str:
        meant = f"ActionMatches{{'{_BLOBS}/{action}'}}"
        meant += f" AND NOT SubOperationMatches{{'{but}'}}" if but else ""
        return f"((!({meant})) OR ({rule}))"

    actions, rules = ["read"], [only("read", within(_read(role)), but="Blob.List")]
    lists = f"ActionMatches{{'{_BLOBS}/read'}} AND SubOperationMatches{{'Blob.List'}}"
    if role == "reader":
        rules.append(f"(!({lists}))")
    else:
        begins = f"@Request[{_BLOBS}:prefix] StringLike '{prefix}*'"
        rules.append(f"((!({lists})) OR ({begins}))")
        actions += ["write", "add/action", "delete"]
        rules += [only(action, within(PUT[role])) for action in ("write", "add/action")]
        rules.append(only("delete", within(DELETED[role])))
    account = "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Storage"
    scope = f"{account}/storageAccounts/ACCOUNT/blobServices/default/containers/{container}"
    return {
        "role": {
            "roleName": f"clearlake {role}",
            "description": f"a {role} of the lake az://{container}/{prefix}".rstrip("/"),
            "permissions": [{"dataActions": [f"{_BLOBS}/{action}" for action in actions]}],
            "assignableScopes": ["/subscriptions/SUBSCRIPTION/resourceGroups/GROUP"],
        },
        "assignment": {"scope": scope, "conditionVersion": "2.0", "condition": " AND ".join(rules)},
    }
