"""One multipart upload into a user's bucket, over as many invocations as it takes.

The bucket itself knows which parts it has; the cursor is the upload's id and how it was cut:
``{"upload": id, "part": bytes of a part, "copied": whether S3 copies them itself, "nbytes": of those that are there}``
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from cutline.deliver.s3_faults import DAMAGED, LOST, code_of
from cutline.deliver.target import Parcel, Trip
from cutline.errors import DeliveryRejected

RESERVE = 60.0
"""Seconds of an invocation in which no further part is begun: one that is under way, and the end, need them"""
MAX_PARTS = 10_000
"""S3's"""
_SENT = tuple(size << 20 for size in (8, 16, 32, 64))
"""Bytes of a part that goes through our memory: the smallest that makes no more than ``MAX_PARTS``"""
_SENT_AT_ONCE = 64 << 20
"""Bytes of parts in memory"""
_COPIED = 256 << 20
"""Bytes of a part that S3 copies; more where there would be too many. It takes seconds for it"""
_THREADS = 4
_SAVED_EVERY = 64 << 20
"""Bytes after which the cursor is written again. The bucket knows its parts, so this is for people to see, and for us
to learn that the delivery is no longer wanted"""


WHOLE = {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "FULL_OBJECT"}
"""S3 computes the checksum of the whole from what it gets: parts need none of their own"""


class Cut(NamedTuple):
    """How the COG goes over."""

    part: int
    """Bytes"""
    copied: bool

    @property
    def at_once(self) -> int:
        return _THREADS if self.copied else max(1, min(_THREADS, _SENT_AT_ONCE // self.part))


def cut_to_send(nbytes: int) -> Cut:
    """Raises DeliveryRejected where the COG is too large to pass through us."""
    for part in _SENT:
        if nbytes <= part * MAX_PARTS:
            return Cut(part, copied=False)
    raise DeliveryRejected(
        f"the COG has {nbytes:,} bytes, and {_SENT[-1] * MAX_PARTS:,} can be sent at most; let the role read our "
        "exports, so that S3 copies it"
    )


def cut_to_copy(nbytes: int) -> Cut:
    return Cut(max(_COPIED, -(-nbytes // MAX_PARTS)), copied=True)


class Upload:
    """Of a parcel's COG to ``place`` (Bucket, Key, ExpectedBucketOwner)."""

    def __init__(self, s3: Any, place: dict[str, Any], parcel: Parcel, trip: Trip) -> None:
        self._s3, self._place, self._parcel, self._trip = s3, place, parcel, trip
        self._cut: Cut
        self._done: dict[int, tuple[str, int]] = {}
        """Part -> its ETag and bytes"""

    def carry(self, options: dict[str, Any], *, may_copy: bool) -> bool:
        """Go on with the upload, or begin it with ``options``; whether it is complete.

        Raises what boto3 raises. An upload that cannot be completed is forgotten: the next invocation begins again.
        """
        try:
            return self._carry(options, may_copy)
        except ClientError as error:
            completing = error.operation_name == "CompleteMultipartUpload"
            if code_of(error) == LOST or (completing and code_of(error) in DAMAGED):
                self.abort()
                self._trip.save({})
            raise

    def abort(self) -> None:
        """Remove its parts. What went wrong before is what matters, so that nothing is raised."""
        if "UploadId" in self._place:
            with suppress(ClientError, BotoCoreError):
                self._s3.abort_multipart_upload(**self._place)

    def _carry(self, options: dict[str, Any], may_copy: bool) -> bool:
        cursor = self._trip.cursor
        if cursor.get("upload"):
            self._place = {**self._place, "UploadId": cursor["upload"]}
            self._done = self._listed()
        else:
            begun = self._s3.create_multipart_upload(**self._place, **options, **WHOLE)
            self._place = {**self._place, "UploadId": begun["UploadId"]}
            self._trip.save({"upload": begun["UploadId"]})
        self._cut = Cut(cursor["part"], cursor["copied"]) if "part" in cursor else self._decide(may_copy)
        if not self._bring():
            return False
        self._s3.complete_multipart_upload(
            **self._place,
            MultipartUpload={"Parts": [{"PartNumber": n, "ETag": self._done[n][0]} for n in self._numbers()]},
            ChecksumCRC64NVME=self._parcel.crc64nvme,
            ChecksumType="FULL_OBJECT",
            MpuObjectSize=self._parcel.nbytes,
        )
        return True

    def _decide(self, may_copy: bool) -> Cut:
        self._cut = cut_to_copy(self._parcel.nbytes)
        return self._cut if may_copy and self._can_copy() else cut_to_send(self._parcel.nbytes)

    def _can_copy(self) -> bool:
        """Whether S3 lets these credentials read our COG. It is tried, with the first part."""
        try:
            self._done[1] = self._copy(1)
        except ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 500:
                raise
            return False
        return True

    def _bring(self) -> bool:
        """All parts that are missing, several at once; False where the time ended first."""
        missing = (number for number in self._numbers() if not self._has(number))
        unsaved = 0
        with ThreadPoolExecutor(self._cut.at_once) as threads:
            running: dict[Future[tuple[str, int]], int] = {}
            try:
                while True:
                    for number in self._next(missing, self._cut.at_once - len(running)):
                        running[threads.submit(self._part, number)] = number
                    if not running:
                        break
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        self._done[running.pop(future)] = future.result()
                        unsaved += self._cut.part
                    if unsaved >= _SAVED_EVERY:
                        self._save()
                        unsaved = 0
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise
        self._save()
        return all(map(self._has, self._numbers()))

    def _has(self, number: int) -> bool:
        """Whether the bucket has that part, cut as we cut it."""
        start, end = self._range(number)
        return number in self._done and self._done[number][1] == end - start

    def _next(self, missing: Iterator[int], room: int) -> Iterator[int]:
        """Up to ``room`` parts to begin, while there is time."""
        for _ in range(room):
            if self._trip.seconds_left() < RESERVE or (number := next(missing, None)) is None:
                return
            yield number

    def _part(self, number: int) -> tuple[str, int]:
        return self._copy(number) if self._cut.copied else self._send(number)

    def _copy(self, number: int) -> tuple[str, int]:
        start, end = self._range(number)
        answer = self._s3.upload_part_copy(
            **self._place,
            PartNumber=number,
            CopySource={"Bucket": self._parcel.bucket, "Key": self._parcel.key},
            CopySourceIfMatch=self._parcel.etag,
            CopySourceRange=f"bytes={start}-{end - 1}",
        )
        return str(answer["CopyPartResult"]["ETag"]), end - start

    def _send(self, number: int) -> tuple[str, int]:
        content = self._parcel.read(*self._range(number))
        md5 = hashlib.md5(content, usedforsecurity=False).digest()
        answer = self._s3.upload_part(
            **self._place, PartNumber=number, Body=content, ContentMD5=base64.b64encode(md5).decode()
        )
        return str(answer["ETag"]), len(content)

    def _listed(self) -> dict[int, tuple[str, int]]:
        pages = self._s3.get_paginator("list_parts").paginate(**self._place)
        return {part["PartNumber"]: (part["ETag"], part["Size"]) for page in pages for part in page.get("Parts", ())}

    def _numbers(self) -> range:
        return range(1, -(-self._parcel.nbytes // self._cut.part) + 1)

    def _range(self, number: int) -> tuple[int, int]:
        start = (number - 1) * self._cut.part
        return start, min(start + self._cut.part, self._parcel.nbytes)

    def _save(self) -> None:
        nbytes = sum(nbytes for _, nbytes in self._done.values())
        self._trip.save({"upload": self._place["UploadId"], **self._cut._asdict(), "nbytes": nbytes})
