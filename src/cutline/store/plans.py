"""The plans of exports, one an attempt, beside the list of tasks that the state machine hands out."""

from __future__ import annotations

from collections.abc import Sequence

from cutline.errors import NotFound
from cutline.models.plan import ExportPlan
from cutline.models.task import ExportTask, ObjectPlace
from cutline.store.bucket import Bucket

MAX_ITEMS = 800
"""Of the list: enough for a thousand workers at work, and as many as the local interpreter can take"""


class Plans:
    """In the work bucket, which removes them after a week."""

    def __init__(self, bucket: str) -> None:
        self._bucket = Bucket(bucket)

    def href(self, task: ExportTask) -> str:
        return f"s3://{self._bucket.name}/{_folder(task)}plan.json"

    def tasks(self, task: ExportTask) -> ObjectPlace:
        return ObjectPlace(bucket=self._bucket.name, key=f"{_folder(task)}tasks.json")

    def get(self, task: ExportTask) -> ExportPlan | None:
        """None where this attempt has no plan yet."""
        content = self._bucket.read(f"{_folder(task)}plan.json")
        return None if content is None else ExportPlan.model_validate_json(content)

    def read(self, task: ExportTask) -> ExportPlan:
        """Raises NotFound."""
        plan = self.get(task)
        if plan is None:
            raise NotFound(f"export {task.export_id} has no plan for attempt {task.attempt} (any more); retry it")
        return plan

    def keep(self, task: ExportTask, plan: ExportPlan) -> ExportPlan:
        """The plan of the attempt from now on: ``plan``, or one that another run kept first."""
        first = self._bucket.write(f"{_folder(task)}plan.json", plan.model_dump_json().encode(), replace=False)
        return plan if first else self.read(task)

    def keep_tasks(self, task: ExportTask, tiles: int) -> None:
        """The list for so many tiles."""
        items = [{"tiles": list(group)} for group in groups(tiles)]
        self._bucket.write_json(self.tasks(task).key, items)


def groups(tiles: int) -> Sequence[range]:
    """Indices of tiles, in lists as short as the list of lists allows; neighbours go together."""
    size = -(-tiles // MAX_ITEMS)
    return [range(start, min(start + size, tiles)) for start in range(0, tiles, size)]


def _folder(task: ExportTask) -> str:
    return f"exports/{task.export_id}/{task.attempt}/"
