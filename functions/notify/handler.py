"""The states NotifySuccess and NotifyError: the owner is told by mail."""

from __future__ import annotations

from typing import Any

from cutline.models.task import ExportTask
from cutline.service.boundary import step
from cutline.service.notifying import notify


@step(ExportTask)
def handler(task: ExportTask, context: Any) -> None:
    notify(task)
