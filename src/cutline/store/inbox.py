"""The inbox bucket: what users send, and the areas that were read from it. Messages to who exports them, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from cutline.errors import NotFound, TooLarge
from cutline.store.bucket import Bucket
from cutline.store.clients import client

COPY_BYTES = 1 << 20
GONE = frozenset({"NoSuchKey", "NoSuchVersion", "404", "PreconditionFailed", "412"})


class Form(NamedTuple):
    """What a browser or curl sends with a file: to ``url``, with these ``fields`` before it."""

    url: str
    fields: dict[str, str]


class Fetched(NamedTuple):
    """What was read of an object."""

    etag: str
    version: str | None


class Inbox(Bucket):
    """By its name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._objects: Any = client("s3")

    def form(self, key: str, content_type: str, *, max_bytes: int, seconds: int) -> Form:
        """A form by which anyone may, for so many ``seconds``, put a file of this type and no more bytes there."""
        made = self._objects.generate_presigned_post(
            Bucket=self.name,
            Key=key,
            Fields={"Content-Type": content_type},
            Conditions=[{"Content-Type": content_type}, ["content-length-range", 1, max_bytes]],
            ExpiresIn=seconds,
        )
        return Form(made["url"], made["fields"])

    def fetch(self, key: str, target: Path, *, etag: str, version: str | None, max_bytes: int) -> Fetched:
        """Copy an object's content of this ``etag`` to ``target``: the ``version``, else the latest.

        Raises NotFound where that content is there no more, TooLarge beyond ``max_bytes``.
        """
        which = {"VersionId": version} if version else {}
        try:
            answer = self._objects.get_object(Bucket=self.name, Key=key, IfMatch=f'"{etag}"', **which)
        except ClientError as error:
            if error.response["Error"]["Code"] in GONE:
                raise NotFound(f"{key} has other content now, or none") from error
            raise
        if answer["ContentLength"] > max_bytes:
            raise TooLarge(f"the file has {answer['ContentLength']:,} bytes, more than the {max_bytes:,} allowed")
        with target.open("wb") as file:
            for piece in answer["Body"].iter_chunks(COPY_BYTES):
                file.write(piece)
        return Fetched(answer["ETag"].strip('"'), version_of(answer.get("VersionId")))

    def remove_for_good(self, prefix: str, *, version: str | None = None) -> None:
        """All versions of the objects whose keys begin with ``prefix``, or the one ``version`` of them."""
        for page in self._objects.get_paginator("list_object_versions").paginate(Bucket=self.name, Prefix=prefix):
            found = [
                {"Key": each["Key"], "VersionId": each["VersionId"]}
                for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
                if version in (None, each["VersionId"])
            ]
            if found:  # a page has no more than the 1,000 that one request may name
                answer = self._objects.delete_objects(Bucket=self.name, Delete={"Objects": found, "Quiet": True})
                if refused := answer.get("Errors"):
                    raise OSError(f"S3 keeps {refused[0]['Key']}: {refused[0].get('Code')}")

    def write_geojson(self, key: str, geometry: dict[str, Any]) -> str:
        """Its ``s3://`` address."""
        body = json.dumps(geometry, separators=(",", ":")).encode()
        self._objects.put_object(Bucket=self.name, Key=key, Body=body, ContentType="application/geo+json")
        return f"s3://{self.name}/{key}"


class Queue:
    """An SQS queue by its URL."""

    def __init__(self, url: str) -> None:
        self._url, self._sqs = url, client("sqs")

    def send(self, message: dict[str, Any], *, delay: int = 0) -> None:
        """``delay``: seconds before anybody is given it, 900 at most."""
        self._sqs.send_message(QueueUrl=self._url, MessageBody=json.dumps(message), DelaySeconds=delay)


def version_of(version_id: str | None) -> str | None:
    """S3 says "null" of what was put before a bucket kept versions."""
    return None if version_id in (None, "", "null") else version_id
