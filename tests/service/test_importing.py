"""Files in the inbox become areas, or are refused in words; S3's events may come twice, late or in the wrong order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cutline.models.upload import Reading, UploadRecord
from cutline.service.callers import Caller
from cutline.service.uploads import area_of, begin_upload
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.uploads import Uploads
from functions.import_aoi.handler import handler

ANNA = Caller(sub="anna", username="anna")
SQUARE = {"type": "Polygon", "coordinates": [[[13, 50], [13.1, 50], [13.1, 50.1], [13, 50.1], [13, 50]]]}
OTHER = {"type": "Polygon", "coordinates": [[[14, 51], [14.1, 51], [14.1, 51.1], [14, 51.1], [14, 51]]]}


@pytest.fixture
def inbox(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    """The service with the queue that tells of uploads to export."""
    url = client("sqs").create_queue(QueueName="ready")["QueueUrl"]
    monkeypatch.setenv("CUTLINE_READY_QUEUE", url)
    return aws.model_copy(update={"ready_queue": url})


def put(now: ServiceSettings, key: str, content: Any) -> dict[str, Any]:
    """Put a file, and return what S3 would tell of it."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    answer = client("s3").put_object(Bucket=now.inbox_bucket, Key=key, Body=body)
    thing = {"key": key, "size": len(body), "etag": answer["ETag"].strip('"'), "sequencer": "00617F08299329D189"}
    if version := answer.get("VersionId"):
        thing["version-id"] = version
    return {"detail-type": "Object Created", "detail": {"bucket": {"name": now.inbox_bucket}, "object": thing}}


def told(*events: dict[str, Any], tries: int = 1) -> list[str]:
    """Give these events to the function; returns the messages that it wants again."""
    records = [
        {"messageId": str(number), "body": json.dumps(event), "attributes": {"ApproximateReceiveCount": str(tries)}}
        for number, event in enumerate(events)
    ]
    return [each["itemIdentifier"] for each in handler({"Records": records}, None)["batchItemFailures"]]


def ready(now: ServiceSettings) -> list[str]:
    """Uploads to export, as the queue has them; taking them out."""
    answer = client("sqs").receive_message(QueueUrl=now.ready_queue, MaxNumberOfMessages=10)
    return [json.loads(message["Body"])["upload_id"] for message in answer.get("Messages", ())]


def only(now: ServiceSettings, owner: str = "anna") -> UploadRecord:
    (record,), _ = Uploads(now.table).of_owner(owner)
    return record


def test_an_upload_is_read(inbox: ServiceSettings) -> None:
    record, _ = begin_upload(ANNA, "North field.geojson", Reading(), None)
    assert told(put(inbox, record.key, SQUARE)) == []
    read = only(inbox)
    assert (read.state, read.findings, read.vertices, read.bounds) == ("READY", (), 5, (13.0, 50.0, 13.1, 50.1))
    assert read.aoi_href
    assert area_of(read.aoi_href, "anna")["type"] == "MultiPolygon"
    assert ready(inbox) == []
