"""What happened to an export, kept where nobody can change it: AWS forgets an execution 90 days after its end."""

from __future__ import annotations

from cutline.models.record import ExportRecord
from cutline.settings import service
from cutline.store.bucket import Bucket
from cutline.store.records import Records


def archive_events(record: ExportRecord) -> None:
    """Who did what to the export, all attempts together. Again writes it again, with what was added."""
    settings = service()
    events = [event.model_dump(mode="json") for event in Records(settings.table).events(record.export_id)]
    Bucket(settings.audit_bucket).write_json(f"{record.export_id}/events.json", events)
