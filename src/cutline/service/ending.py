"""What a person may do to an export that runs or has run: cancel it, try again, delete it."""

from __future__ import annotations

from cutline.errors import Conflict, RateLimited
from cutline.models.record import Event, ExportRecord, now
from cutline.service import archiving, settling
from cutline.service.starting import begin
from cutline.settings import service
from cutline.store.bucket import Bucket
from cutline.store.executions import Executions
from cutline.store.records import Records


def cancel(record: ExportRecord, by: str) -> ExportRecord:
    """End a running export. Raises Conflict where it has ended.

    Its quota is given back and what it left is removed when AWS says that the execution is aborted (reconciling), or
    here where none runs.
    """
    settings = service()
    cancelled = Records(settings.table).move(record, "CANCELLED")
    _note(cancelled, "cancelled", by)
    running = Executions(settings.state_machine).stop(cancelled, f"cancelled by {by}")
    settling.give_up_deliveries(cancelled, settling.CANCELLED)
    if not running:
        settling.settle(cancelled)
    return cancelled


def retry(record: ExportRecord, by: str) -> ExportRecord:
    """Begin the next attempt of an export that failed or was cancelled: finished tiles are kept, and so is a finished
    COG of which only deliveries failed. Raises Conflict where it runs, succeeded or is being deleted, RateLimited, and
    TransientError."""
    settings = service()
    records = Records(settings.table)
    if record.status not in ("ERROR", "CANCELLED"):
        raise Conflict(
            f"export {record.export_id} is {record.status}; only one that failed or was cancelled is retried"
        )
    settling.release(record)  # reconcile may not have come to it yet
    begun = records.begin_again(record)
    try:
        return begin(begun, Event(at=now(), what="retried", by=by, attempt=begun.attempt), again="retry it")
    except RateLimited:
        records.move(begun, record.status, earlier=("PENDING",), error=record.error)
        raise


def delete(record: ExportRecord, by: str) -> None:
    """Remove an ended export: its files, its record and all that is kept of it; deliveries under way are given up. The
    archive of its history, with who deleted it, stays for those who run the service. Raises Conflict where it runs, or
    begins to at this moment."""
    settings = service()
    if not record.ended:
        raise Conflict(f"export {record.export_id} is {record.status}; cancel it first, or wait for its end")
    records = Records(settings.table)
    record = records.begin_deleting(record)
    records.forget_request(record)
    _note(record, "deleted", by)
    settling.release(record)
    settling.give_up_deliveries(record, settling.DELETED)
    archiving.archive_events(record)
    exports = Bucket(settings.exports_bucket)
    exports.abort_uploads(settling.files_of(record))
    exports.remove_under(settling.files_of(record))
    Bucket(settings.work_bucket).remove_under(settling.plans_of(record))
    records.delete(record.export_id)


def _note(record: ExportRecord, what: str, by: str) -> None:
    event = Event(at=now(), what=what, by=by, attempt=record.attempt)
    Records(service().table).add_event(record.export_id, event)
