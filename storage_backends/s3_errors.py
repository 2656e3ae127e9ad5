"""What S3 and its SDK say, as the errors of `Store`; no message holds a key or a signature."""

import errno
import os

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from storage_backends.store import foreign, misset, no_endpoint, unreached, untrusted

_TEXTS = {
    "NoSuchBucket": "there is no such bucket: make it (`aws s3 mb s3://{bucket}`), or mend the URL",
    "InvalidAccessKeyId": "the access key is not known there: look at AWS_ACCESS_KEY_ID, or at the"
    " profile that AWS_PROFILE names",
    "SignatureDoesNotMatch": "the secret key does not fit the access key: look at"
    " AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": "the session token has expired: get a new one, then run the same command again",
    "ExpiredTokenException": "the session token has expired: get a new one, then run the same"
    " command again",
    "InvalidToken": "the session token is not valid: get a new one",
    "InvalidTokenId": "the session token is not valid: get a new one, or unset AWS_SESSION_TOKEN",
    "InvalidBucketName": "{bucket!r} can be no bucket's name",
    "RequestTimeTooSkewed": "this host's clock is too far off: set it, then run the same command"
    " again",
    "AuthorizationHeaderMalformed": "the bucket is in another region: set AWS_REGION to its own",
    "PermanentRedirect": "the bucket is in another region: set AWS_REGION to its own",
    "IllegalLocationConstraintException": "the bucket is in another region: set AWS_REGION to its"
    " own",
    "InvalidObjectState": "the object lies in an archive tier: restore it first"
    " (`aws s3api restore-object`)",
    "AccessDenied": "these credentials may not do that: ask for the rights that"
    " `lake init --policy` prints",
}
_BUSY = {
    "ConditionalRequestConflict": "was at work on another request for the same key",
    "OperationAborted": "was at work on another request for the same thing",
    "SlowDown": "asks for fewer requests",
    "TooManyRequests": "asks for fewer requests",
}
SETTING = "AWS_ENDPOINT_URL"
_NOT_FOUND = ("NoSuchKey", "404", "NotFound")
_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.UnauthorizedSSOTokenError,
    boto.SSOTokenLoadError,
    boto.TokenRetrievalError,
)


def translated(exc: Exception, *, url: str, bucket: str, key: str) -> OSError:
    """Return the error of `Store` for one of the SDK's; whoever asks raises it `from` that."""
    if isinstance(exc, boto.ClientError):
        return _answered(exc, url, bucket, key)
    if wrong := _misset(exc, url, bucket):
        return wrong
    if isinstance(exc, _NO_CREDENTIALS):
        text = "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or"
        return PermissionError(errno.EPERM, f"{url}: {text} AWS_PROFILE", key)
    if isinstance(exc, (boto.ReadTimeoutError, boto.ConnectTimeoutError)):
        return TimeoutError(errno.ETIMEDOUT, f"{url} did not answer in time: try again", key)
    if isinstance(exc, ResponseParserError):
        return foreign(url, "S3", SETTING)
    if isinstance(exc, boto.FlexibleChecksumError):
        text = "came with another checksum than it was stored with: try again"
        return ConnectionError(errno.EIO, f"{url}: {key} {text}", key)
    if isinstance(exc, boto.SSLError):
        return untrusted(url, key, SETTING)
    if isinstance(exc, boto.EndpointConnectionError):
        return unreached(url, key, SETTING)
    return ConnectionError(errno.EIO, f"{url} broke off ({type(exc).__name__}): try again", key)


def _misset(exc: Exception, url: str, bucket: str) -> PermissionError | None:
    """Return the error for what the environment or a profile says, if that is what is wrong."""
    if isinstance(exc, boto.ProfileNotFound):
        profile = exc.kwargs.get("profile")
        text = f"there is no profile {profile!r}: look at AWS_PROFILE and ~/.aws/config"
        return misset(url, text)
    if isinstance(exc, (boto.ConfigParseError, boto.ConfigNotFound)):
        return misset(url, "a file of AWS's settings cannot be read: look at ~/.aws/config")
    if isinstance(exc, boto.InvalidRegionError):
        return misset(url, "AWS_REGION, or the profile's region, can be no region's name")
    if isinstance(exc, boto.ParamValidationError):
        return misset(url, f"{bucket!r} can be no bucket's name")
    if isinstance(exc, (boto.EndpointProviderError, ValueError)):
        return no_endpoint(url, "AWS_ENDPOINT_URL_S3", SETTING)
    return None


def status(exc: boto.ClientError) -> int:
    """Return the HTTP status of an answer."""
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code(exc: boto.ClientError) -> str:
    """Return S3's own word for what is wrong."""
    return str(exc.response.get("Error", {}).get("Code", ""))


def _answered(exc: boto.ClientError, url: str, bucket: str, key: str) -> OSError:
    said, number = code(exc), status(exc)
    if said in _NOT_FOUND:
        return FileNotFoundError(errno.ENOENT, "no such object", key)
    if number == 412:
        return FileExistsError(errno.EEXIST, "the key is taken", key)
    number_said = f"{said or 'no reason'}, HTTP {number}"
    if text := _TEXTS.get(said):
        kind = errno.EACCES if said == "AccessDenied" else errno.EPERM
        return PermissionError(kind, f"{url}: {text.format(bucket=bucket)} ({number_said})", key)
    if number == 501 or said.startswith("KMS."):
        is_sealed = os.environ.get("CLEARLAKE_S3_SSE")
        text = "look at CLEARLAKE_S3_SSE" if is_sealed else "use another store"
        return PermissionError(errno.EPERM, f"{url} cannot do that ({number_said}): {text}", key)
    if text := _BUSY.get(said):
        return ConnectionError(errno.EAGAIN, f"{url} {text} ({number_said}): try again", key)
    if number in (400, 401, 403, 405, 411, 413):
        return PermissionError(
            errno.EACCES if number == 403 else errno.EPERM,
            f"{url} refuses ({number_said}): look at credentials and rights",
            key,
        )
    return ConnectionError(errno.EIO, f"{url} failed ({number_said}): try again", key)
