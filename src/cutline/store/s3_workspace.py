"""A workspace in S3, shared by all exports of the service: segments of equal tiles are made once."""

from __future__ import annotations

import datetime as dt
from typing import Any

from botocore.exceptions import ClientError

from cutline.store.clients import client
from cutline.store.faults import translated
from cutline.store.workspace import Piece

SEGMENTS = "segments/"
FRESH = dt.timedelta(days=3)
"""What is older counts as missing and is made again: the bucket removes it after 7 days, perhaps before it is joined"""

_MISSING = frozenset({"NoSuchKey", "404"})
_BEYOND = "InvalidRange"


class S3Workspace:
    """Objects under a prefix of a bucket."""

    def __init__(self, bucket: str, prefix: str = SEGMENTS, *, fresh: dt.timedelta | None = FRESH) -> None:
        """``fresh``: how old a content may be; None: as old as it is."""
        self.bucket, self._prefix, self._fresh = bucket, prefix, fresh
        self._s3 = client("s3")

    def put(self, name: str, *pieces: Piece) -> str:
        with translated():
            answer = self._s3.put_object(Bucket=self.bucket, Key=self.key(name), Body=b"".join(pieces))
        return str(answer["ETag"])

    def get(self, name: str, start: int = 0, stop: int | None = None) -> bytes | None:
        if stop is not None and stop <= start:
            return b""
        wanted = {} if (start, stop) == (0, None) else {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
        with translated():
            answer = self._asked(self._s3.get_object, name, **wanted)
            if answer is None:
                return None
            content: bytes = answer["Body"].read() if answer else b""
        return content

    def remove(self, name: str) -> None:
        with translated():
            self._s3.delete_object(Bucket=self.bucket, Key=self.key(name))

    def size(self, name: str) -> int | None:
        with translated():
            answer = self._asked(self._s3.head_object, name)
        return None if answer is None else int(answer["ContentLength"])

    def where(self, name: str) -> str:
        return f"s3://{self.bucket}/{self.key(name)}"

    def key(self, name: str) -> str:
        return self._prefix + name

    def _asked(self, how: Any, name: str, **more: str) -> dict[str, Any] | None:
        """S3's answer; None where there is no such object, or one too old; {} where a range begins behind its end."""
        try:
            answer: dict[str, Any] = how(Bucket=self.bucket, Key=self.key(name), **more)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == _BEYOND:
                return {}
            if code in _MISSING:
                return None
            raise
        if self._fresh is not None and dt.datetime.now(dt.UTC) - answer["LastModified"] > self._fresh:
            return None
        return answer
