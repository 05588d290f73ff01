"""AWS's signatures (version 4) of requests, presigned links and upload forms, checked as AWS does; moto does not."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import io
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from werkzeug.wrappers import Request

ALGORITHM = "AWS4-HMAC-SHA256"

SKEW = dt.timedelta(minutes=15)
"""A request's clock may differ from ours"""

LONGEST = 7 * 24 * 3600
"""Seconds that a link may be valid"""


class Refused(Exception):
    """What is wrong with a signature."""

    def __init__(self, code: str, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class Credential(NamedTuple):
    """What a signature says it was made with."""

    key: str
    date: str
    region: str
    service: str

    @classmethod
    def read(cls, text: str) -> Credential:
        pieces = text.split("/")
        if len(pieces) != 5 or pieces[4] != "aws4_request":
            raise Refused(
                "AuthorizationHeaderMalformed", "the credential is not KEY/DATE/REGION/SERVICE/aws4_request", 400
            )
        return cls(*pieces[:4])


class Signatures:
    """Knows the keys that may sign."""

    def __init__(self, secrets: Mapping[str, str], now: Callable[[], dt.datetime] | None = None) -> None:
        self._secrets = dict(secrets)
        self._now = now or (lambda: dt.datetime.now(dt.UTC))

    def check(self, request: Request) -> Credential:
        """Who signed ``request``, by its header or its query. Raises Refused."""
        if "X-Amz-Signature" in request.args:
            return self._check_link(request)
        return self._check_header(request)

    def signature(self, credential: Credential, at: str, canonical: str) -> str:
        """Of a canonical request."""
        signer = self._signer(credential)
        signed = AWSRequest()
        signed.context["timestamp"] = at
        return str(signer.signature(signer.string_to_sign(signed, canonical), signed))

    def signature_of_policy(self, credential: Credential, at: str, policy: str) -> str:
        """Of an upload form's policy, in its base64."""
        signed = AWSRequest()
        signed.context["timestamp"] = at
        return str(self._signer(credential).signature(policy, signed))

    def _signer(self, credential: Credential) -> SigV4Auth:
        if credential.key not in self._secrets:
            raise Refused("InvalidAccessKeyId", "the access key is not known here")
        who = Credentials(credential.key, self._secrets[credential.key])
        return SigV4Auth(who, credential.service, credential.region)

    def _check_link(self, request: Request) -> Credential:
        given = request.args
        try:
            credential, at = Credential.read(given["X-Amz-Credential"]), given["X-Amz-Date"]
            began, seconds = _instant(at), int(given["X-Amz-Expires"])
            names = given["X-Amz-SignedHeaders"].split(";")
        except (KeyError, ValueError) as error:
            raise Refused("AuthorizationQueryParametersError", f"the link lacks {error}", 400) from error
        if given.get("X-Amz-Algorithm") != ALGORITHM or not 0 < seconds <= LONGEST or "host" not in names:
            raise Refused("AuthorizationQueryParametersError", "the link is signed in no way that S3 knows", 400)
        now = self._now()
        if began > now + SKEW:
            raise Refused("AccessDenied", "Request is not valid yet")
        if now > began + dt.timedelta(seconds=seconds):
            raise Refused("AccessDenied", "Request has expired")
        canonical = _canonical(request, credential.service, names, "UNSIGNED-PAYLOAD")
        self._compare(given["X-Amz-Signature"], self.signature(credential, at, canonical))
        return credential

    def _check_header(self, request: Request) -> Credential:
        header = request.headers.get("Authorization", "")
        said = dict(re.findall(r"(Credential|SignedHeaders|Signature)=([^,\s]+)", header))
        if not header.startswith(ALGORITHM) or len(said) != 3:
            raise Refused("MissingAuthenticationToken", "the request is not signed (AWS4-HMAC-SHA256)")
        credential, at = Credential.read(said["Credential"]), request.headers.get("X-Amz-Date", "")
        try:
            skew = abs(self._now() - _instant(at))
        except ValueError as error:
            raise Refused("AccessDenied", "the header X-Amz-Date is missing or no instant") from error
        if skew > SKEW:
            raise Refused("RequestTimeTooSkewed", "the request's clock is off by more than 15 minutes")
        payload = request.headers.get("X-Amz-Content-SHA256") or _hash_body(request)
        canonical = _canonical(request, credential.service, said["SignedHeaders"].split(";"), payload)
        self._compare(said["Signature"], self.signature(credential, at, canonical))
        return credential

    @staticmethod
    def _compare(given: str, right: str) -> None:
        if not hmac.compare_digest(given.encode(), right.encode()):
            raise Refused("SignatureDoesNotMatch", "the signature is not that of this request and our secret key")


def raw_path(request: Request) -> str:
    """As it was sent: escapes are part of what is signed."""
    return str(request.environ["RAW_URI"]).partition("?")[0]


def _canonical(request: Request, service: str, names: Iterable[str], payload: str) -> str:
    # S3 signs the path with its escapes normalised; the other services escape it once more.
    path = quote(unquote(raw_path(request)) if service == "s3" else raw_path(request), safe="/~")
    pieces = [
        (_escaped(key), _escaped(value))
        for key, _, value in (pair.partition("=") for pair in request.query_string.decode().split("&") if pair)
        if key != "X-Amz-Signature"
    ]
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in sorted(names))
    query = "&".join(f"{key}={value}" for key, value in sorted(pieces))
    return "\n".join([request.method, path, query, headers, ";".join(sorted(names)), payload])


def _escaped(text: str) -> str:
    return quote(unquote(text), safe="-_.~")


def _hash_body(request: Request) -> str:
    body = request.get_data(cache=True)
    request.environ["wsgi.input"] = io.BytesIO(body)  # for who comes next
    return hashlib.sha256(body).hexdigest()


def _instant(text: str) -> dt.datetime:
    return dt.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
