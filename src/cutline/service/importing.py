"""From a file in the inbox to an area that can be exported. Files are not trusted: cutline.aoi has the guards, and this
module does not know how to export (see docs/adr/0011-import-apart.md); it tells who does.

S3 tells of a new object at least once, and in any order. A message only says where to look::

    {owner}/uploads/{upload id}/{file}   what is there now counts; told again of the same content, nothing happens
    inbox/{owner}/{preset}/{file}        each version is an upload of its own, whose id follows from the content
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from cutline.aoi import Aoi, Finding, check_aoi
from cutline.aoi.model import Location
from cutline.errors import CutlineError, NotFound, TooLarge
from cutline.models.record import Failure, now
from cutline.models.upload import MAX_BYTES, UploadRecord
from cutline.service.boundary import logger
from cutline.settings import ServiceSettings, service
from cutline.store.inbox import Inbox, Queue, version_of
from cutline.store.uploads import Uploads

LAST_TRY = 3
"""A file that brought the reader down twice is not opened again"""
DROPPED = re.compile(r"inbox/([^/]+)/(?:([^/]+)/)?([^/]+)")
UPLOADED = re.compile(r"[^/]+/uploads/([^/]+)/[^/]+")
OPTION = re.compile(r"--([a-z]+(?:-[a-z]+)*)")


@dataclass(frozen=True)
class Created:
    """S3 says that an object has come."""

    bucket: str
    key: str
    etag: str
    version: str | None = None

    @property
    def content(self) -> str:
        return self.version or self.etag


def created_of(message: dict[str, Any]) -> list[Created]:
    """What a message of EventBridge, or of S3 itself, tells; nothing for a test message of S3."""
    if "detail" in message:
        told = message["detail"]
        thing = told["object"]
        etag = thing.get("etag") or thing["eTag"]
        return [Created(told["bucket"]["name"], thing["key"], etag, version_of(thing.get("version-id")))]
    records = [record["s3"] for record in message.get("Records", ())]
    return [
        Created(
            told["bucket"]["name"],
            unquote_plus(told["object"]["key"]),
            told["object"]["eTag"],
            version_of(told["object"].get("versionId")),
        )
        for told in records
    ]


def import_message(message: dict[str, Any], tries: int) -> None:
    """What a message of the inbox's queue asks for."""
    for created in created_of(message):
        import_created(created, tries=tries)


def import_created(created: Created, *, tries: int = 1) -> UploadRecord | None:
    """Read the file, keep its area and what was found; None where the object is no upload, or has changed since.

    ``tries``: how often this message has been given out. Raises what may pass when tried again.
    """
    now_set = service()
    uploads, inbox = Uploads(now_set.table), Inbox(now_set.inbox_bucket)
    record = _record(created, uploads) if created.bucket == inbox.name else None
    if record is None:
        logger.info("no upload", extra={"key": created.key})
        return None
    if record.content != created.content:
        try:
            read = _read(record, created, inbox, now_set) if tries < LAST_TRY else _given_up(record, created)
        except NotFound as error:
            logger.info(error.message)
            return None
        uploads.settle(record, read)
        record = read
    if record.state == "READY" and record.preset and not record.export_id:
        # Also when told again: the first time may have ended between the record and this line.
        Queue(now_set.ready_queue).send({"upload_id": record.upload_id})
    return record


def _record(created: Created, uploads: Uploads) -> UploadRecord | None:
    """The upload that an object belongs to; for one dropped into the inbox, made now."""
    if found := UPLOADED.fullmatch(created.key):
        try:
            record = uploads.get(found[1])
        except NotFound:
            return None
        return record if record.key == created.key else None
    found = DROPPED.fullmatch(created.key)
    if found is None:
        return None
    owner, preset, filename = found.groups()
    identity = hashlib.sha256(json.dumps([created.bucket, created.key, created.content]).encode())
    upload_id, at = identity.hexdigest()[:24], now()
    try:
        return uploads.get(upload_id)
    except NotFound:
        record = UploadRecord(
            upload_id=upload_id,
            owner=owner,
            key=created.key,
            filename=filename,
            state="WAITING",
            created_at=at,
            updated_at=at,
            preset=preset,
            version=created.version,
            error=None if preset else _NO_PRESET,
        )
        uploads.create(record)  # a Conflict with another that was told of it at this moment: the next try finds it
        return record


_NO_PRESET = Failure(
    code="no-preset", message="it lies in no preset's folder; a file under inbox/{owner}/{preset}/ is exported by that"
)


def _read(record: UploadRecord, created: Created, inbox: Inbox, now_set: ServiceSettings) -> UploadRecord:
    with tempfile.TemporaryDirectory(prefix="cutline-import-") as folder:
        path = Path(folder, "upload")
        try:
            # Of a dropped file each version counts, of an upload what is there now.
            version = record.version if DROPPED.fullmatch(created.key) else None
            fetched = inbox.fetch(created.key, path, etag=created.etag, version=version, max_bytes=MAX_BYTES)
        except TooLarge as error:
            return _settled(record, created.content, created.version, findings=(_finding(error),))
        content, version = fetched.version or fetched.etag, fetched.version
        area, report = check_aoi(path, **record.reading.model_dump())
    findings = tuple(_told(finding) for finding in report.findings)
    allowed = now_set.limits.aoi_vertices
    if area is None or report.vertices > allowed:
        if area is not None:
            many = f"the area has {report.vertices:,} vertices, more than the {allowed:,} allowed; simplify it"
            findings += (Finding(code="too-large", severity="error", message=many),)
        return _settled(record, content, version, findings=findings)
    west, south, east, north = (round(degrees, 9) for degrees in report.bounds or (0.0,) * 4)
    return _settled(
        record,
        content,
        version,
        state="READY",
        findings=findings,
        area_km2=round(report.area_km2 or 0.0, 9),
        vertices=report.vertices,
        bounds=(west, south, east, north),
        aoi_href=inbox.write_geojson(_area_key(record, area), area.to_geojson()),
        error=record.error,
    )


def _given_up(record: UploadRecord, created: Created) -> UploadRecord:
    told = f"the file could not be read in {LAST_TRY - 1} tries, each of which ran out of time or memory; simplify it"
    finding = Finding(code="unreadable", severity="error", message=told)
    return _settled(record, created.content, created.version, findings=(finding,))


def _settled(record: UploadRecord, content: str, version: str | None, **found: Any) -> UploadRecord:
    """The record after its file was looked at: REJECTED, unless something else is said."""
    fresh = dict.fromkeys(("area_km2", "vertices", "bounds", "aoi_href", "export_id", "error"))
    changes = {**fresh, "state": "REJECTED", "updated_at": now(), "content": content, "version": version, **found}
    return record.model_copy(update=changes)


def _area_key(record: UploadRecord, area: Aoi) -> str:
    """With a hash: another area never gets the address of one that an export names."""
    digest = hashlib.sha256(area.geometry.wkb).hexdigest()
    return f"{record.owner}/aois/{record.upload_id}-{digest[:16]}.geojson"


def _told(finding: Finding) -> Finding:
    """In the words of the API, and small enough for a table's number."""
    message = OPTION.sub(lambda option: "crs" if option[1] == "aoi-crs" else option[1], finding.message)
    place: Location | None = finding.location and (round(finding.location[0], 9), round(finding.location[1], 9))
    return finding.model_copy(update={"message": message, "location": place})


def _finding(error: CutlineError) -> Finding:
    return Finding(code=error.code, severity="error", message=error.message)
