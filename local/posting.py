"""Uploads by an HTML form with a signed policy (S3's presigned POST)."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hmac
import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Request, Response

from local.signatures import Credential, Refused, Signatures

UNCOVERED = frozenset({"policy", "x-amz-signature", "file"})
"""Fields that need no condition"""


class Forms:
    """Takes uploads whose policy allows them."""

    def __init__(self, signatures: Signatures, s3: Any, url: str) -> None:
        self._signatures, self._s3, self._url = signatures, s3, url

    def take(self, bucket: str, request: Request) -> Response:
        """Raises Refused."""
        fields = {name.lower(): value for name, value in request.form.items()}
        file = request.files.get("file")
        if file is None:
            raise Refused("InvalidArgument", "the form needs a file, in its last field, called file", 400)
        policy = self._policy(fields)
        _check(policy, {**fields, "bucket": bucket}, _size(file))
        key = fields.get("key", "").replace("${filename}", PurePosixPath(file.filename or "file").name)
        if not key:
            raise Refused("InvalidArgument", "the form needs a key", 400)
        prefix = "x-amz-meta-"
        meta = {name.removeprefix(prefix): value for name, value in fields.items() if name.startswith(prefix)}
        kind = {"ContentType": fields["content-type"]} if "content-type" in fields else {}
        made = self._s3.put_object(Bucket=bucket, Key=key, Body=file.stream, Metadata=meta, **kind)
        return self._answer(bucket, key, made["ETag"], fields)

    def _policy(self, fields: Mapping[str, str]) -> dict[str, Any]:
        """The policy, if it is signed."""
        try:
            credential = Credential.read(fields["x-amz-credential"])
            right = self._signatures.signature_of_policy(credential, fields["x-amz-date"], fields["policy"])
            if not hmac.compare_digest(fields["x-amz-signature"].encode(), right.encode()):
                raise Refused("SignatureDoesNotMatch", "the policy is not signed with our secret key")
            policy: dict[str, Any] = json.loads(base64.b64decode(fields["policy"]))
        except KeyError as error:
            raise Refused("AccessDenied", f"the form lacks the field {error}") from error
        except (ValueError, binascii.Error) as error:
            raise Refused("InvalidPolicyDocument", f"the policy cannot be read: {error}", 400) from error
        return policy

    def _answer(self, bucket: str, key: str, etag: str, fields: Mapping[str, str]) -> Response:
        location = f"{self._url}/{bucket}/{quote(key)}"
        headers = {"ETag": etag, "Location": location, "Access-Control-Allow-Origin": "*"}
        match fields.get("success_action_status"):
            case "200":
                return Response(status=200, headers=headers)
            case "201":
                body = (
                    f'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse><Location>{escape(location)}</Location>'
                    f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><ETag>{escape(etag)}</ETag></PostResponse>"
                )
                return Response(body, 201, headers, content_type="application/xml")
        return Response(status=204, headers=headers)


def _check(policy: Mapping[str, Any], fields: Mapping[str, str], nbytes: int) -> None:
    """Raises Refused where the upload is not what the policy allows."""
    until = dt.datetime.fromisoformat(str(policy["expiration"]).replace("Z", "+00:00"))
    if dt.datetime.now(dt.UTC) > until:
        raise Refused("AccessDenied", "Invalid according to Policy: Policy expired.")
    covered = set(UNCOVERED)
    for condition in policy["conditions"]:
        match condition:
            case ["content-length-range", least, most]:
                if nbytes < int(least):
                    raise Refused(
                        "EntityTooSmall", f"Your proposed upload of {nbytes} bytes is smaller than {least}", 400
                    )
                if nbytes > int(most):
                    raise Refused("EntityTooLarge", f"Your proposed upload of {nbytes} bytes exceeds {most}", 400)
                continue
            case ["starts-with", str(name), str(start)]:
                name = name.lstrip("$").lower()
                holds = fields.get(name, "").startswith(start)
            case ["eq", str(name), value]:
                name = name.lstrip("$").lower()
                holds = fields.get(name) == str(value)
            case dict() if len(condition) == 1:
                ((name, value),) = condition.items()
                name = name.lower()
                holds = fields.get(name) == str(value)
            case _:
                raise Refused("InvalidPolicyDocument", f"this condition is not known: {condition}", 400)
        covered.add(name)
        if not holds:
            raise Refused(
                "AccessDenied", f"Invalid according to Policy: Policy Condition failed: {json.dumps(condition)}"
            )
    if extra := {name for name in fields if name not in covered | {"bucket"} and not name.startswith("x-ignore-")}:
        raise Refused("AccessDenied", f"Invalid according to Policy: Extra input fields: {', '.join(sorted(extra))}")


def _size(file: FileStorage) -> int:
    file.stream.seek(0, 2)
    nbytes = file.stream.tell()
    file.stream.seek(0)
    return nbytes
