"""Requests kept under names, and the exports that dropped files become by them."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePosixPath
from typing import Any

from cutline.errors import CutlineError, InvalidRequest, InvalidScene, NotFound, TooLarge
from cutline.models.api import ExportBody
from cutline.models.api_uploads import PresetView
from cutline.models.record import Failure, now
from cutline.models.upload import PresetRecord, UploadRecord
from cutline.service.boundary import logger
from cutline.service.callers import Caller
from cutline.service.sources import checked
from cutline.service.submitting import submit
from cutline.service.uploads import safe_name
from cutline.settings import service
from cutline.store.inbox import Inbox
from cutline.store.uploads import Presets, Uploads

MAX_BODY = 200_000
"""Bytes of a preset; an item of the table ends at 400 kB"""


def keep_preset(caller: Caller, name: str, body: ExportBody) -> PresetRecord:
    """Keep ``body``, which has no area of its own, instead of what was under that name.

    Raises the family of InvalidRequest with a pointer into ``body``.
    """
    if body.aoi is not None or body.aoi_href is not None:
        raise InvalidRequest(
            "a preset has no area: the files bring theirs", pointer="/aoi" if body.aoi is not None else "/aoi_href"
        )
    _check(body)
    text = body.model_dump_json(exclude_unset=True)
    if len(text.encode()) > MAX_BODY:
        raise TooLarge(f"a preset has at most {MAX_BODY:,} bytes; name STAC items by their addresses")
    record = PresetRecord(owner=caller.sub, name=name, body=text, created_at=now())
    Presets(service().table).put(record)
    return record


def _check(body: ExportBody) -> None:
    """As submitting does, but without asking a STAC API: what it finds is another thing each time."""
    search, hosts = body.source.stac, service().source_hosts
    if search is None:
        checked(body, hosts)
        return
    source = body.source.model_copy(update={"stac": None, "scenes": (search.url,)})
    try:
        checked(body.model_copy(update={"source": source}), hosts)
    except InvalidScene as error:
        raise InvalidScene(error.message, pointer="/source/stac/url") from error


def find_preset(caller: Caller, name: str) -> PresetRecord:
    """The caller's own. Raises NotFound."""
    return Presets(service().table).get(caller.sub, name)


def list_presets(caller: Caller) -> list[PresetRecord]:
    """The caller's own, by name."""
    return Presets(service().table).of_owner(caller.sub)


def delete_preset(caller: Caller, name: str) -> None:
    """Raises NotFound."""
    Presets(service().table).delete(caller.sub, name)


def view_of(record: PresetRecord) -> PresetView:
    folder = f"s3://{service().inbox_bucket}/inbox/{record.owner}/{record.name}/"
    return PresetView(name=record.name, body=body_of(record), created_at=record.created_at, inbox=folder)


def body_of(preset: PresetRecord) -> ExportBody:
    return ExportBody.model_validate_json(preset.body)


def export_message(message: dict[str, Any], tries: int) -> None:
    """What a message of the queue of read uploads asks for."""
    del tries  # the queue's business
    try:
        export_upload(message["upload_id"])
    except NotFound as error:
        logger.info(error.message)  # it was deleted since


def export_upload(upload_id: str) -> UploadRecord:
    """Export an upload that is read by the preset it was sent for, once; what cannot be done is kept with the upload.

    Raises what may pass when tried again: TransientError, RateLimited.
    """
    settings = service()
    uploads = Uploads(settings.table)
    record = uploads.get(upload_id)
    if record.export_id or record.state != "READY" or record.preset is None:
        return record
    caller = Caller(sub=record.owner, username=record.owner)
    try:
        _check_origin(record)
        preset = body_of(Presets(settings.table).get(record.owner, record.preset))
        name = preset.name or PurePosixPath(safe_name(record.filename)).stem
        body = preset.model_copy(update={"aoi_href": record.aoi_href, "name": name})
        made = submit(body, caller, idempotency_key=_once(record), origin=record.upload_id)
    except CutlineError as error:
        uploads.exported(record, error=Failure(code=error.code, message=error.message, pointer=error.pointer))
        if isinstance(error, InvalidRequest | NotFound):
            return uploads.get(upload_id)
        raise
    uploads.exported(record, export_id=made.export_id)
    return uploads.get(upload_id)


def _check_origin(record: UploadRecord) -> None:
    """Raise NotFound where there is no such file of the owner: who opens strangers' files has written the record, but
    could not put a file there."""
    own = (f"{record.owner}/uploads/{record.upload_id}/", f"inbox/{record.owner}/{record.preset}/")
    if not record.key.startswith(own) or Inbox(service().inbox_bucket).size(record.key) is None:
        raise NotFound("the file that was sent is not there any more; send it again")


def _once(record: UploadRecord) -> str:
    """The same content of the same key never becomes two exports, however often we are told of it."""
    told = json.dumps([service().inbox_bucket, record.key, record.content])
    return hashlib.sha256(told.encode()).hexdigest()
