"""The state Deliver: a finished COG goes on its way to one target."""

from __future__ import annotations

from typing import Any

from cutline.models.task import Delivered, DeliveryTask
from cutline.service.boundary import step
from cutline.service.delivering import deliver


@step(DeliveryTask)
def handler(task: DeliveryTask, context: Any) -> Delivered:
    return deliver(task)
