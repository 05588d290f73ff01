"""What happened to an export, kept where nobody can change it: AWS forgets an execution 90 days after its end.

audit bucket  {export_id}/{attempt}.json   {execution, events, children: [{execution, events}],
                                              children_started, inputs, tiles}
              {export_id}/{attempt}-{delivery}-{random}.json   {execution, events} of one asked for afterwards
              {export_id}/events.json      who did what, of an export that was deleted
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from cutline.imagery.hrefs import shown
from cutline.models.record import ExportRecord
from cutline.models.task import ExportTask
from cutline.settings import service
from cutline.store.bucket import Bucket
from cutline.store.executions import Executions
from cutline.store.items import stamp
from cutline.store.plans import Plans
from cutline.store.records import Records

Archive = dict[str, Any]
"""As it is written, in AWS's own words; times are ISO 8601 texts"""


def archive(task: ExportTask, execution: Mapping[str, Any]) -> None:
    """Keep the history of an attempt whose ``execution``, as AWS describes it, has ended. Again does nothing."""
    bucket, key = Bucket(service().audit_bucket), _key(task)
    if bucket.head(key) is None:
        tiles = [tile.model_dump(mode="json") for tile in Records(service().table).tiles(task.export_id, task.attempt)]
        bucket.write_json(key, {**history_of(execution), "inputs": inputs_of(task), "tiles": tiles})


def archive_delivery(task: ExportTask, execution: Mapping[str, Any]) -> None:
    """Keep the history of a delivery that was asked for after the export had ended. Again does nothing."""
    bucket, key = Bucket(service().audit_bucket), _key_of(task, execution["name"])
    if bucket.head(key) is None:
        bucket.write_json(key, history_of(execution))


def archived_delivery(task: ExportTask, name: str) -> Archive | None:
    """The history of the execution of that ``name``; None where it was not archived, or not yet."""
    found: Archive | None = Bucket(service().audit_bucket).read_json(_key_of(task, name))
    return found


def archived(task: ExportTask) -> Archive | None:
    """The history of an attempt that was archived; None where it was not, or not yet."""
    found: Archive | None = Bucket(service().audit_bucket).read_json(_key(task))
    return found


def archive_events(record: ExportRecord) -> None:
    """Who did what to the export, all attempts together. Again writes it again, with what was added."""
    settings = service()
    events = [event.model_dump(mode="json") for event in Records(settings.table).events(record.export_id)]
    Bucket(settings.audit_bucket).write_json(f"{record.export_id}/events.json", events)


def history_of(execution: Mapping[str, Any], *, most: int | None = None) -> Archive:
    """What AWS knows of an execution, and of the children that its map started, at ``most`` so many."""
    executions = Executions(service().state_machine)
    events = list(executions.history(execution["executionArn"]))
    known = _described(execution) | {"events": events}
    runs = [each["mapRunStartedEventDetails"]["mapRunArn"] for each in events if each["type"] == "MapRunStarted"]
    children = [child for run in runs for child in executions.children(run)]
    known["children_started"] = len(children)
    known["children"] = [
        _described(child) | {"events": list(executions.history(child["executionArn"]))} for child in children[:most]
    ]
    archive: Archive = json.loads(json.dumps(known, default=_text))
    return archive


def inputs_of(task: ExportTask) -> list[dict[str, Any]]:
    """The files that an attempt reads, and what identified their content (an ETag, else size and time) when it was
    planned; none where there is no plan (any more)."""
    plan = Plans(service().work_bucket).get(task)
    if plan is None:
        return []
    return [
        {"scene": scene.id, "href": shown(asset.href), "identity": asset.identity}
        for scene in plan.scenes
        for asset in scene.assets.values()
    ]


def _described(execution: Mapping[str, Any]) -> Archive:
    """What an event of EventBridge, a description and a list have in common."""
    names = ("executionArn", "name", "status", "startDate", "stopDate", "input", "error", "cause")
    known = {name: execution[name] for name in names if execution.get(name) is not None}
    times = {name: time_of(known[name]) for name in ("startDate", "stopDate") if name in known}
    return {"execution": known | times}


def time_of(date: dt.datetime | int) -> dt.datetime:
    """A start or a stop: EventBridge's are milliseconds since 1970."""
    return date if isinstance(date, dt.datetime) else dt.datetime.fromtimestamp(date / 1000, dt.UTC)


def _key_of(task: ExportTask, name: str) -> str:
    return f"{task.export_id}/{name.removeprefix(f'{task.export_id}-')}.json"


def _key(task: ExportTask) -> str:
    return f"{task.export_id}/{task.attempt}.json"


def _text(value: dt.datetime) -> str:
    """Of a time, which is all that JSON does not know here."""
    return stamp(value)
