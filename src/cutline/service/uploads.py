"""Uploads, as their users see them."""

from __future__ import annotations

import re
import secrets
import unicodedata
from typing import Any

from cutline.aoi.project import parse_crs
from cutline.errors import Conflict, InvalidRequest, NotFound, UnsupportedCRS
from cutline.models.api_uploads import UploadForm, UploadView
from cutline.models.record import now
from cutline.models.upload import MAX_BYTES, Reading, UploadRecord
from cutline.service.addresses import export_url
from cutline.service.callers import Caller
from cutline.settings import service
from cutline.store.bucket import place_of
from cutline.store.inbox import Form, Inbox
from cutline.store.records import Records
from cutline.store.uploads import Presets, Uploads

FORM_SECONDS, LINK_SECONDS = 900, 300
INLINE_BYTES = 256 * 1024
"""Of GeoJSON that an answer brings along; larger areas are behind a link"""
TYPES = {
    ".geojson": "application/geo+json",
    ".json": "application/geo+json",
    ".kml": "application/vnd.google-earth.kml+xml",
    ".kmz": "application/vnd.google-earth.kmz",
    ".gpkg": "application/geopackage+sqlite3",
    ".fgb": "application/flatgeobuf",
    ".zip": "application/zip",
}
"""Suffix -> media type. What a file really is, its content decides when it is read."""
AREAS = re.compile(r"s3://([^/]+)/([^/]+)/aois/[^/]+\.geojson")


def begin_upload(caller: Caller, filename: str, reading: Reading, preset: str | None) -> tuple[UploadRecord, Form]:
    """A place for a file, and the form that puts it there. With a ``preset``, it is exported once it is read.

    Raises InvalidRequest for a kind of file that is not read, UnsupportedCRS, NotFound for an unknown preset.
    """
    settings = service()
    name = safe_name(filename)
    suffix = "." + name.rpartition(".")[2].lower()
    if suffix not in TYPES:
        raise InvalidRequest(f"{name}: an area is read from {', '.join(TYPES)}", pointer="/filename")
    if reading.crs is not None:
        _check_crs(reading.crs)
    if preset is not None:
        Presets(settings.table).get(caller.sub, preset)
    upload_id, at = secrets.token_hex(12), now()
    record = UploadRecord(
        upload_id=upload_id,
        owner=caller.sub,
        key=f"{caller.sub}/uploads/{upload_id}/{name}",
        filename=name,
        state="WAITING",
        created_at=at,
        updated_at=at,
        reading=reading,
        preset=preset,
    )
    Uploads(settings.table).create(record)
    inbox = Inbox(settings.inbox_bucket)
    return record, inbox.form(record.key, TYPES[suffix], max_bytes=MAX_BYTES, seconds=FORM_SECONDS)


def _check_crs(crs: str) -> None:
    try:
        parse_crs(crs)
    except UnsupportedCRS as error:
        raise UnsupportedCRS(error.message, pointer="/crs") from error


def find_upload(caller: Caller, upload_id: str) -> UploadRecord:
    """Raises NotFound, of another's upload too."""
    record = Uploads(service().table).get(upload_id)
    if not caller.may_see(record.owner):
        raise NotFound(f"there is no upload {upload_id}")
    return record


def list_uploads(caller: Caller, *, limit: int, cursor: str | None) -> tuple[list[UploadRecord], str | None]:
    """The caller's own, newest first, and where to go on."""
    return Uploads(service().table).of_owner(caller.sub, limit=limit, cursor=cursor)


def delete_upload(record: UploadRecord) -> None:
    """Remove an upload: the file, its area, and what was found in it. Raises Conflict while it is imported, waits to be
    exported by its preset, or that export runs.

    Exports that were given its ``aoi_href`` have the area in their requests, and need it no more.
    """
    settings = service()
    inbox = Inbox(settings.inbox_bucket)
    if record.state == "WAITING" and inbox.size(record.key) is not None:
        raise Conflict(f"upload {record.upload_id} is being imported; wait for its end")
    if record.state == "READY" and record.preset and not (record.export_id or record.error):
        raise Conflict(f"upload {record.upload_id} is about to be exported by {record.preset}; wait for that")
    if record.export_id is not None and _runs(record.export_id):
        raise Conflict(f"export {record.export_id}, made from it, is running; cancel it first, or wait for its end")
    # Of a dropped file each version is an upload of its own; beside an uploaded one there is no other.
    dropped = not record.key.startswith(f"{record.owner}/uploads/{record.upload_id}/")
    inbox.remove_for_good(record.key, version=record.version if dropped else None)
    inbox.remove_for_good(f"{record.owner}/aois/{record.upload_id}-")
    Uploads(settings.table).delete(record)


def _runs(export_id: str) -> bool:
    try:
        return not Records(service().table).get(export_id).ended
    except NotFound:
        return False


def area_of(aoi_href: str, owner: str) -> dict[str, Any]:
    """The geometry behind the ``aoi_href`` of an upload. Raises InvalidRequest where that is none of the owner's."""
    settings = service()
    found = AREAS.fullmatch(aoi_href)
    place = found.groups() if found else None
    area = None
    if place == (settings.inbox_bucket, owner):
        area = Inbox(settings.inbox_bucket).read_json(place_of(aoi_href)[1])
    if area is None:
        raise InvalidRequest(
            f"{aoi_href} is no area of yours; take the aoi_href of GET /uploads/{{id}}", pointer="/aoi_href"
        )
    found_area: dict[str, Any] = area
    return found_area


def view_of(record: UploadRecord, *, whole: bool = False) -> UploadView:
    """An upload as its owner sees it; ``whole``: with its area and links to it."""
    common = record.model_dump(include=set(UploadView.model_fields))
    links = {"self": upload_url(record.upload_id)}
    if record.export_id:
        links["export"] = export_url(record.export_id)
    geometry = None
    if whole:
        inbox = Inbox(service().inbox_bucket)
        if record.aoi_href:
            _, key = place_of(record.aoi_href)
            links["geojson"] = inbox.link(key, LINK_SECONDS)
            size = inbox.size(key)
            geometry = inbox.read_json(key) if size is not None and size <= INLINE_BYTES else None
        if record.content:
            attached = {"ResponseContentDisposition": f'attachment; filename="{safe_name(record.filename)}"'}
            which = {"VersionId": record.version} if record.version else {}
            links["original"] = inbox.link(record.key, LINK_SECONDS, **attached, **which)
    return UploadView(**common, geometry=geometry, links=links)


def form_view(form: Form) -> UploadForm:
    return UploadForm(url=form.url, fields=form.fields, max_bytes=MAX_BYTES, seconds=FORM_SECONDS)


def upload_url(upload_id: str) -> str:
    return f"{service().url}/uploads/{upload_id}"


def safe_name(filename: str) -> str:
    """A file name that a key, a header and a shell take for nothing more: the last part of it, plain characters."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFKD", filename))[-1].encode("ascii", "ignore").decode()
    stem, dot, suffix = re.sub(r"[^\w.-]+", "_", last).rpartition(".")
    return f"{_plain(stem)}{dot}{suffix[:10]}" if dot else _plain(suffix)


def _plain(stem: str) -> str:
    return stem.strip("._-")[:80].rstrip("._-") or "area"
