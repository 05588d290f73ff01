"""Exports over HTTP: asked for, watched, listed, ended, downloaded."""

from __future__ import annotations

import base64
import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cutline.models.api import ExportBody
from cutline.models.record import ExportRecord, Failure, TileRecord, now
from cutline.service import views
from cutline.service.callers import Caller
from cutline.service.settling import release
from cutline.service.submitting import submit
from cutline.settings import ServiceSettings, service
from cutline.store.clients import client
from cutline.store.records import Records
from tests.support.api import ANNA, BEN, BODY, SQUARE, Call
from tests.support.exports import keys, make_cog, make_export


def submitted(api: Call, body: Any = BODY, **how: Any) -> str:
    answer = api("POST", "/exports", body=body, **how)
    assert answer.status == 202, answer
    return str(answer.json["export_id"])


def executions(aws: ServiceSettings) -> list[str]:
    from cutline.settings import service

    found = client("stepfunctions").list_executions(stateMachineArn=service().state_machine)["executions"]
    return sorted(each["name"] for each in found)


def exports_running(api: Call, who: str = ANNA) -> int:
    return int(api("GET", "/me", who=who).json["used"]["exports_running"])


def test_an_export_is_asked_for_and_watched(api: Call, aws: ServiceSettings) -> None:
    made = api("POST", "/exports", body=BODY | {"name": "north field", "notify": {"email": True}, "max_cost": 2})
    export_id = made.json["export_id"]
    assert (made.status, made.json["status"], made.json["percent"], made.json["name"]) == (
        202, "SUBMITTED", 0, "north field"
    )  # fmt: skip
    assert made.headers["location"] == made.json["links"]["self"] == f"https://api.example.org/exports/{export_id}"
    assert api("GET", f"/exports/{export_id}").json == made.json
    assert [each["export_id"] for each in api("GET", "/exports").json["exports"]] == [export_id]
    record = Records(aws.table).get(export_id)
    assert (record.owner, record.notify, record.max_cost) == (ANNA, True, 2.0)
    assert [event.what for event in Records(aws.table).events(export_id)] == ["submitted"]
    assert exports_running(api) == 1


def test_the_execution_gets_ids_and_the_request_is_kept(api: Call, aws: ServiceSettings) -> None:
    export_id = submitted(api)
    assert executions(aws) == [f"{export_id}-1"]
    arn = f"arn:aws:states:us-east-1:123456789012:execution:cutline-test:{export_id}-1"
    given = client("stepfunctions").describe_execution(executionArn=arn)["input"]
    at = api("GET", f"/exports/{export_id}").json["created_at"]
    assert json.loads(given) == {"export_id": export_id, "attempt": 1, "owner": ANNA, "begun_at": at}
    kept = client("s3").get_object(Bucket=aws.exports_bucket, Key=f"{ANNA}/{export_id}/request.json")["Body"].read()
    assert ExportBody.model_validate_json(kept) == ExportBody.model_validate(BODY)


# The same request ------------------------------------------------------------------------------------------------


def test_the_same_request_is_the_same_export(api: Call, aws: ServiceSettings) -> None:
    first = submitted(api)
    shuffled = json.dumps({"aoi": SQUARE, "source": {"stretch": None, **BODY["source"]}, "mosaic": None}, indent=3)
    assert submitted(api, shuffled) == first
    assert submitted(api, BODY | {"mosaic": "newest"}) != first
    assert submitted(api, who=BEN) != first
    assert len(executions(aws)) == 3


@pytest.mark.parametrize("end", ["ERROR", "CANCELLED", "deleted", "a day later"])
def test_what_came_to_nothing_begins_anew(api: Call, aws: ServiceSettings, end: str) -> None:
    first = submitted(api)
    records = Records(aws.table)
    if end == "a day later":
        key = records.get(first).idempotency[0]
        client("dynamodb").update_item(
            TableName=aws.table, Key={"pk": {"S": key}, "sk": {"S": "META"}}, UpdateExpression="SET #ttl = :past",
            ExpressionAttributeNames={"#ttl": "ttl"}, ExpressionAttributeValues={":past": {"N": "1"}},
        )  # fmt: skip
    else:
        records.move(records.get(first), "SUCCESS" if end == "deleted" else end)
        if end == "deleted":
            assert api("DELETE", f"/exports/{first}").status == 204
    second = submitted(api)
    assert second != first
    assert submitted(api) == second


def test_a_key_says_which_requests_are_the_same(api: Call) -> None:
    first = submitted(api, headers={"Idempotency-Key": "one"})
    assert submitted(api, headers={"idempotency-key": "one"}) == first
    assert submitted(api, headers={"Idempotency-Key": "two"}) != first
    assert submitted(api) != first
    other = api("POST", "/exports", body=BODY | {"mosaic": "newest"}, headers={"Idempotency-Key": "one"})
    assert (other.status, other.json["code"]) == (409, "conflict")
    assert submitted(api, headers={"Idempotency-Key": "one"}, who=BEN) != first
    api("POST", f"/exports/{first}/cancel")
    other = api("POST", "/exports", body=BODY | {"mosaic": "newest"}, headers={"Idempotency-Key": "one"})
    assert (other.status, other.json["code"]) == (409, "conflict"), "also when that came to nothing"


@pytest.mark.usefixtures("whole_calls")
def test_the_same_request_at_the_same_moment_is_one_export(api: Call, aws: ServiceSettings) -> None:
    body, anna = ExportBody.model_validate(BODY), Caller(ANNA)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: submit(body, anna).export_id, range(8)))
    assert len(set(made)) == 1
    assert executions(aws) == [f"{made[0]}-1"]
    assert exports_running(api) == 1
    assert keys(aws.exports_bucket) == [f"{ANNA}/{made[0]}/request.json"]


# Limits, and what fails ------------------------------------------------------------------------------------------


def test_too_many_at_once_leave_nothing(api: Call, aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTLINE_LIMITS", '{"exports_at_once": 1}')
    first = submitted(api)
    before = client("dynamodb").scan(TableName=aws.table)["Count"], keys(aws.exports_bucket)
    refused = api("POST", "/exports", body=BODY | {"mosaic": "newest"})
    assert (refused.status, refused.json["code"]) == (429, "rate-limited")
    assert "retry-after" not in refused.headers  # waiting some seconds does not help
    assert (client("dynamodb").scan(TableName=aws.table)["Count"], keys(aws.exports_bucket)) == before
    assert executions(aws) == [f"{first}-1"]
    assert submitted(api) == first
    assert api("POST", f"/exports/{first}/cancel").status == 200
    release(Records(aws.table).get(first))  # as reconcile does when the execution has ended
    assert submitted(api, BODY | {"mosaic": "newest"}) != first


def test_what_cannot_be_started_is_over(api: Call, aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("CUTLINE_STATE_MACHINE", "arn:aws:states:us-east-1:123456789012:stateMachine:none")
        refused = api("POST", "/exports", body=BODY)
    assert (refused.status, refused.json["code"], refused.headers["retry-after"]) == (503, "transient-error", "5")
    (failed,) = api("GET", "/exports").json["exports"]
    assert (failed["status"], failed["error"]["code"], exports_running(api)) == ("ERROR", "transient-error", 0)
    assert submitted(api) != failed["export_id"]


def test_an_area_has_so_many_vertices(api: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTLINE_LIMITS", '{"aoi_vertices": 4}')
    refused = api("POST", "/exports", body=BODY)
    assert (refused.status, refused.json["code"], refused.json["pointer"]) == (413, "too-large", "/aoi")
    assert "5 vertices, more than the 4" in refused.json["detail"]


def test_what_is_wrong_with_an_area_is_told_with_its_place(api: Call) -> None:
    bow = {"type": "Polygon", "coordinates": [[[13, 50], [14, 51], [14, 50], [13, 51], [13, 50]]]}
    refused = api("POST", "/exports", body=BODY | {"aoi": bow})
    assert (refused.status, refused.json["code"], refused.json["pointer"]) == (422, "invalid-geometry", "/aoi")
    (finding,) = refused.json["findings"]
    assert (finding["code"], finding["location"]) == ("self-intersection", [13.5, 50.5])
    assert "--" not in refused.json["detail"]
    repaired = api("POST", "/exports", body=BODY | {"aoi": bow, "repair": True})
    assert (repaired.status, len(repaired.json["warnings"])) == (202, 1)


# Seeing ----------------------------------------------------------------------------------------------------------


def test_lists_have_pages_and_a_filter(api: Call, aws: ServiceSettings) -> None:
    records = Records(aws.table)
    for number in range(5):
        record = make_export(f"{number:024}", owner=ANNA)
        if number % 2:
            records.move(record, "ERROR")
    seen, cursor = [], None
    while True:
        page = api("GET", "/exports", query={"limit": "2", **({"cursor": cursor} if cursor else {})}).json
        seen += [each["export_id"] for each in page["exports"]]
        if not (cursor := page["cursor"]):
            break
    assert sorted(seen) == [f"{number:024}" for number in range(5)]
    failed = api("GET", "/exports", query={"status": "ERROR"}).json["exports"]
    assert {each["status"] for each in failed} == {"ERROR"} and len(failed) == 2
    for wrong in ({"status": "DONE"}, {"limit": "0"}, {"limit": "101"}, {"limit": "many"}):
        (name,) = wrong
        answer = api("GET", "/exports", query=wrong)
        assert (answer.status, answer.json["parameter"]) == (422, name)


@pytest.mark.parametrize("path", ["/exports", "/uploads"])
def test_cursors_that_are_none_are_refused(api: Call, path: str) -> None:
    places = (["", ""], [], [1, 2], ["a", " "], ["a" * 300, "b"], ["\ud800", "b"], {"a": {}}, None, "text")
    made = [base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=") for place in places]
    for cursor in ("x", "é", "x" * 2000, "....", *made):
        answer = api("GET", path, query={"cursor": cursor})
        assert (answer.status, answer.json["code"]) == (422, "invalid-request"), cursor


def put_tiles(record: ExportRecord, *tiles: dict[str, Any]) -> None:
    for col, more in enumerate(tiles):
        tile = {"row": 0, "col": col, "attempt": record.attempt, "state": "done", "key": "k", "at": now(), **more}
        Records(service().table).put_tile(record.export_id, TileRecord.model_validate(tile))


def test_progress_is_counted(api: Call, aws: ServiceSettings) -> None:
    records = Records(aws.table)
    record = records.move(make_export("a" * 24, owner=ANNA, tiles=8, pixels=1000), "RENDERING")
    path = f"/exports/{record.export_id}"
    assert (api("GET", path).json["percent"], api("GET", path).json["eta_seconds"]) == (0, None)
    put_tiles(record, {}, {"state": "empty"}, {"state": "empty"}, {"state": "failed"})
    seen = api("GET", path).json
    assert (seen["percent"], seen["tiles"]) == (37.5, {"planned": 8, "done": 3, "failed": 0})
    records.move(record, "SUCCESS")
    assert api("GET", path).json["percent"] == 100
    assert api("GET", path).json["tiles"] == {"planned": 8, "done": 8, "failed": 0}


def test_the_time_left_goes_by_pixels_since_rendering_began(
    api: Call, aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, at = Records(aws.table), now()
    monkeypatch.setattr(views, "now", lambda: at)
    record = make_export("a" * 24, owner=ANNA, tiles=4, tile_pixels=1000, rendering_at=at - dt.timedelta(seconds=30))
    record = records.move(record, "RENDERING")  # which is the record's last change, and not when it began

    def eta() -> Any:
        return api("GET", f"/exports/{record.export_id}").json["eta_seconds"]

    put_tiles(record, {"pixels": 400, "reused": True})
    assert eta() is None, "what was there before says nothing of the rate"
    put_tiles(record, {"pixels": 400, "reused": True}, {"pixels": 100})
    assert eta() == 150  # 100 pixels in 30 s; 500 are left
    put_tiles(record, {}, {}, {"pixels": 400}, {"state": "failed", "pixels": 100})
    assert eta() == 6  # 500 in 30 s; the failed 100 are left
    records.move(record, "DELIVERING")
    assert eta() is None


def test_another_attempt_begins_to_render_anew(aws: ServiceSettings) -> None:
    records = Records(aws.table)
    record = records.move(make_export(rendering_at=now()), "ERROR")
    assert records.begin_again(record).rendering_at is None


def test_a_failure_is_told(api: Call, aws: ServiceSettings) -> None:
    why = Failure(code="source-unavailable", message="scene 3: the server answered 503")
    record = make_export("a" * 24, owner=ANNA, tiles=2)
    Records(aws.table).move(record, "ERROR", error=why)
    seen = api("GET", f"/exports/{record.export_id}").json
    assert seen["error"] == why.model_dump()
    assert {"retry", "audit", "logs", "tiles", "self"} == seen["links"].keys()


# Ending, and after -----------------------------------------------------------------------------------------------


def test_cancelled_and_tried_again(api: Call, aws: ServiceSettings) -> None:
    export_id = submitted(api)
    assert api("POST", f"/exports/{export_id}/retry").status == 409
    cancelled = api("POST", f"/exports/{export_id}/cancel")
    assert (cancelled.status, cancelled.json["status"]) == (200, "CANCELLED")
    again = api("POST", f"/exports/{export_id}/cancel")
    assert (again.status, again.json["code"]) == (409, "conflict")
    retried = api("POST", f"/exports/{export_id}/retry")
    assert (retried.status, retried.json["attempt"], retried.json["status"]) == (202, 2, "SUBMITTED")
    assert retried.headers["location"].endswith(f"/exports/{export_id}")
    assert executions(aws) == [f"{export_id}-1", f"{export_id}-2"]
    audit = api("GET", f"/exports/{export_id}/audit").json
    assert [event["what"] for event in audit["events"] if event["by"] == ANNA] == ["submitted", "cancelled", "retried"]


@pytest.mark.parametrize(("asset", "suffix"), [("cog", ".tif"), ("item", ".json")])
def test_downloads_lead_to_a_link_of_minutes(api: Call, aws: ServiceSettings, asset: str, suffix: str) -> None:
    record = make_cog(aws, make_export("a" * 24, owner=ANNA))
    Records(aws.table).move(record, "SUCCESS")
    path = f"/exports/{record.export_id}/download"
    answer = api("GET", path, query={"asset": asset})
    where = answer.headers["location"]
    assert (answer.status, answer.text) == (307, "")
    assert f"/{ANNA}/{record.export_id}/" in where and suffix in where and "X-Amz-Expires=900" in where
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert [event.details for event in Records(aws.table).events(record.export_id)] == [{"asset": asset}]
    links = api("GET", f"/exports/{record.export_id}").json["links"]
    assert links["download"].endswith(path) and links["item"].endswith(f"{path}?asset=item")
    assert api("GET", path, query={"asset": "other"}).json["parameter"] == "asset"


def test_nothing_to_download_yet(api: Call) -> None:
    assert api("GET", f"/exports/{submitted(api)}/download").status == 404


def test_deleted_is_gone(api: Call, aws: ServiceSettings) -> None:
    record = make_cog(aws, make_export("a" * 24, owner=ANNA))
    path = f"/exports/{record.export_id}"
    assert api("DELETE", path).status == 409  # it runs
    Records(aws.table).move(record, "SUCCESS")
    answer = api("DELETE", path)
    assert (answer.status, answer.text) == (204, "")
    assert api("GET", path).status == 404
    assert keys(aws.exports_bucket) == []
