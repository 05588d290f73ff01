"""The end of an execution, seen from outside: what no Catch of its own could see to.

Events arrive late, twice and out of order, so everything here may be done again, and an event of one attempt does not
touch the next.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from cutline.errors import Conflict, NotFound
from cutline.failures import failure_of
from cutline.models.record import ENDED, RUNNING, Event, ExportRecord, Failure, Status, now
from cutline.models.task import ExportTask, StartedTask
from cutline.service import settling
from cutline.service.archiving import archive, time_of
from cutline.service.boundary import logger
from cutline.service.deliveries import go_on, settle_delivery
from cutline.service.notices import have_told
from cutline.settings import service
from cutline.store.executions import Executions
from cutline.store.quotas import Quotas
from cutline.store.records import Records

EVER = dt.datetime.fromtimestamp(0, dt.UTC)
OVERDUE = dt.timedelta(minutes=10)
"""An export whose record has not changed for so long is looked after"""
LINGERING = dt.timedelta(minutes=16), dt.timedelta(minutes=40)
"""How long after an export's end the sweep comes by again: a Lambda goes on for up to 15 minutes after its execution
was stopped, and may leave an upload behind. Wide enough that no sweep passes over it"""

_AGAIN = "retry goes on from the finished tiles"
_CAUSES = {
    "TIMED_OUT": Failure(
        code="timed-out", message=f"it was not done within the hour that an export may take; {_AGAIN}"
    ),
    "ABORTED": Failure(
        code="aborted", message=f"its execution was stopped, by an operator or with the service; {_AGAIN}"
    ),
    "SUCCEEDED": Failure(code="internal-error", message=f"its execution ended without a result; {_AGAIN}"),
    "MISSING": Failure(
        code="never-started", message="it was accepted but its execution never started; retry starts it"
    ),
}


def reconcile(execution: Mapping[str, Any]) -> None:
    """Settle an attempt by its closed ``execution``, as EventBridge tells or AWS describes it: the record's true
    status, the quota, deliveries that go on and those that will not arrive any more, what lies about half-made, the
    archive of its history, and word to the owner."""
    told = json.loads(execution["input"])
    task = ExportTask(export_id=told["export_id"], attempt=told["attempt"])
    if "delivery_id" in told:
        settle_delivery(task, execution)
        return
    try:
        record = Records(service().table).get(task.export_id)
    except NotFound:  # deleted; what a step reserved since then is given back
        _release(told)
        archive(task, execution)
        return
    if record.attempt == task.attempt:
        # A file is made, and its way to the last destination takes longer than the hour: docs/adr/0014.
        if record.status == "DELIVERING" and go_on(record, execution):
            record = _ended(record, "SUCCESS")
        else:
            record = _ended(record, "ERROR", _cause(execution))
    else:
        began = StartedTask.model_validate(told).begun_at
        record = _past(record.model_copy(update={"attempt": task.attempt, "retried_at": began}))
    settling.settle(record)
    _note_end(record, execution)
    have_told(task)
    archive(task, execution)
    settling.forget_plan(record)


def _release(told: Mapping[str, Any]) -> None:
    """What the attempt of an execution that was ``told`` this still holds of its owner's quotas."""
    settings = service()
    Quotas(settings.table, settings.limits).release(StartedTask.model_validate(told), pixels=True)


def sweep() -> None:
    """Look after exports of which no event came: stuck ones, whose execution has ended, is gone or never began, and
    those that ended a while ago, for what was left behind since."""
    records, at, failures = Records(service().table), now(), []
    times = {**dict.fromkeys(RUNNING, (EVER, OVERDUE)), **dict.fromkeys(ENDED, (at - LINGERING[1], LINGERING[0]))}
    for status, (since, quiet) in times.items():
        for record in records.with_status(status, since, at - quiet):
            try:
                _look_after(record)
            except Exception as error:  # whatever it is, the others are looked after too
                logger.exception("an export is not looked after", extra={"export_id": record.export_id})
                failures.append(error)
    if failures:
        raise ExceptionGroup("not looked after", failures)


def _look_after(indexed: ExportRecord) -> None:
    """``indexed``: as an index has it, which lags."""
    executions = Executions(service().state_machine)
    try:
        record = Records(service().table).get(indexed.export_id)
    except NotFound:
        return
    if (record.attempt, record.status) != (indexed.attempt, indexed.status):
        return
    execution = executions.describe(executions.arn(record))
    if execution is None:
        settling.settle(_ended(record, "ERROR", _CAUSES["MISSING"]))
        have_told(ExportTask(export_id=record.export_id, attempt=record.attempt))
    elif execution["status"] != "RUNNING":
        reconcile(execution)


def _ended(record: ExportRecord, status: Status, error: Failure | None = None) -> ExportRecord:
    """The record of its attempt, with the ``status`` where it still says that the export runs."""
    if record.ended:
        return record
    records = Records(service().table)
    try:
        return records.move(record, status, error=error)
    except Conflict:  # somebody else ended it at this very moment, and may have begun the next
        known = records.get(record.export_id)
        return known if known.attempt == record.attempt else _past(record)


def _past(record: ExportRecord) -> ExportRecord:
    """The record of an attempt after which there is another: it came to nothing."""
    return record.model_copy(update={"status": "ERROR", "error": None})


def _note_end(record: ExportRecord, execution: Mapping[str, Any]) -> None:
    """Among the export's events, which outlive the execution."""
    status = str(execution["status"])
    error = {} if record.error is None else {"error": record.error.model_dump(exclude_none=True)}
    event = Event(
        at=time_of(execution["stopDate"]),
        what="ended",
        by="reconcile",
        attempt=record.attempt,
        details={"execution": status, "export": record.status, **error},
    )
    Records(service().table).add_event(record.export_id, event, once=f"ended-{record.attempt}")


def _cause(execution: Mapping[str, Any]) -> Failure:
    if execution["status"] == "FAILED":
        return failure_of(execution.get("error") or "", execution.get("cause") or "")
    return _CAUSES[execution["status"]]


def executions_of(event: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The closed executions that an event of EventBridge, alone or in a batch of SQS, tells of; None: it is time to
    sweep."""
    found = []
    for told in [json.loads(each["body"]) for each in event["Records"]] if "Records" in event else [event]:
        if told.get("detail-type") == "Scheduled Event":
            return None
        found.append(told["detail"])
    return found
