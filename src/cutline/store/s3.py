"""S3 objects."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cutline.errors import CutlineError, InvalidRequest, SourceUnavailable
from cutline.settings import Settings, settings
from cutline.store.objects import Peek, check_length

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EMPTY_OBJECT = "InvalidRange"

PERMANENT = {
    # S3's error code: what to tell the user
    "NoSuchKey": "there is no such object",
    "404": "there is no such object",
    "NoSuchBucket": "there is no such bucket",
    "AccessDenied": "access is denied; check the credentials, or set AWS_NO_SIGN_REQUEST=YES for a public bucket",
    "403": "access is denied; check the credentials, or set AWS_NO_SIGN_REQUEST=YES for a public bucket",
    "InvalidAccessKeyId": "the AWS access key is not known",
    "SignatureDoesNotMatch": "the AWS secret key is wrong",
    "ExpiredToken": "the AWS session has expired; sign in again",
    "PermanentRedirect": "the bucket is in another region; set AWS_REGION",
    "InvalidObjectState": "the object is archived (Glacier); restore it first",
}


class S3Objects:
    """``s3://bucket/key``."""

    def peek(self, href: str, nbytes: int) -> Peek:
        return self._get(href, nbytes)

    def read(self, href: str, limit: int) -> bytes:
        return check_length(self._get(href, limit + 1).start, limit)

    def _get(self, href: str, nbytes: int) -> Peek:
        place = urlsplit(href, allow_fragments=False)
        now = settings()
        payer = {"RequestPayer": "requester"} if now.s3_requester_pays else {}
        try:
            answer = _client(now).get_object(
                Bucket=place.netloc,
                Key=href.split("/", 3)[-1],
                Range=f"bytes=0-{nbytes - 1}",
                **payer,  # type: ignore[arg-type]
            )
            return Peek(answer["Body"].read(nbytes), answer["ETag"].strip('"'))
        except ClientError as error:
            if error.response["Error"]["Code"] == EMPTY_OBJECT:  # no byte 0 to begin a range with
                return Peek(b"", None)
            raise _told(error) from error
        except BotoCoreError as error:
            raise SourceUnavailable(f"S3 did not answer: {error}") from error


@functools.lru_cache(maxsize=4)
def _client(now: Settings) -> S3Client:
    config = Config(
        connect_timeout=10,
        read_timeout=60,
        retries={"mode": "standard", "max_attempts": 4},
        s3={"addressing_style": "path"} if now.s3_endpoint else {},
        **({"signature_version": UNSIGNED} if now.s3_unsigned else {}),
    )
    return boto3.client("s3", endpoint_url=now.s3_endpoint, config=config)


def _told(error: ClientError) -> CutlineError:
    code = error.response["Error"]["Code"]
    if code in PERMANENT:
        return InvalidRequest(PERMANENT[code])
    return SourceUnavailable(f"S3 answered {code}")
