"""The execution of an attempt is started, by a new export and by a retry alike."""

from __future__ import annotations

from cutline.errors import Conflict
from cutline.models.record import ExportRecord
from cutline.settings import service
from cutline.store.executions import Executions
from cutline.store.records import Records


def start(record: ExportRecord) -> ExportRecord:
    """Start the record's attempt, which is PENDING and whose place among the running exports is reserved.

    Should this die half-way, the sweep (reconciling) finds the export and ends it.
    """
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
