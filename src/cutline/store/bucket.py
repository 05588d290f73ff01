"""One bucket of the service: signed links, small JSON objects, and removing what lies under a prefix."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from botocore.exceptions import ClientError

from cutline.errors import CutlineError, IncompleteExport
from cutline.store.clients import client
from cutline.store.faults import translated

_QUERY = "CutlineQuery"
"""Among the parameters of a request, until botocore would look at them"""
_CHECKSUM = {"x-amz-checksum-mode": "ENABLED"}
"""In the query, for as a header whoever has the address would have to send it"""
_CHANGED = frozenset({"NoSuchKey", "404", "PreconditionFailed", "412", "InvalidRange", "416"})


def place_of(href: str) -> tuple[str, str]:
    """Bucket and key of an ``s3://`` address."""
    bucket, key = href.removeprefix("s3://").split("/", 1)
    return bucket, key


class Bucket:
    """By its name."""

    def __init__(self, name: str) -> None:
        self.name, self._s3 = name, client("s3")

    def link(self, key: str, seconds: int, **answer: str) -> str:
        """An address that anyone may GET for so many ``seconds``; ``answer`` are response headers as S3 names them
        (ResponseContentDisposition, …)."""
        return self._link("get_object", key, seconds, answer)

    def logged_link(self, key: str, seconds: int, logged: Mapping[str, str], **asked: str) -> str:
        """As ``link``, with query parameters that S3 ignores, for their names begin with x-, and that its access logs
        tell. They are signed like the rest: nobody can change them. Of a ``Range`` in ``asked`` the address is for
        those who send the same."""
        return self._link("get_object", key, seconds, asked, logged)

    def head_link(self, key: str, seconds: int, **answer: str) -> str:
        """As ``link``, for HEAD; S3 tells its checksum as well."""
        return self._link("head_object", key, seconds, answer, _CHECKSUM)

    def _link(
        self, method: str, key: str, seconds: int, params: Mapping[str, Any], query: Mapping[str, str] | None = None
    ) -> str:
        """``method``: boto3's; ``query``: what is signed without being a parameter that botocore knows there."""
        params = {"Bucket": self.name, "Key": key, **params}
        if query:
            meta, params[_QUERY] = self._s3.meta, dict(query)
            operation = meta.method_to_api_mapping[method]
            meta.events.register(f"provide-client-params.s3.{operation}", _take_query, unique_id=f"take-{operation}")
            meta.events.register(f"before-sign.s3.{operation}", _add_query, unique_id=f"add-{operation}")
        return str(self._s3.generate_presigned_url(method, Params=params, ExpiresIn=seconds))

    def size(self, key: str) -> int | None:
        """Bytes of the object; None where there is none."""
        found = self.head(key)
        return None if found is None else int(found["ContentLength"])

    def head(self, key: str) -> dict[str, Any] | None:
        """What S3 knows of the object; None where there is none."""
        try:
            found: dict[str, Any] = self._s3.head_object(Bucket=self.name, Key=key)
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey", "NotFound"}:
                return None
            raise
        return found

    def read(self, key: str) -> bytes | None:
        """None where there is no such object."""
        try:
            content: bytes = self._s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            return None
        return content

    def read_range(self, key: str, etag: str, start: int, end: int) -> bytes:
        """Bytes [start, end) of the object's content of this ``etag``. Raises IncompleteExport where it has other
        content now, or is gone, and TransientError."""
        try:
            with translated():
                answer = self._s3.get_object(Bucket=self.name, Key=key, IfMatch=etag, Range=f"bytes={start}-{end - 1}")
                content: bytes = answer["Body"].read()
        except CutlineError as error:
            known = error.__cause__
            if isinstance(known, ClientError) and known.response["Error"]["Code"] in _CHANGED:
                raise IncompleteExport(f"{key} is gone, or was changed; retry makes it again") from known
            raise
        return content

    def write(self, key: str, content: bytes, content_type: str = "application/json", *, replace: bool = True) -> bool:
        """Whether it was written, which without ``replace`` it is not where there is such an object already."""
        condition = {} if replace else {"IfNoneMatch": "*"}
        try:
            self._s3.put_object(Bucket=self.name, Key=key, Body=content, ContentType=content_type, **condition)
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise
            return False
        return True

    def read_json(self, key: str) -> Any:
        """None where there is no such object."""
        content = self.read(key)
        return None if content is None else json.loads(content)

    def write_json(self, key: str, value: Any) -> None:
        self.write(key, json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())

    def remove_under(self, prefix: str, *, keep: frozenset[str] = frozenset()) -> None:
        """Remove all objects whose keys begin with ``prefix``, but those to ``keep``."""
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
            keys = [{"Key": found["Key"]} for found in page.get("Contents", ()) if found["Key"] not in keep]
            if keys:  # a page has no more than the 1,000 that one request may name
                answer = self._s3.delete_objects(Bucket=self.name, Delete={"Objects": keys, "Quiet": True})
                if refused := answer.get("Errors"):
                    raise OSError(f"S3 keeps {refused[0]['Key']}: {refused[0].get('Code')}")

    def abort_uploads(self, prefix: str) -> None:
        """End the multipart uploads under ``prefix`` that nobody completed."""
        for page in self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=self.name, Prefix=prefix):
            for upload in page.get("Uploads", ()):
                try:
                    self._s3.abort_multipart_upload(Bucket=self.name, Key=upload["Key"], UploadId=upload["UploadId"])
                except self._s3.exceptions.NoSuchUpload:  # completed, or ended by another, meanwhile
                    continue


def _take_query(params: dict[str, Any], context: dict[str, Any], **_: Any) -> dict[str, Any]:
    context[_QUERY] = params.get(_QUERY)
    return {name: value for name, value in params.items() if name != _QUERY}


def _add_query(request: Any, **_: Any) -> None:
    """To the address, before it is signed."""
    if query := request.context.get(_QUERY):
        request.url += ("&" if "?" in request.url else "?") + urlencode(query)
