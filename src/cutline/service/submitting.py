"""A request becomes an export: checked, stored, counted, started. Asked for again within a day, it is the same one."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

from cutline.errors import Conflict, NotFound, RateLimited, TransientError
from cutline.models.api import ExportBody
from cutline.models.record import Event, ExportRecord, now
from cutline.service import settling
from cutline.service.callers import Caller
from cutline.service.deliveries import check_deliveries
from cutline.service.sources import Checked, checked, resolved, told_of
from cutline.service.starting import begin
from cutline.settings import service
from cutline.store.bucket import Bucket
from cutline.store.claims import Claim, Claims
from cutline.store.records import Records

IN_VAIN = frozenset({"ERROR", "CANCELLED"})
WORTH_TELLING = frozenset({"warning", "repaired"})


def submit(
    body: ExportBody, caller: Caller, *, idempotency_key: str | None = None, origin: str | None = None
) -> ExportRecord:
    """The export of ``body``: a new one that has been started, or that of the same request within the last day, unless
    that failed, was cancelled or is gone. An ``idempotency_key`` makes requests the same instead of what is in them.

    Raises the family of InvalidRequest with a pointer into ``body``; RateLimited; Conflict for a key that belongs to
    another request; TransientError where a search or AWS does not answer. Then nothing is left that runs or counts.
    """
    claims = Claims(service().table)
    request = _hash(body.model_dump(mode="json"))
    key = claims.key(caller.sub, request if idempotency_key is None else _hash({"key": idempotency_key}))
    claim = claims.find(key)
    if known := _known(claim, request):
        return known
    record = _store(body, caller, key, origin)
    try:
        ours = claims.begin(record, key, request, instead_of=claim.export_id if claim else None)
    except Exception:
        _withdraw(record, key, claims)  # it may be done, and only the answer got lost
        raise
    if not ours:
        _forget(record)
        return _of_another(claims, key, request)
    event = Event(at=record.created_at, what="submitted", by=caller.sub, attempt=1, details={"name": record.name})
    try:
        return begin(record, event, again="send the request again")
    except RateLimited:
        _withdraw(record, key, claims)
        raise


def check(body: ExportBody, caller: Caller) -> tuple[ExportBody, Checked]:
    """``body`` with everything by value, and the request that it makes. Raises the family of InvalidRequest with a
    pointer into ``body``, and TransientError."""
    settings = service()
    vertices = settings.limits.aoi_vertices
    check_deliveries(caller.sub, body.deliveries)
    with told_of(body):
        whole = resolved(body, caller.sub, settings.source_hosts, max_vertices=vertices)
        return whole, checked(whole, settings.source_hosts, max_vertices=vertices)


def _store(body: ExportBody, caller: Caller, key: str, origin: str | None) -> ExportRecord:
    """The record of ``body``, which is checked and kept, to be begun with."""
    settings = service()
    whole, found = check(body, caller)
    at = now()
    export_id = secrets.token_hex(12)
    record = ExportRecord(
        export_id=export_id,
        attempt=1,
        owner=caller.sub,
        name=_name(body, export_id),
        status="PENDING",
        created_at=at,
        updated_at=at,
        request_href=f"s3://{settings.exports_bucket}/{caller.sub}/{export_id}/{settling.REQUEST}",
        max_cost=body.max_cost,
        notify=body.notify.email,
        idempotency=(key,),
        origin=origin,
        warnings=tuple(finding.message for finding in found.findings if finding.severity in WORTH_TELLING),
    )
    request = whole.model_dump(mode="json", exclude_unset=True)
    Bucket(settings.exports_bucket).write_json(settling.files_of(record) + settling.REQUEST, request)
    return record


def _withdraw(record: ExportRecord, key: str, claims: Claims) -> None:
    claims.give_up(record, key)
    _forget(record)


def _forget(record: ExportRecord) -> None:
    """Remove what was kept of a request that becomes no export."""
    Bucket(service().exports_bucket).remove_under(settling.files_of(record))


def _known(claim: Claim | None, request: str) -> ExportRecord | None:
    """The export that a claim leads to, if it can still come to something."""
    if claim is None:
        return None
    try:
        record = Records(service().table).get(claim.export_id)
    except NotFound:
        return None
    if claim.request != request:
        raise Conflict(
            f"this Idempotency-Key belongs to another request, that of export {claim.export_id}; choose a new key"
        )
    return None if record.status in IN_VAIN else record


def _of_another(claims: Claims, key: str, request: str) -> ExportRecord:
    """What the same request, sent at the same moment, has become."""
    known = _known(claims.find(key), request)
    if known is None:
        raise TransientError("the same request was sent at the same moment and came to nothing; send it again")
    return known


def _name(body: ExportBody, export_id: str) -> str:
    if body.name:
        return body.name.removesuffix(".tif")
    what = body.process.lower() if isinstance(body.process, str) else "export"
    return f"{what}-{export_id[:6]}"


def _hash(value: Any) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
