"""A bucket of the user's, on AWS or another S3. The COG first, then its item, and the manifest when all is there.

An object of the same name is replaced, as S3 does. Where S3 lets the user's credentials read our COG it copies it
itself; else the COG passes through us, a few parts at a time.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import urlencode

from botocore.exceptions import ClientError

from cutline.deliver.s3_access import Access
from cutline.deliver.s3_faults import DENIED, GONE, LOST, code_of, told
from cutline.deliver.s3_policies import folder, owner, session
from cutline.deliver.s3_upload import WHOLE, Upload
from cutline.deliver.target import COG, ITEM, MANIFEST, Arrival, Cursor, Parcel, Trip
from cutline.errors import Conflict, CutlineError, DeliveryRejected, TransientError
from cutline.models.destination import S3Secret, S3Settings

_TYPES = {
    COG: "image/tiff; application=geotiff; profile=cloud-optimized",
    ITEM: "application/geo+json",
    MANIFEST: "application/json",
}
_CONTENT = "crc64nvme"
"""Name of the metadata by which our COG is known again at an S3 that keeps no such checksum"""
_REPLACED = frozenset({"PreconditionFailed", "412", *GONE})
_TRIAL = "cutline-trial"
"""Name of the file that a destination is verified with"""


class S3Target:
    """One destination. It keeps no connection between calls."""

    def __init__(self, settings: S3Settings, secret: S3Secret | None, external_id: str) -> None:
        self._settings = settings
        self._access = Access(settings, secret, external_id)

    def verify(self) -> None:
        """All that a delivery does, with some bytes."""
        key = folder(self._settings) + _TRIAL
        self._access.check_guard()
        s3, place, content = self._client(key), self._place(key), secrets.token_bytes(64)
        options = self._options("application/octet-stream")
        with told(self._settings, key):
            begun = s3.create_multipart_upload(**place, **options, **WHOLE)
            upload = {**place, "UploadId": begun["UploadId"]}
            try:
                s3.list_parts(**upload)
            finally:
                s3.abort_multipart_upload(**upload)
            self._put(s3, key, content, "application/octet-stream")
            try:
                found = s3.get_object(**place)["Body"].read(len(content) + 1)
            finally:
                s3.delete_object(**place)
        if found != content:
            raise DeliveryRejected(f"the bucket {self._settings.bucket} gives back other bytes than it took")

    def room(self) -> int | None:
        """A bucket has no end that S3 would tell."""
        return None

    def deliver(self, parcel: Parcel, trip: Trip) -> Arrival | None:
        if not trip.cursor:
            self._access.check_guard()
        key = parcel.path + COG
        # AWS's S3 alone can know our buckets; one of the same name elsewhere is another.
        source = None if self._settings.endpoint else f"{parcel.bucket}/{parcel.key}"
        s3 = self._client(parcel.path, source)
        with told(self._settings, key):
            checksum = self._before(s3, key, parcel)
            if checksum is None:
                if not self._brought(s3, key, parcel, trip, may_copy=source is not None):
                    return None
                checksum = self._after(s3, key, parcel, trip)
            for suffix, content in ((ITEM, parcel.item), (MANIFEST, parcel.manifest)):
                self._put(s3, parcel.path + suffix, content, _TYPES[suffix])
        return Arrival(f"s3://{self._settings.bucket}/{key}", checksum)

    def abandon(self, path: str, cursor: Cursor) -> None:
        """Remove what a delivery to ``path`` that is given up has left."""
        if not cursor.get("upload"):
            return
        place = {**self._place(path + COG), "UploadId": cursor["upload"]}
        with told(self._settings, path + COG):
            try:
                self._client(path).abort_multipart_upload(**place)
            except ClientError as error:
                if code_of(error) != LOST:
                    raise

    def _brought(self, s3: Any, key: str, parcel: Parcel, trip: Trip, *, may_copy: bool) -> bool:
        """Whether the COG is there. What a delivery that fails for good had uploaded is removed."""
        upload = Upload(s3, self._place(key), parcel, trip)
        options = self._options(_TYPES[COG], Metadata={_CONTENT: parcel.crc64nvme})
        try:
            with told(self._settings, key):
                return upload.carry(options, may_copy=may_copy)
        except (TransientError, Conflict):  # the next invocation goes on, or another is at it
            raise
        except CutlineError:
            upload.abort()
            raise

    def _put(self, s3: Any, key: str, content: bytes, content_type: str) -> None:
        """A small file at once. S3 checks its MD5, without which a bucket with Object Lock takes nothing."""
        md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        s3.put_object(**self._place(key), **self._options(content_type), Body=content, ContentMD5=md5)

    def _before(self, s3: Any, key: str, parcel: Parcel) -> str | None:
        """The COG's checksum where it is there already, as it is wanted: of a run that was killed late, or delivered
        before."""
        try:
            found = s3.head_object(**self._place(key), ChecksumMode="ENABLED")
        except ClientError as error:
            if code_of(error) in GONE | DENIED:  # who may not list a bucket is denied what is not there
                return None
            raise
        return self._checksum(found, parcel) if self._is_kept_so(found) else None

    def _is_kept_so(self, found: dict[str, Any]) -> bool:
        """Whether an object has the key and the storage class of the settings. Without a key it may have any: the
        bucket's own."""
        settings = self._settings
        kept = found.get("StorageClass", "STANDARD")  # which S3 does not tell
        return kept == settings.storage_class and settings.kms_key in (None, found.get("SSEKMSKeyId"))

    def _after(self, s3: Any, key: str, parcel: Parcel, trip: Trip) -> str:
        found = s3.head_object(**self._place(key), ChecksumMode="ENABLED")
        if checksum := self._checksum(found, parcel):
            return checksum
        try:
            s3.delete_object(**self._place(key), IfMatch=found["ETag"])
        except ClientError as error:
            if code_of(error) not in _REPLACED:  # by another delivery to the same name, which may be right
                raise
        trip.save({})
        raise TransientError(f"{key} is not what was sent: {found['ContentLength']:,} bytes arrived; it is sent again")

    def _checksum(self, found: dict[str, Any], parcel: Parcel) -> str | None:
        """What S3 says of an object, if it is our COG."""
        if found["ContentLength"] != parcel.nbytes:
            return None
        if crc := found.get("ChecksumCRC64NVME"):
            return f"crc64nvme:{crc}" if crc == parcel.crc64nvme else None
        # Another S3 may not know this checksum; it has checked the MD5 of each part.
        known = self._settings.endpoint and found["Metadata"].get(_CONTENT) == parcel.crc64nvme
        return "etag:" + found["ETag"].strip('"') if known else None

    def _client(self, path: str, source: str | None = None) -> Any:
        return self._access.client(session(self._settings, path, source))

    def _place(self, key: str) -> dict[str, Any]:
        account = owner(self._settings)
        return {"Bucket": self._settings.bucket, "Key": key, **({"ExpectedBucketOwner": account} if account else {})}

    def _options(self, content_type: str, **more: Any) -> dict[str, Any]:
        """What every new object gets."""
        settings = self._settings
        options = {"ContentType": content_type, "StorageClass": settings.storage_class, **more}
        if settings.kms_key:
            options |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": settings.kms_key}
        if settings.tags:
            options["Tagging"] = urlencode(settings.tags)
        return options
