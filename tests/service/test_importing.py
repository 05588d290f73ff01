"""Files in the inbox become areas, or are refused in words; S3's events may come twice, late or in the wrong order."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from cutline.models.upload import Reading, UploadRecord
from cutline.service.callers import Caller
from cutline.service.uploads import area_of, begin_upload
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.uploads import Uploads
from functions.import_aoi.handler import handler
from tests.support.exports import keys
from tests.support.inbox import created, deliver, put

HOSTILE = Path(__file__).parents[3] / "shared/data/vectors/hostile"
ANNA = Caller(sub="anna", username="anna")
SQUARE = {"type": "Polygon", "coordinates": [[[13, 50], [13.1, 50], [13.1, 50.1], [13, 50.1], [13, 50]]]}
OTHER = {"type": "Polygon", "coordinates": [[[14, 51], [14.1, 51], [14.1, 51.1], [14, 51.1], [14, 51]]]}


@pytest.fixture
def inbox(aws: ServiceSettings) -> ServiceSettings:
    """The inbox as it is deployed, with versions."""
    return aws


@pytest.fixture(params=["versions", "no versions"])
def either(aws: ServiceSettings, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    """That, and one as somebody may have it who made it by hand."""
    if request.param == "no versions":
        bucket = "cutline-plain-inbox"
        client("s3").create_bucket(Bucket=bucket)
        monkeypatch.setenv("CUTLINE_INBOX_BUCKET", bucket)
        return aws.model_copy(update={"inbox_bucket": bucket})
    return aws


def told(*events: dict[str, Any], tries: int = 1) -> list[str]:
    return deliver(handler, *events, tries=tries)


def ready(now: ServiceSettings) -> list[str]:
    """Uploads to export, as the queue has them; taking them out."""
    answer = client("sqs").receive_message(QueueUrl=now.ready_queue, MaxNumberOfMessages=10)
    return [json.loads(message["Body"])["upload_id"] for message in answer.get("Messages", ())]


def all_of(now: ServiceSettings, owner: str = "anna") -> list[UploadRecord]:
    return Uploads(now.table).of_owner(owner)[0]


def only(now: ServiceSettings) -> UploadRecord:
    (record,) = all_of(now)
    return record


# Uploads ---------------------------------------------------------------------------------------------------------


def test_an_upload_is_read(either: ServiceSettings) -> None:
    record, _ = begin_upload(ANNA, "North field.geojson", Reading(), None)
    assert told(put(record.key, SQUARE)) == []
    read = only(either)
    assert (read.state, read.findings, read.vertices, read.bounds) == ("READY", (), 5, (13.0, 50.0, 13.1, 50.1))
    assert read.aoi_href
    assert area_of(read.aoi_href, "anna")["type"] == "MultiPolygon"
    assert ready(either) == [], "nobody asked for an export"


def test_it_is_read_as_its_owner_says(inbox: ServiceSettings) -> None:
    meters = {"type": "Polygon", "coordinates": [[[4e5, 5.5e6], [4e5, 5.6e6], [5e5, 5.6e6], [4e5, 5.5e6]]]}
    plain, _ = begin_upload(ANNA, "a.geojson", Reading(), None)
    said, _ = begin_upload(ANNA, "a.geojson", Reading(crs="EPSG:32633"), None)
    told(put(plain.key, meters), put(said.key, meters))
    refused, read = (Uploads(inbox.table).get(each.upload_id) for each in (plain, said))
    assert (refused.state, read.state) == ("REJECTED", "READY")
    assert "--" not in refused.findings[-1].message, "the words of the command line mean nothing here"


def test_what_never_comes_is_forgotten(aws: ServiceSettings) -> None:
    came, awaited = (begin_upload(ANNA, "a.geojson", Reading(), None)[0] for _ in range(2))
    told(put(came.key, SQUARE))

    def ends(record: UploadRecord) -> int | None:
        key = {"pk": {"S": f"UPLOAD#{record.upload_id}"}, "sk": {"S": "META"}}
        ttl = client("dynamodb").get_item(TableName=aws.table, Key=key)["Item"].get("ttl")
        return int(ttl["N"]) if ttl else None

    assert ends(came) is None
    assert ends(awaited) == int(awaited.created_at.timestamp()) + 7 * 86_400


def test_the_same_event_again_changes_nothing(either: ServiceSettings) -> None:
    record, _ = begin_upload(ANNA, "a.geojson", Reading(), None)
    event = put(record.key, SQUARE)
    told(event)
    before, areas = only(either), keys(either.inbox_bucket)
    assert told(event, event) == []
    assert (only(either), keys(either.inbox_bucket)) == (before, areas)


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 0, 1, 0)])
def test_what_is_there_now_counts_in_whatever_order_one_hears(either: ServiceSettings, order: tuple[int, ...]) -> None:
    record, _ = begin_upload(ANNA, "a.geojson", Reading(), None)
    events = [put(record.key, SQUARE), put(record.key, OTHER)]
    for number in order:
        assert told(events[number]) == []
    assert only(either).bounds == (14.0, 51.0, 14.1, 51.1)


def test_an_area_that_an_export_names_never_changes(inbox: ServiceSettings) -> None:
    record, _ = begin_upload(ANNA, "a.geojson", Reading(), None)
    told(put(record.key, SQUARE))
    first = only(inbox).aoi_href
    told(put(record.key, OTHER))
    assert first
    assert area_of(first, "anna")["coordinates"][0][0][0][0] == 13
    assert only(inbox).aoi_href != first


def test_two_that_read_at_once(inbox: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that began with the older content comes back last, is refused, and finds nothing to do when it tries
    again."""
    from cutline.errors import Conflict

    record, _ = begin_upload(ANNA, "a.geojson", Reading(), None)
    told(put(record.key, SQUARE))
    uploads = Uploads(inbox.table)
    slow = uploads.get(record.upload_id)
    newer = put(record.key, OTHER)
    told(newer)
    with pytest.raises(Conflict):
        uploads.settle(slow, slow.model_copy(update={"content": "older"}))
    with pytest.raises(Conflict):
        uploads.exported(slow, export_id="of what was there before")
    assert told(newer) == []
    assert only(inbox).bounds == (14.0, 51.0, 14.1, 51.1)


def test_a_file_that_has_gone(either: ServiceSettings) -> None:
    record, _ = begin_upload(ANNA, "a.geojson", Reading(), None)
    event = put(record.key, SQUARE)
    client("s3").delete_object(Bucket=either.inbox_bucket, Key=record.key)
    assert told(event) == []
    assert only(either).state == "WAITING"


@pytest.mark.parametrize(
    "key", ["anna/aois/x.geojson", "anna/uploads/nobody/a.geojson", "a.geojson", "inbox/anna/", "x/"]
)
def test_other_objects_are_no_uploads(inbox: ServiceSettings, key: str) -> None:
    before = keys(inbox.inbox_bucket)
    assert told(put(key, SQUARE)) == []
    assert all_of(inbox) == []
    assert keys(inbox.inbox_bucket) == sorted([*before, key])


def test_another_bucket_is_none_of_ours(inbox: ServiceSettings) -> None:
    record, _ = begin_upload(ANNA, "a.geojson", Reading(), None)
    event = put(record.key, SQUARE)
    event["detail"]["bucket"]["name"] = "scenes"
    assert told(event) == []
    assert only(inbox).state == "WAITING"


def test_s3_may_tell_the_queue_itself(either: ServiceSettings) -> None:
    put(key := "inbox/anna/weekly/Nörd field+1.geojson", SQUARE)
    detail = created(key)["detail"]["object"]
    thing = {"key": quote_plus(key), "eTag": detail["etag"], "versionId": detail.get("version-id")}
    record = {"eventSource": "aws:s3", "s3": {"bucket": {"name": either.inbox_bucket}, "object": thing}}
    assert told({"Records": [record]}, {"Service": "Amazon S3", "Event": "s3:TestEvent"}) == []
    assert only(either).filename == "Nörd field+1.geojson"


# Dropped files ---------------------------------------------------------------------------------------------------


def test_a_dropped_file_waits_for_its_export(either: ServiceSettings) -> None:
    event = put("inbox/anna/weekly/field.geojson", SQUARE)
    told(event)
    record = only(either)
    assert (record.state, record.preset, record.key) == ("READY", "weekly", "inbox/anna/weekly/field.geojson")
    assert set(ready(either)) == {record.upload_id}
    told(event)
    assert set(ready(either)) == {record.upload_id}, "told again, since nobody has exported it yet"
    Uploads(either.table).exported(record, export_id="e1")
    told(event)
    assert ready(either) == []
    assert only(either).export_id == "e1"


def test_dropped_again_with_other_content(either: ServiceSettings) -> None:
    key = "inbox/anna/weekly/field.geojson"
    first = put(key, SQUARE)
    told(first)
    second = put(key, OTHER)
    told(second, first, second)
    assert sorted(record.bounds[0] for record in all_of(either) if record.bounds) == [13, 14]


def test_an_older_version_that_one_hears_of_late(aws: ServiceSettings) -> None:
    """Each version is a file of its own; the deployed inbox keeps them all."""
    key = "inbox/anna/weekly/field.geojson"
    first, second = put(key, SQUARE), put(key, OTHER)
    told(second, first)
    assert sorted(record.bounds[0] for record in all_of(aws) if record.bounds) == [13, 14]
    assert len({record.version for record in all_of(aws)}) == 2


def test_a_bad_dropped_file_is_told_of(inbox: ServiceSettings) -> None:
    told(put("inbox/anna/weekly/field.geojson", b"no area"))
    record = only(inbox)
    assert record.state == "REJECTED"
    assert record.findings[0].severity == "error"
    assert ready(inbox) == []


def test_a_file_in_no_presets_folder(inbox: ServiceSettings) -> None:
    told(put("inbox/anna/field.geojson", SQUARE))
    record = only(inbox)
    assert record.state == "READY"
    assert record.error
    assert "inbox/{owner}/{preset}/" in record.error.message
    assert ready(inbox) == []


# Untrusted files -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="the collection of hostile files is not here")
def test_hostile_files_end_in_words(aws: ServiceSettings) -> None:
    """None brings the function down, none reads what is not its own, and each that is refused is told why."""
    files = sorted(path for path in HOSTILE.iterdir() if path.stat().st_size < 5 << 20)
    assert len(files) > 25
    for path in files:
        event = put(f"inbox/{path.name}/weekly/{path.name}", path.read_bytes()) if path.stat().st_size else None
        assert event is None or told(event) == [], path.name
        for record in all_of(aws, path.name):
            assert record.state in ("READY", "REJECTED"), path.name
            assert record.state == "READY" or record.findings[-1].message, path.name
            assert "/tmp" not in record.model_dump_json(), path.name
    refused = {path.name for path in files for record in all_of(aws, path.name) if record.state == "REJECTED"}
    assert refused >= {"vrt_as.geojson", "gdalg2.geojson", "lol.kml", "nan.geojson", "inf.geojson", "deep.geojson"}


def test_a_file_that_is_too_large_is_not_fetched(inbox: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutline.service.importing.MAX_BYTES", 10)
    record, _ = begin_upload(ANNA, "a.geojson", Reading(), None)
    told(put(record.key, SQUARE))
    assert only(inbox).findings[0].code == "too-large"


def test_more_vertices_than_an_export_takes(inbox: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTLINE_LIMITS", json.dumps({"aoi_vertices": 4}))
    record, _ = begin_upload(ANNA, "a.geojson", Reading(), None)
    told(put(record.key, SQUARE))
    assert only(inbox).state == "REJECTED"
    assert "5 vertices" in only(inbox).findings[-1].message


def test_a_file_that_brought_the_reader_down_twice_is_not_opened_again(inbox: ServiceSettings) -> None:
    record, _ = begin_upload(ANNA, "a.geojson", Reading(), None)
    event = put(record.key, SQUARE)
    assert told(event, tries=3) == []
    assert (only(inbox).state, only(inbox).findings[0].code) == ("REJECTED", "unreadable")


def test_one_bad_message_does_not_bring_the_others_back(inbox: ServiceSettings) -> None:
    record, _ = begin_upload(ANNA, "a.geojson", Reading(), None)
    broken = {"detail": {"bucket": {"name": inbox.inbox_bucket}}}
    assert told(broken, put(record.key, SQUARE)) == ["0"]
    assert only(inbox).state == "READY"


def test_the_reader_is_apart() -> None:
    """Its layer has no rasterio, and it knows neither how to plan nor how to start an export."""
    code = (
        "import sys, functions.import_aoi.handler; from cutline.aoi import ogr; ogr.pyogrio();"
        "print(*sorted(name for name in sys.modules if name in ('rasterio', 'pystac_client', 'cutline.plan', "
        "'cutline.service.submitting', 'cutline.imagery', 'requests')))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
