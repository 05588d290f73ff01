"""A large object in S3, made of pieces of others: most of its bytes never pass through us.

Whatever goes wrong, no half-made upload stays behind; and S3 itself checks the whole against the CRC-64/NVME that we
know beforehand.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from cutline.cog.checksum import crc64_text
from cutline.cog.parts import HEADER, MAX_PARTS, Part, Piece, plan_parts, runs
from cutline.errors import IncompleteExport
from cutline.kernel import crc64, crc64_joined
from cutline.store.bucket import Bucket
from cutline.store.clients import client
from cutline.store.faults import translated

RUNS = "segments/runs/"
"""Where runs of segments are, until the file is made of them; the bucket's lifecycle removes what a dead run left"""

_THREADS = 32
_SENT_AT_ONCE = 256 << 20
"""Bytes of parts in memory"""
_CONTENT = "content-sha256"
"""Name of the metadata by which a finished object is known again"""


class Source(NamedTuple):
    """An object that is joined into the new one, and the content that it has to have."""

    key: str
    nbytes: int
    etag: str
    crc64: int


@dataclass(frozen=True)
class Joined:
    """What is to be made: ``header``, then all ``sources`` of one bucket, in order."""

    header: bytes
    bucket: str
    sources: Sequence[Source]
    crc64: int
    """Of the whole"""
    sha256: str
    """What identifies the content: an object made of it before is taken as it is"""
    content_type: str

    @property
    def nbytes(self) -> int:
        return len(self.header) + sum(source.nbytes for source in self.sources)


def join(joined: Joined, bucket: str, key: str, may_complete: Callable[[], None], *, max_parts: int = MAX_PARTS) -> str:
    """Make the object ``key`` of ``bucket``, and return its ETag. Done twice, it is made once.

    ``may_complete`` is asked last, and raises where the object is no longer wanted. Raises IncompleteExport where a
    source has gone, and TransientError where one changed or S3 had no time for us.
    """
    with translated():
        target = Bucket(bucket)
        made = target.head(key)
        if made and made["ContentLength"] == joined.nbytes and made["Metadata"].get(_CONTENT) == joined.sha256:
            may_complete()
            return str(made["ETag"])
        target.abort_uploads(key)  # of a run that was killed
        parts = plan_parts(len(joined.header), [source.nbytes for source in joined.sources], max_parts)
        if parts is None:
            with _in_runs(joined, max_parts) as fewer:
                return join(fewer, bucket, key, may_complete)
        return _Upload(joined, parts, bucket, key).made(may_complete)


@contextmanager
def _in_runs(joined: Joined, max_parts: int) -> Iterator[Joined]:
    """The same, of fewer and larger sources: runs of those there are, which are objects of their own for the while."""
    prefix = f"{RUNS}{joined.sha256}/"
    made = []
    for number, run in enumerate(runs(len(joined.sources), max_parts)):
        sources = [joined.sources[at] for at in run]
        crc, digest = 0, hashlib.sha256()
        for source in sources:
            crc = crc64_joined(crc, source.crc64, source.nbytes)
            digest.update(source.nbytes.to_bytes(8, "big") + source.crc64.to_bytes(8, "big"))
        part = replace(joined, header=b"", sources=sources, crc64=crc, sha256=digest.hexdigest())
        etag = join(part, joined.bucket, f"{prefix}{number}", lambda: None)
        made.append(Source(f"{prefix}{number}", part.nbytes, etag, crc))
    yield replace(joined, sources=made)
    Bucket(joined.bucket).remove_under(prefix)


class _Upload:
    """One multipart upload, from its beginning to its completion or end."""

    def __init__(self, joined: Joined, parts: Sequence[Part], bucket: str, key: str) -> None:
        self._joined, self._parts, self._at = joined, parts, {"Bucket": bucket, "Key": key}
        self._s3 = client("s3")
        most_sent = max((part.nbytes for part in parts if not part.copied), default=1)
        self._room = threading.Semaphore(max(1, _SENT_AT_ONCE // most_sent))
        """For parts that go through our memory"""

    def made(self, may_complete: Callable[[], None]) -> str:
        joined = self._joined
        begun = self._s3.create_multipart_upload(
            **self._at,
            ContentType=joined.content_type,
            Metadata={_CONTENT: joined.sha256},
            ChecksumAlgorithm="CRC64NVME",
            ChecksumType="FULL_OBJECT",
        )
        self._at = {**self._at, "UploadId": begun["UploadId"]}
        try:
            done = self._all()
            may_complete()
            answer = self._s3.complete_multipart_upload(
                **self._at,
                MultipartUpload={"Parts": done},
                ChecksumCRC64NVME=crc64_text(joined.crc64),
                ChecksumType="FULL_OBJECT",
                MpuObjectSize=joined.nbytes,
            )
        except BaseException:
            with suppress(ClientError, BotoCoreError):  # what went wrong first is what matters; the bucket cleans up
                self._s3.abort_multipart_upload(**self._at)
            raise
        return str(answer["ETag"])

    def _all(self) -> list[dict[str, Any]]:
        """All parts, several at once; the first that fails ends it."""
        with ThreadPoolExecutor(_THREADS) as threads:
            begun = [threads.submit(self._part, number, part) for number, part in enumerate(self._parts, 1)]
            try:
                for future in as_completed(begun):
                    future.result()
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise
        return [future.result() for future in begun]

    def _part(self, number: int, part: Part) -> dict[str, Any]:
        if part.copied:
            answer = self._copied(number, part.pieces[0])["CopyPartResult"]
        else:
            with self._room:
                content = b"".join(map(self._fetched, part.pieces))
                answer = self._s3.upload_part(
                    **self._at, PartNumber=number, Body=content, ChecksumCRC64NVME=crc64_text(crc64(content))
                )
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def _copied(self, number: int, piece: Piece) -> dict[str, Any]:
        source = self._joined.sources[piece.source]
        whole = piece.nbytes == source.nbytes
        with _there(source):
            answer: dict[str, Any] = self._s3.upload_part_copy(
                **self._at,
                PartNumber=number,
                CopySource={"Bucket": self._joined.bucket, "Key": source.key},
                CopySourceIfMatch=source.etag,
                **({} if whole else {"CopySourceRange": f"bytes={piece.start}-{piece.stop - 1}"}),
            )
        return answer

    def _fetched(self, piece: Piece) -> bytes:
        if piece.source == HEADER:
            return self._joined.header[piece.start : piece.stop]
        source = self._joined.sources[piece.source]
        with _there(source):
            content: bytes = self._s3.get_object(
                Bucket=self._joined.bucket,
                Key=source.key,
                IfMatch=source.etag,
                Range=f"bytes={piece.start}-{piece.stop - 1}",
            )["Body"].read()
        if len(content) != piece.nbytes or (piece.nbytes == source.nbytes and crc64(content) != source.crc64):
            raise IncompleteExport(f"{source.key} was damaged; retry the export")
        return content


@contextmanager
def _there(source: Source) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
            raise IncompleteExport(f"{source.key} is gone; retry the export") from error
        raise
