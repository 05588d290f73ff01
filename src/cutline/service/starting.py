"""An attempt begins, of a new export and of a retry alike: it is counted, noted, and its execution is started."""

from __future__ import annotations

from cutline.errors import Conflict, RateLimited, TransientError
from cutline.models.record import Event, ExportRecord, Failure
from cutline.service import settling
from cutline.settings import service
from cutline.store.deliveries import Deliveries
from cutline.store.executions import Executions
from cutline.store.quotas import Quotas
from cutline.store.records import Records

FAILED = "the export could not be started; {again} in a minute"


def begin(record: ExportRecord, event: Event, *, again: str) -> ExportRecord:
    """Begin the record's attempt, which is PENDING; ``event`` says who wanted it.

    Raises RateLimited where too many of the owner's exports run, having done nothing; and TransientError where AWS
    failed at it: the attempt is an ERROR then, and holds nothing. ``again`` tells people how to try once more. Should
    this die half-way, the sweep (reconciling) ends the attempt.
    """
    settings = service()
    try:
        Quotas(settings.table, settings.limits).reserve_export(record)
        _hand_on_deliveries(record)
        Records(settings.table).add_event(record.export_id, event)
        return start(record)
    except RateLimited:
        raise
    except Exception as error:  # whatever it is, nothing may stay that nobody works on
        return _failed(record, FAILED.format(again=again), error)


def start(record: ExportRecord) -> ExportRecord:
    """Start the execution of the record's attempt."""
    settings = service()
    records, executions = Records(settings.table), Executions(settings.state_machine)
    executions.start(record)
    try:
        return records.move(record, "SUBMITTED", earlier=("PENDING",))
    except Conflict:  # the execution was faster, or somebody cancelled meanwhile
        known = records.get(record.export_id)
        if known.status == "CANCELLED":
            executions.stop(record, "cancelled while it was being started")
        return known


def _hand_on_deliveries(record: ExportRecord) -> None:
    """What earlier attempts have not delivered is this one's to deliver."""
    table, anew = service().table, record.result is None
    for delivery in Records(table).deliveries(record.export_id):
        if delivery.state != "done" or anew:
            Deliveries(table, record.export_id).begin_again(delivery, record.attempt, anew=anew)


def _failed(record: ExportRecord, message: str, error: Exception) -> ExportRecord:
    """The end of an attempt that could not be started. Raises TransientError, unless it runs after all."""
    records = Records(service().table)
    failure = Failure(code=TransientError.code, message=message)
    try:
        ended = records.move(record, "ERROR", earlier=("PENDING",), error=failure)
    except Conflict:  # it was started, and only the answer got lost
        return records.get(record.export_id)
    settling.settle(ended)
    raise TransientError(message) from error
