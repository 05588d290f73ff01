"""Word to the notify function, which alone may mail and sign for webhooks. Apart from what that does with it: others
need nothing of templates."""

from __future__ import annotations

from cutline.models.notification import EndNotice
from cutline.models.task import ExportTask
from cutline.settings import service
from cutline.store.inbox import Queue


def have_told(task: ExportTask) -> None:
    """Have its owner told of the end of an attempt; what was told is not told again."""
    Queue(service().notify_queue).send(EndNotice(export_id=task.export_id, attempt=task.attempt).model_dump())
