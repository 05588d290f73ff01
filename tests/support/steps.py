"""An export taken through its steps by hand, as the state machine does it."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cutline.models.api import ExportBody
from cutline.models.record import ExportRecord, now
from cutline.models.task import Assembled, AssembleTask, ExportTask, Planned, Progressed, TileTask
from cutline.settings import service
from cutline.store.bucket import Bucket
from cutline.store.clients import client
from cutline.store.records import Records
from functions.assemble.handler import handler as assemble
from functions.plan.handler import handler as plan
from functions.render_tile.handler import handler as render_tile
from tests.support.aws import SCENES
from tests.support.exports import store

OWNER = "owner-1"


def put_scene(path: Path, folder: str | None = None) -> str:
    """A file in the bucket of scenes; its address, which never comes again unless a ``folder`` is given."""
    key = f"{folder or uuid.uuid4().hex}/{path.name}"
    client("s3").put_object(Bucket=SCENES, Key=key, Body=path.read_bytes())
    return f"s3://{SCENES}/{key}"


class Context:
    """A Lambda's, with so many ``milliseconds`` left at each time it is asked; the last answer stays."""

    aws_request_id = "request-1"

    def __init__(self, *milliseconds: int) -> None:
        self._left = list(milliseconds) or [60_000]

    def get_remaining_time_in_millis(self) -> int:
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]


@dataclass
class Submitted:
    """An export as POST /exports leaves it, except that no execution runs."""

    export_id: str
    attempt: int = 1

    @property
    def record(self) -> ExportRecord:
        return Records(service().table).get(self.export_id)

    @property
    def cog_key(self) -> str:
        """In the exports bucket"""
        record = self.record
        return f"{record.owner}/{record.export_id}/{record.name}.tif"

    @property
    def task(self) -> ExportTask:
        return ExportTask(export_id=self.export_id, attempt=self.attempt)

    def plan(self) -> Planned:
        return Planned.model_validate(plan(self.task.model_dump(), Context()))

    def tasks(self, planned: Planned) -> list[dict[str, list[int]]]:
        tasks: list[dict[str, list[int]]] = Bucket(planned.tasks.bucket).read_json(planned.tasks.key)
        return tasks

    def render(self, planned: Planned, *tiles: int, context: Context | None = None) -> Progressed:
        task = TileTask(**self.task.model_dump(), plan_href=planned.plan_href, tiles=tiles)
        return Progressed.model_validate(render_tile(json.loads(task.model_dump_json()), context or Context()))

    def assemble(self, planned: Planned) -> Assembled:
        task = AssembleTask(**self.task.model_dump(), plan_href=planned.plan_href)
        return Assembled.model_validate(assemble(task.model_dump(), Context()))

    def all(self) -> Assembled:
        """Every step."""
        planned = self.plan()
        for item in self.tasks(planned):
            assert self.render(planned, *item["tiles"]).done
        return self.assemble(planned)


def submitted(body: dict[str, Any], export_id: str | None = None, **record: Any) -> Submitted:
    """Store a request and its record, whose fields may be given. Ids never come again: workers keep plans by them."""
    export_id = export_id or f"exp-{uuid.uuid4().hex[:12]}"
    checked = ExportBody.model_validate(body)
    key = f"{record.get('owner', OWNER)}/{export_id}/request.json"
    bucket = service().exports_bucket
    Bucket(bucket).write(key, checked.model_dump_json().encode())
    fields: dict[str, Any] = {
        "export_id": export_id, "attempt": 1, "owner": OWNER, "name": "out", "status": "RENDERING", "created_at": now(),
        "updated_at": now(), "request_href": f"s3://{bucket}/{key}", "max_cost": checked.max_cost,
    }  # fmt: skip
    store(ExportRecord.model_validate(fields | record))
    return Submitted(export_id)


def content_of(href: str) -> bytes:
    """Of an s3:// address."""
    bucket, _, key = href.removeprefix("s3://").partition("/")
    content = Bucket(bucket).read(key)
    assert content is not None, href
    return content
