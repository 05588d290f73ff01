"""Upload forms and signatures, against the clients that AWS ships."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from werkzeug.datastructures import FileStorage
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from local.posting import Forms
from local.signatures import Refused, Signatures

URL = "http://127.0.0.1:8000"
SIGNATURES = Signatures({"key": "secret"})
BUCKET = "inbox"


class Taken:
    """The S3 that a form's file goes to."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, **given: Any) -> dict[str, str]:
        self.objects[given["Key"]] = given["Body"].read()
        return {"ETag": '"etag"'}


@pytest.fixture
def s3() -> Any:
    return boto3.client(
        "s3", endpoint_url=URL, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )  # fmt: skip


@pytest.fixture
def taken() -> Taken:
    return Taken()


def link(url: str, method: str = "GET", **headers: str) -> Request:
    place = urlsplit(url)
    builder = EnvironBuilder(place.path, query_string=place.query, method=method, headers=headers, base_url=URL)
    environ = builder.get_environ()
    return Request(environ | {"RAW_URI": f"{place.path}?{place.query}"})


NAMES = ["plain.tif", "with space & ü/ñ+%.tif", "a=b~c'(1).tif"]


@pytest.mark.parametrize("name", NAMES)
def test_links_of_the_sdk_hold(s3: Any, name: str) -> None:
    given = {"Bucket": BUCKET, "Key": name, "ResponseContentDisposition": 'attachment; filename="ü ;.tif"'}
    url = s3.generate_presigned_url("get_object", Params=given, ExpiresIn=60)
    assert SIGNATURES.check(link(url)).key == "key"


def test_links_to_put_hold_with_their_headers_only(s3: Any) -> None:
    given = {"Bucket": BUCKET, "Key": "x", "ContentType": "image/tiff"}
    url = s3.generate_presigned_url("put_object", Params=given, ExpiresIn=60)
    SIGNATURES.check(link(url, "PUT", **{"Content-Type": "image/tiff"}))
    with pytest.raises(Refused, match="signature"):
        SIGNATURES.check(link(url, "PUT", **{"Content-Type": "text/html"}))
    with pytest.raises(Refused, match="signature"):
        SIGNATURES.check(link(url, "GET"))


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (("/inbox/x", "/inbox/y"), "SignatureDoesNotMatch"),
        (("X-Amz-Expires=60", "X-Amz-Expires=61"), "SignatureDoesNotMatch"),
        (("X-Amz-Expires=60", "X-Amz-Expires=604801"), "AuthorizationQueryParametersError"),
        (("X-Amz-Expires=60", "X-Amz-Expires=soon"), "AuthorizationQueryParametersError"),
        (("Credential=key%2F", "Credential=other%2F"), "InvalidAccessKeyId"),
        (("SignedHeaders=host", "SignedHeaders=accept"), "AuthorizationQueryParametersError"),
        (("/inbox/x?", "/inbox/x?versionId=1&"), "SignatureDoesNotMatch"),
    ],
)
def test_a_link_that_was_changed_is_refused(s3: Any, changed: tuple[str, str], code: str) -> None:
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "x"}, ExpiresIn=60)
    assert changed[0] in url
    with pytest.raises(Refused) as refused:
        SIGNATURES.check(link(url.replace(*changed)))
    assert refused.value.code == code


@pytest.mark.parametrize(("seconds", "said"), [(61, "expired"), (-3600, "not valid yet")])
def test_a_link_begins_and_ends(s3: Any, seconds: int, said: str) -> None:
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "x"}, ExpiresIn=60)
    at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    with pytest.raises(Refused, match=said):
        Signatures({"key": "secret"}, now=lambda: at).check(link(url))


def form(fields: dict[str, str], content: bytes = b"{}", filename: str = "a b.json") -> Request:
    data = {**fields, "file": FileStorage(stream=io.BytesIO(content), filename=filename)}
    return Request(EnvironBuilder(f"/{BUCKET}", method="POST", data=data, base_url=URL).get_environ())


def fields_of(s3: Any, **more: Any) -> dict[str, str]:
    made: dict[str, str] = s3.generate_presigned_post(
        BUCKET,
        "anna/uploads/${filename}",
        Fields={"Content-Type": "application/json"},
        Conditions=[
            ["content-length-range", 1, 10],
            ["starts-with", "$Content-Type", "application/"],
        ],
        ExpiresIn=60,
        **more,
    )["fields"]
    return made


def test_a_form_of_the_sdk_is_taken(s3: Any, taken: Taken) -> None:
    answer = Forms(SIGNATURES, taken, URL).take(BUCKET, form(fields_of(s3)))
    assert answer.status_code == 204
    assert taken.objects == {"anna/uploads/a b.json": b"{}"}


def test_a_file_name_cannot_leave_its_folder(s3: Any, taken: Taken) -> None:
    Forms(SIGNATURES, taken, URL).take(BUCKET, form(fields_of(s3), filename="../../else/x.json"))
    assert list(taken.objects) == ["anna/uploads/x.json"]


@pytest.mark.parametrize(
    ("changed", "content", "code"),
    [
        ({"key": "bob/x"}, b"{}", "AccessDenied"),
        ({"Content-Type": "text/html"}, b"{}", "AccessDenied"),
        ({"acl": "public-read"}, b"{}", "AccessDenied"),
        ({"policy": "e30="}, b"{}", "SignatureDoesNotMatch"),
        ({"x-amz-signature": "0"}, b"{}", "SignatureDoesNotMatch"),
        ({}, b"", "EntityTooSmall"),
        ({}, b"12345678901", "EntityTooLarge"),
    ],
)
def test_what_the_policy_does_not_allow_is_refused(
    s3: Any, taken: Taken, changed: dict[str, str], content: bytes, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        Forms(SIGNATURES, taken, URL).take(BUCKET, form({**fields_of(s3), **changed}, content))
    assert refused.value.code == code
    assert taken.objects == {}


def test_another_bucket_is_another_policy(s3: Any, taken: Taken) -> None:
    with pytest.raises(Refused, match="Policy Condition failed"):
        Forms(SIGNATURES, taken, URL).take("results", form(fields_of(s3)))


def test_a_form_without_a_signature_is_refused(taken: Taken) -> None:
    with pytest.raises(Refused, match="x-amz-credential"):
        Forms(SIGNATURES, taken, URL).take(BUCKET, form({"key": "x"}))
