"""The attempt that a step works for, as long as it is wanted."""

from __future__ import annotations

from cutline.errors import Conflict
from cutline.models.record import ExportRecord
from cutline.models.task import ExportTask
from cutline.store.records import Records


def wanted(records: Records, task: ExportTask) -> ExportRecord | None:
    """The record, or None where the attempt has ended (somebody cancelled it, say) or another has begun. Raises
    NotFound."""
    record = records.get(task.export_id)
    return None if record.ended or record.attempt != task.attempt else record


def needed(records: Records, task: ExportTask) -> ExportRecord:
    """The record. Raises Conflict where the attempt is no longer wanted."""
    record = wanted(records, task)
    if record is None:
        raise Conflict(f"attempt {task.attempt} of export {task.export_id} has ended; nothing more is done for it")
    return record
