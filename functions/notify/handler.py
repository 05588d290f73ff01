"""The states NotifySuccess and NotifyError: the end of an export is told. And the notify queue: webhooks that are due,
ends that no execution could tell, and deliveries that end later."""

from __future__ import annotations

from typing import Any

from cutline.models.task import ExportTask
from cutline.service.batches import each_message
from cutline.service.boundary import logger, step
from cutline.service.notifying import notify, take


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if "Records" not in event:
        return _end(event, context)
    logger.append_keys(function="notify", request=getattr(context, "aws_request_id", None))
    return each_message(event, take)


@step(ExportTask)
def _end(task: ExportTask, context: Any) -> None:
    notify(task)
