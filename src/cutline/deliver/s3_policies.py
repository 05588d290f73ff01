"""What an S3 bucket's owner has to grant: the policies to paste, and the one that pins each of our sessions.

It knows no AWS library: the API shows these policies, and only the delivery speaks to S3.
"""

from __future__ import annotations

from typing import Any

from cutline.models.destination import S3Settings

Policy = dict[str, Any]
"""An IAM policy document"""

_VERSION = "2012-10-17"
_OBJECTS = ("s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
_TAGS = "s3:PutObjectTagging"
_KEY = ("kms:GenerateDataKey", "kms:Decrypt")
_APART = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
"""How the regions begin that are not AWS proper, and the partition that they are"""
_WILD = str.maketrans({"*": "${*}", "?": "${?}", "$": "${$}"})
"""What stands for more than itself in a policy's resource, and how it is written to stand for itself"""


def trust(principal: str, external_id: str) -> Policy:
    """The trust policy of a role that lets ``principal`` in (ARN of our deliveries' role), for one destination."""
    return _policy(
        {
            "Effect": "Allow",
            "Principal": {"AWS": principal},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
        }
    )


def permissions(settings: S3Settings) -> Policy:
    """What the role, or the user of the access keys, has to be allowed: the destination's folder and no more."""
    return _policy(*_allowed(settings, folder(settings)))


def session(settings: S3Settings, path: str, source: str | None = None) -> Policy:
    """What a session of ours may at most, whatever its role may: keys that begin with ``path``, and reading the COG at
    ``source`` (bucket/key) for S3 to copy it."""
    allowed = _allowed(settings, path)
    if source:
        arn = f"arn:{_partition(settings)}:s3:::{source.translate(_WILD)}"
        allowed.append({"Effect": "Allow", "Action": "s3:GetObject", "Resource": arn})
    return _policy(*allowed)


def folder(settings: S3Settings) -> str:
    """What all keys of a destination begin with: its prefix, as far as that does not depend on the export."""
    fixed, brace, _ = settings.prefix.partition("{")
    return fixed if brace or not fixed else f"{fixed}/"


def owner(settings: S3Settings) -> str | None:
    """The account that has to own the bucket; None where nobody said. A bucket that was deleted may be anybody's."""
    return settings.account or (settings.role_arn.split(":")[4] if settings.role_arn else None)


def _allowed(settings: S3Settings, start: str) -> list[dict[str, Any]]:
    objects = [*_OBJECTS, _TAGS] if settings.tags else [*_OBJECTS]
    arn = f"arn:{_partition(settings)}:s3:::{settings.bucket}/{start.translate(_WILD)}*"
    allowed: list[dict[str, Any]] = [{"Effect": "Allow", "Action": objects, "Resource": arn}]
    if settings.kms_key:
        allowed.append({"Effect": "Allow", "Action": [*_KEY], "Resource": settings.kms_key})
    return allowed


def _policy(*statements: dict[str, Any]) -> Policy:
    return {"Version": _VERSION, "Statement": [*statements]}


def _partition(settings: S3Settings) -> str:
    """AWS proper, or one of those apart from it."""
    if settings.role_arn:
        return settings.role_arn.split(":")[1]
    return next((name for start, name in _APART.items() if settings.region.startswith(start)), "aws")
