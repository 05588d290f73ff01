"""Another account's AWS on loopback: its own keys and roles, buckets with an owner and a region, KMS keys, bad days.

    from tests.support.second_s3 import SecondS3, second_s3   # the fixture
    def test_…(second_s3: SecondS3): second_s3.content("field.tif")

moto keeps the objects; what it does not look after is here: signatures, sessions and their policies, the bucket's
owner and region, digests of parts, checksums of the whole. Requests of a role reach it by AWS_ENDPOINT_URL.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from cutline.cog.checksum import crc64_text
from cutline.kernel import crc64
from local.signatures import Refused, Signatures
from tests.support.aws import ENVIRON, forget_clients, fresh_clients, surround
from tests.support.loopback import PromptHandler

BUCKET, REGION, ACCOUNT = "their-bucket", "eu-central-1", "222222222222"
KEY, SECRET = "AKIATHEIRS", "their-secret-canary"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/cutline"
EXTERNAL_ID = "ext-1"
EVERYTHING = frozenset({"s3:*", "kms:*"})
_ACTIONS = {
    "HeadObject": "s3:GetObject",
    "GetObject": "s3:GetObject",
    "ListParts": "s3:ListMultipartUploadParts",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "DeleteObject": "s3:DeleteObject",
}
_WILD = {"${*}": "[*]", "${?}": "[?]", "${$}": "$"}
"""What a policy writes for a letter that would stand for more, and how fnmatch has it"""


@dataclass
class Fault:
    """What is answered instead of ``operation``, so many times."""

    operation: str
    status: int
    code: str
    times: int = 1_000
    done: bool = False
    """What was asked for is done all the same"""
    after: int = 0
    """So many of the kind are answered well before"""


@dataclass
class SecondS3:
    """What is there, and what was asked."""

    url: str = ""
    allowed: frozenset[str] = EVERYTHING
    """To the role, and to the user of the keys; fnmatch"""
    names_missing: bool = True
    """Whether a denial says which action is missing, as within one account"""
    guarded: bool = True
    """Whether the role checks the ExternalId"""
    readable: frozenset[str] = frozenset()
    """Objects of ours (bucket/key) that its credentials may read"""
    disabled_keys: frozenset[str] = frozenset()
    """Of KMS"""
    keeps_checksums: bool = True
    """Another S3 may know no CRC-64"""
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, Request]] = field(default_factory=list)
    """Operation and request, in order"""
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Access key of a session -> its policy"""

    def operations(self) -> list[str]:
        return [operation for operation, _ in self.asked]

    def create(self, bucket: str) -> None:
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(bucket, REGION)

    def put(self, bucket: str, key: str, content: bytes) -> None:
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(bucket, key, content)

    def object(self, key: str) -> Any:
        """moto's object; None where there is none."""
        return s3_backends[DEFAULT_ACCOUNT_ID]["aws"].get_object(BUCKET, key)

    def content(self, key: str) -> bytes:
        found: bytes = self.object(key).value
        return found

    def keys(self) -> list[str]:
        return sorted(_bucket(BUCKET).keys)

    def uploads(self) -> list[Any]:
        """Multipart uploads that nobody has ended."""
        return list(_bucket(BUCKET).multiparts.values())

    def remove_bucket(self) -> None:
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.pop(BUCKET)
        s3_backends.bucket_accounts.pop(BUCKET)


def _bucket(name: str) -> Any:
    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"].get_bucket(name)


class _Front:
    """A WSGI application before moto's."""

    def __init__(self, world: SecondS3) -> None:
        self._world, self._moto = world, DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request({**environ})
        body = request.get_data(cache=True)
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
        try:
            answer = self._answer(request, body) or self._moto
            environ["HTTP_HOST"] = "127.0.0.1"  # moto takes a bucket out of other names
        except Refused as refused:
            answer = _refusal(request, refused)
        if not self._world.keeps_checksums and request.method == "HEAD":
            return answer(environ, _without_checksum(start_response))
        return answer(environ, start_response)

    def _answer(self, request: Request, body: bytes) -> Response | None:
        """None where moto may answer."""
        world = self._world
        keys = {KEY: SECRET, ENVIRON["AWS_ACCESS_KEY_ID"]: ENVIRON["AWS_SECRET_ACCESS_KEY"]}
        credential = Signatures({**keys, **dict.fromkeys(world.sessions, SECRET)}).check(request)
        if credential.service == "sts":
            return self._assumed({name: values[0] for name, values in parse_qs(body.decode()).items()})
        operation = _operation(request)
        world.asked.append((operation, request))
        bucket, _, key = request.path.strip("/").partition("/")
        self._check_place(request, bucket, credential.region)
        self._check_rights(request, credential.key, _ACTIONS.get(operation, "s3:PutObject"), bucket, key)
        self._check_content(request, operation, body, bucket)
        return self._fault(operation, request)

    def _assumed(self, form: dict[str, str]) -> Response:
        world = self._world
        if form["RoleArn"] != ROLE or (world.guarded and form.get("ExternalId") != EXTERNAL_ID):
            raise Refused("AccessDenied", f"not authorized to perform: sts:AssumeRole on resource: {form['RoleArn']}")
        key = f"ASIATHEIRS{len(world.sessions)}"
        world.sessions[key] = json.loads(form["Policy"]) if "Policy" in form else {}
        given = f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey>"
        return Response(
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
            f"{given}<SessionToken>token</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration>"
            "</Credentials></AssumeRoleResult></AssumeRoleResponse>",
            content_type="text/xml",
        )

    @staticmethod
    def _check_place(request: Request, bucket: str, region: str) -> None:
        if bucket not in s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets:
            raise Refused("NoSuchBucket", "The specified bucket does not exist", 404)
        if region != REGION:
            raise Refused("AuthorizationHeaderMalformed", f"the region '{region}' is wrong; expecting '{REGION}'", 400)
        if request.headers.get("x-amz-expected-bucket-owner", ACCOUNT) != ACCOUNT:
            raise Refused("AccessDenied", "Access Denied")

    def _check_rights(self, request: Request, who: str, action: str, bucket: str, key: str) -> None:
        self._check_allowed(who, action, f"arn:aws:s3:::{bucket}/{key}")
        if "x-amz-tagging" in request.headers:
            self._check_allowed(who, "s3:PutObjectTagging", f"arn:aws:s3:::{bucket}/{key}")
        if kms := request.headers.get("x-amz-server-side-encryption-aws-kms-key-id"):
            self._check_allowed(who, "kms:GenerateDataKey", kms)
            if kms in self._world.disabled_keys:
                raise Refused("KMS.DisabledException", f"{kms} is disabled.", 400)
        if source := unquote(request.headers.get("x-amz-copy-source", "")).lstrip("/"):
            if source not in self._world.readable:
                raise Refused("AccessDenied", "Access Denied")
            self._check_allowed(who, "s3:GetObject", f"arn:aws:s3:::{source}")

    def _check_allowed(self, who: str, action: str, resource: str) -> None:
        """Both what they are allowed and what the session may at most."""
        if any(fnmatchcase(action, each) for each in self._world.allowed) and self._in_session(who, action, resource):
            return
        silent = not self._world.names_missing
        told = f"User: {who} is not authorized to perform: {action} on resource: {resource}"
        raise Refused("AccessDenied", "Access Denied" if silent else told)

    def _in_session(self, who: str, action: str, resource: str) -> bool:
        if not (policy := self._world.sessions.get(who)):
            return True
        for statement in policy["Statement"]:
            actions, pattern = statement["Action"], statement["Resource"]
            literal = re.sub(r"\$\{.\}", lambda found: _WILD[found[0]], pattern)
            if action in ([actions] if isinstance(actions, str) else actions) and fnmatchcase(resource, literal):
                return True
        return False

    @staticmethod
    def _check_content(request: Request, operation: str, body: bytes, bucket: str) -> None:
        if md5 := request.headers.get("Content-MD5"):
            given = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
            if md5 != given:
                raise Refused("BadDigest", "The Content-MD5 you specified did not match what we received.", 400)
        if (upload := request.args.get("uploadId")) is None:
            return
        begun = _bucket(bucket).multiparts.get(upload)
        if begun is None:
            raise Refused("NoSuchUpload", "The specified upload does not exist.", 404)
        if operation == "CompleteMultipartUpload" and (whole := request.headers.get("x-amz-checksum-crc64nvme")):
            found, nbytes = 0, 0
            for number in sorted(begun.parts):
                part = begun.parts[number].value
                found, nbytes = crc64(part, found), nbytes + len(part)
            if crc64_text(found) != whole or str(nbytes) != request.headers["x-amz-mp-object-size"]:
                raise Refused("BadDigest", "The CRC64NVME you specified did not match the calculated checksum.", 400)

    def _fault(self, operation: str, request: Request) -> Response | None:
        for fault in self._world.faults:
            if fault.operation != operation or fault.times <= 0:
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            fault.times -= 1
            if fault.done:
                Response.from_app(self._moto, {**request.environ, "wsgi.input": io.BytesIO(request.get_data())})
            raise Refused(fault.code, "an error", fault.status)
        return None


def _operation(request: Request) -> str:
    names: dict[str, Callable[[], str]] = {
        "POST": lambda: "CreateMultipartUpload" if "uploads" in request.args else "CompleteMultipartUpload",
        "PUT": lambda: _put(request),
        "GET": lambda: "ListParts" if "uploadId" in request.args else "GetObject",
        "HEAD": lambda: "HeadObject",
        "DELETE": lambda: "AbortMultipartUpload" if "uploadId" in request.args else "DeleteObject",
    }
    return names[request.method]()


def _put(request: Request) -> str:
    if "partNumber" not in request.args:
        return "PutObject"
    return "UploadPartCopy" if "x-amz-copy-source" in request.headers else "UploadPart"


def _refusal(request: Request, refused: Refused) -> Response:
    """As S3 and STS say it, without words to HEAD."""
    headers = {"x-amz-bucket-region": REGION} if refused.code == "AuthorizationHeaderMalformed" else {}
    if request.method == "HEAD":
        return Response(status=refused.status, headers=headers)
    told = f"<Code>{refused.code}</Code><Message>{refused}</Message>"
    if headers:
        told += f"<Region>{REGION}</Region>"
    error = f"<Error>{told}</Error>"
    if request.path == "/":
        error = f"<ErrorResponse>{error}</ErrorResponse>"
    return Response(error, refused.status, headers, content_type="application/xml")


def _without_checksum(start_response: Any) -> Any:
    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, [each for each in headers if not each[0].lower().startswith("x-amz-checksum")])

    return start


def _checksum(body: bytes, algorithm: str, encode_base64: bool = True) -> bytes:
    """Instead of moto's, which is another where AWS's own library is not installed."""
    text = crc64_text(crc64(body)).encode()
    return text if encode_base64 else base64.b64decode(text)


@functools.cache
def _served() -> SecondS3:
    """On loopback, in a thread of this process, as long as that lasts."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    world = SecondS3()
    server = make_server("127.0.0.1", 0, _Front(world), threaded=True, request_handler=PromptHandler)
    world.url = f"http://127.0.0.1:{server.port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return world


@pytest.fixture
def second_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecondS3]:
    """With one empty bucket, and all well."""
    world = _served()
    surround(monkeypatch)
    monkeypatch.setenv("CUTLINE_PRIVATE_HOSTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", world.url)
    monkeypatch.setattr("moto.s3.models.compute_checksum", _checksum)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    fresh_clients()
    vars(world).update(vars(SecondS3(url=world.url)))
    s3_backends.reset()
    world.create(BUCKET)
    yield world
    s3_backends.reset()
    forget_clients()
