"""One bucket of the service: signed links, small JSON objects, and removing what lies under a prefix."""

from __future__ import annotations

import json
from typing import Any

from cutline.store.clients import client


class Bucket:
    """By its name."""

    def __init__(self, name: str) -> None:
        self.name, self._s3 = name, client("s3")

    def link(self, key: str, seconds: int, **answer: str) -> str:
        """An address that anyone may GET for so many ``seconds``; ``answer`` are response headers as S3 names them
        (ResponseContentDisposition, …)."""
        params = {"Bucket": self.name, "Key": key, **answer}
        return str(self._s3.generate_presigned_url("get_object", Params=params, ExpiresIn=seconds))

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
