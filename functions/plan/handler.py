"""The state Plan: an attempt gets its immutable plan and the list of its tasks."""

from __future__ import annotations

from typing import Any

from cutline.models.task import ExportTask, Planned
from cutline.service.boundary import step
from cutline.service.planning import plan_export


@step(ExportTask)
def handler(task: ExportTask, context: Any) -> Planned:
    return plan_export(task)
