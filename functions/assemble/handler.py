"""The state Assemble: finished tiles become one COG and its STAC item."""

from __future__ import annotations

from typing import Any

from cutline.models.task import Assembled, AssembleTask
from cutline.service.assembling import assemble_export
from cutline.service.boundary import step


@step(AssembleTask)
def handler(task: AssembleTask, context: Any) -> Assembled:
    return assemble_export(task)
