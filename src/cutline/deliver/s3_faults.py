"""What an S3 bucket of a user's answers, in one sentence: what is wrong there, and what would be right.

Of an answer only the code and the name of a missing action get into the sentence: its message may quote credentials.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    SSLError,
)

from cutline.deliver.s3_policies import owner
from cutline.errors import (
    BadCredentials,
    CutlineError,
    DeliveryRejected,
    InternalError,
    InvalidRequest,
    QuotaExceeded,
    TransientError,
)
from cutline.models.destination import S3Settings

DENIED = frozenset({"AccessDenied", "403", "Forbidden", "AllAccessDisabled"})
GONE = frozenset({"404", "NoSuchKey", "NotFound"})
DAMAGED = frozenset({"BadDigest", "InvalidPart"})
"""What arrived is not what was sent"""
LOST = "NoSuchUpload"
_PASSING = frozenset(
    {"SlowDown", "RequestTimeout", "RequestTimeTooSkewed", "RequestLimitExceeded", "Throttling", "ThrottlingException"}
    | {"TooManyRequests", "OperationAborted", "ConditionalRequestConflict", "InternalError", "ServiceUnavailable"}
)
"""Codes that may come with a status below 500"""
_ELSEWHERE = frozenset(
    {"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)
_FULL = frozenset({"QuotaExceeded", "StorageFull", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"})
"""AWS's S3 is never full; others are"""

_ACTIONS = {
    "HeadObject": "s3:GetObject",
    "GetObject": "s3:GetObject",
    "ListParts": "s3:ListMultipartUploadParts",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "DeleteObject": "s3:DeleteObject",
}
"""Operation -> what one has to be allowed for it; s3:PutObject for the rest of those that we use"""
_NAMED = re.compile(r"not authorized to perform: (\w+:\w+)")


class _Told(NamedTuple):
    """What a code means."""

    kind: type[CutlineError]
    what: str
    """With {bucket}, {region}, {kms_key} and {storage_class} of the settings"""


_CODES = {
    "InvalidAccessKeyId": _Told(BadCredentials, "the access key is not known to S3; enter one that is active"),
    "SignatureDoesNotMatch": _Told(
        BadCredentials, "the secret access key does not belong to the access key; enter both"
    ),
    "ExpiredToken": _Told(BadCredentials, "the access keys have expired; enter new ones"),
    "InvalidToken": _Told(BadCredentials, "the access keys are those of a session; enter those of a user"),
    "NoSuchBucket": _Told(DeliveryRejected, "there is no bucket {bucket}; create it, or name another"),
    "NotImplemented": _Told(DeliveryRejected, "this S3 refuses checksums by CRC-64/NVME; use one that does not"),
    "InvalidStorageClass": _Told(DeliveryRejected, "this S3 has no storage class {storage_class}; choose STANDARD"),
    "InvalidTag": _Told(DeliveryRejected, "S3 does not take the tags; use letters, digits, spaces and + - = . _ : / @"),
    "KeyTooLongError": _Told(DeliveryRejected, "folder and name have more than S3's 1,024 bytes; shorten them"),
    "KMS.NotFoundException": _Told(DeliveryRejected, "there is no KMS key {kms_key} in {region}; name one that is"),
    "KMS.DisabledException": _Told(DeliveryRejected, "the KMS key {kms_key} is disabled; enable it, or name another"),
    "KMS.KMSInvalidStateException": _Told(DeliveryRejected, "the KMS key {kms_key} cannot be used now; name another"),
}


@contextmanager
def told(settings: S3Settings, key: str) -> Iterator[None]:
    """What is raised inside by S3, asked for ``key``, leaves as one of our errors."""
    try:
        yield
    except ClientError as error:
        raise _answered(error, settings, key) from error
    except BotoCoreError as error:
        raise _unanswered(error, settings) from error


def code_of(error: ClientError) -> str:
    """Short, whoever answered."""
    return str(error.response["Error"].get("Code", ""))[:60]


def is_elsewhere(answer: Mapping[str, Any], settings: S3Settings) -> bool:
    """Whether S3 says that the bucket is in another region. Where it says so without words, it does in a header."""
    if answer.get("Error", {}).get("Code") in _ELSEWHERE:
        return True
    return _status(answer) in (301, 307, 400) and _region(answer) not in (None, settings.region)


def _status(answer: Mapping[str, Any]) -> int:
    return int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _region(answer: Mapping[str, Any]) -> str | None:
    """That of the bucket, where S3 names it."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region: str | None = headers.get("x-amz-bucket-region") or answer.get("Error", {}).get("Region")
    return region


def _answered(error: ClientError, settings: S3Settings, key: str) -> CutlineError:
    code, operation = code_of(error), error.operation_name
    status = _status(error.response)
    if is_elsewhere(error.response, settings):
        where = f"in {region}" if (region := _region(error.response)) else "in another region"
        return DeliveryRejected(f"the bucket {settings.bucket} is {where}, not in {settings.region}; change the region")
    if code in _CODES:
        kind, what = _CODES[code]
        return kind(what.format_map(settings.model_dump()))
    if code in DENIED:
        return BadCredentials(_denied(error, settings, key))
    if code in _FULL or status == 507:
        return QuotaExceeded(f"the bucket {settings.bucket} is full ({code}); make room there")
    if code in _PASSING or code == LOST or code in DAMAGED or status >= 500 or status == 429:
        return TransientError(f"S3 answered {operation} with {code}; try again")
    return DeliveryRejected(f"S3 refuses {operation} for {settings.bucket}/{key}: {code}")


def _denied(error: ClientError, settings: S3Settings, key: str) -> str:
    """Which action is missing: S3 names it within an account, and is silent across accounts."""
    named = _NAMED.search(str(error.response["Error"].get("Message", "")))
    action = named[1] if named else _ACTIONS.get(error.operation_name, "s3:PutObject")
    if action.startswith("kms:"):
        return f"the KMS key is denied: allow {action} on {settings.kms_key} to {_who(settings)}"
    what = f"access is denied: allow {action} on arn:aws:s3:::{settings.bucket}/{key} to {_who(settings)}"
    account = owner(settings)
    if named or not account:
        return what
    return f"{what}, and check that the bucket belongs to account {account}"


def _who(settings: S3Settings) -> str:
    return settings.role_arn or "the user of the access keys"


def _unanswered(error: BotoCoreError, settings: S3Settings) -> CutlineError:
    cause = error.kwargs.get("error") if isinstance(error, HTTPClientError) else None
    if isinstance(cause, InvalidRequest):  # of a host that we never ask
        return DeliveryRejected(cause.message)
    if isinstance(cause, CutlineError):
        return cause
    if isinstance(error, SSLError):
        return DeliveryRejected(f"the certificate of {settings.endpoint or 'S3'} is not valid for that host; renew it")
    if isinstance(error, ParamValidationError):
        return DeliveryRejected("S3 cannot be asked like this: a name, tag or key is not of the form that it takes")
    if isinstance(error, NoCredentialsError):
        return InternalError("we have no credentials of our own to ask AWS with")
    return TransientError(f"S3 did not answer: {type(error).__name__}; try again")
