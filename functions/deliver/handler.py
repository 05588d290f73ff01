"""The states Deliver and CheckRoom, trials of destinations, and removing what deliveries that are given up have left:
all that is done with secrets of users."""

from __future__ import annotations

from typing import Any

from cutline.models.task import AbandonTask, Delivered, DeliveryTask, RoomTask, TrialTask, Tried
from cutline.service.boundary import step
from cutline.service.delivering import abandon, deliver
from cutline.service.trying import check_room, try_destination


@step(DeliveryTask)
def bring(task: DeliveryTask, context: Any) -> Delivered:
    return deliver(task, lambda: context.get_remaining_time_in_millis() / 1000)


@step(RoomTask)
def look_for_room(task: RoomTask, context: Any) -> None:
    check_room(task)


@step(TrialTask)
def try_out(task: TrialTask, context: Any) -> Tried:
    return try_destination(task)


@step(AbandonTask)
def remove(task: AbandonTask, context: Any) -> None:
    abandon(task)


TASKS = {"deliver": bring, "abandon": remove, "room": look_for_room, "trial": try_out}
"""By what an event asks for"""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return TASKS[event["what"]](event, context)
