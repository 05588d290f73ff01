"""An attempt has ended: what it held is given back, and what it left half-made is removed. All of it may be done twice.

Records of newer attempts are not touched: an attempt's end may become known after the next has begun.
"""

from __future__ import annotations

from cutline.errors import CutlineError
from cutline.models.record import ExportRecord, Failure
from cutline.service.boundary import logger
from cutline.service.parcels import rest_of
from cutline.settings import service
from cutline.store import lambdas
from cutline.store.bucket import Bucket
from cutline.store.deliveries import Deliveries
from cutline.store.quotas import Quotas
from cutline.store.records import Records

REQUEST = "request.json"
"""What was asked for, beside the COG: a retry reads it again"""
CANCELLED = Failure(code="cancelled", message="the export was cancelled before this delivery arrived")
DELETED = Failure(code="cancelled", message="the export was deleted before this delivery arrived")


def files_of(record: ExportRecord) -> str:
    """The prefix of all that the exports bucket has of an export."""
    return f"{record.owner}/{record.export_id}/"


def plans_of(record: ExportRecord) -> str:
    """The prefix of the plans of all attempts, in the work bucket. Segments lie elsewhere: they are shared."""
    return f"exports/{record.export_id}/"


def settle(record: ExportRecord) -> None:
    """Bring an ended export in order. ``record`` is of the attempt that ended."""
    settings = service()
    release(record)
    known = Records(settings.table).get(record.export_id)
    if (known.attempt, known.status) != (record.attempt, record.status):
        return
    Bucket(settings.exports_bucket).abort_uploads(files_of(record))
    _complete_deliveries(record)
    if record.status == "CANCELLED":
        _remove_results(known)


def give_up_deliveries(record: ExportRecord, why: Failure) -> None:
    """None that is under way will arrive any more, and what it left half-written at its destination is removed there,
    if that can be helped: nobody waits for it."""
    deliveries = Deliveries(service().table, record.export_id)
    for delivery in Records(service().table).deliveries(record.export_id):
        deliveries.fail(delivery, why)
        if delivery.cursor:
            try:
                rest = rest_of(record, delivery).model_dump(mode="json")
                lambdas.start(f"{service().function_prefix}deliver", rest)
            except CutlineError as error:
                logger.warning("something half-written may be left", extra={"why": error.message})


def forget_plan(record: ExportRecord) -> None:
    """Remove the plan of a cancelled attempt, once its history is archived: that tells which files the plan reads."""
    if record.status == "CANCELLED":
        Bucket(service().work_bucket).remove_under(f"{plans_of(record)}{record.attempt}/")


def release(record: ExportRecord) -> None:
    """Give back what an attempt held of its owner's quotas; pixels of an export that succeeded count for good."""
    settings = service()
    Quotas(settings.table, settings.limits).release(record, pixels=record.status != "SUCCESS")


def _complete_deliveries(record: ExportRecord) -> None:
    """A delivery that was under way when the attempt ended will not arrive any more."""
    deliveries = Deliveries(service().table, record.export_id)
    gone = record.error or CANCELLED
    for delivery in Records(service().table).deliveries(record.export_id):
        if delivery.attempt == record.attempt and not delivery.execution:
            deliveries.fail(delivery, delivery.error or gone)


def _remove_results(record: ExportRecord) -> None:
    """The files of a cancelled export, its COG even where that is whole. Segments stay for a retry."""
    settings = service()
    if record.result is not None:
        Records(settings.table).move(record, record.status, earlier=("CANCELLED",), result=None)
    Bucket(settings.exports_bucket).remove_under(files_of(record), keep=frozenset({files_of(record) + REQUEST}))
