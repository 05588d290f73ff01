"""Word to the notify function, which alone may mail and sign for webhooks. Apart from what that does with it: others
need nothing of templates."""

from __future__ import annotations

from cutline.models.notification import DeliveryNotice, EndNotice
from cutline.models.task import ExportTask
from cutline.settings import service
from cutline.store.inbox import Queue


def have_told(task: ExportTask) -> None:
    """Have its owner told of the end of an attempt; what was told is not told again."""
    Queue(service().notify_queue).send(EndNotice(export_id=task.export_id, attempt=task.attempt).model_dump())


def have_told_of_delivery(export_id: str, delivery_id: str, execution: str) -> None:
    """Have the owner of an export told what became of a delivery, now that the ``execution`` of its own has ended; what
    was told is not told again."""
    notice = DeliveryNotice(export_id=export_id, delivery_id=delivery_id, execution=execution)
    Queue(service().notify_queue).send(notice.model_dump())
