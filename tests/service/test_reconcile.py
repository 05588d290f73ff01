"""What is done at the end of an execution, and for those of which no event came."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from cutline.models.record import ExportRecord
from cutline.service import ending, reconciling
from cutline.service.starting import start
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.items import stamp
from cutline.store.quotas import Quotas
from cutline.store.records import Records
from functions.reconcile.handler import handler
from tests.support.exports import keys, make_cog, make_export, make_state_machine, put, uploads

PIXELS = 1000


@pytest.fixture(autouse=True)
def machine(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> str:
    return make_state_machine(monkeypatch)


def detail(record: ExportRecord, status: str, **more: Any) -> dict[str, Any]:
    from cutline.settings import service
    from cutline.store.executions import Executions

    return {
        "executionArn": Executions(service().state_machine).arn(record),
        "stateMachineArn": service().state_machine,
        "name": record.execution_name,
        "status": status,
        "startDate": 1795242000000,
        "stopDate": 1795242060000,
        "input": json.dumps(
            {
                "export_id": record.export_id,
                "attempt": record.attempt,
                "owner": record.owner,
                "begun_at": record.begun_at.isoformat(),
            }
        ),
        "output": None,
        "error": None,
        "cause": None,
        **more,
    }


def tell(*details: dict[str, Any]) -> None:
    """As EventBridge and SQS do."""
    kind = "Step Functions Execution Status Change"
    bodies = [json.dumps({"source": "aws.states", "detail-type": kind, "detail": each}) for each in details]
    handler({"Records": [{"messageId": str(n), "body": body} for n, body in enumerate(bodies)]}, None)


def rendering(aws: ServiceSettings, export_id: str = "e1") -> ExportRecord:
    """Half-way, with an upload under way."""
    record = start(make_export(export_id))
    Quotas(aws.table, aws.limits).reserve_pixels(record, PIXELS)
    client("s3").create_multipart_upload(Bucket=aws.exports_bucket, Key=f"anna/{export_id}/north field.tif")
    put(aws.work_bucket, f"exports/{export_id}/1/tasks.json", b"[]")
    return Records(aws.table).move(record, "RENDERING")


def used(aws: ServiceSettings) -> tuple[int, int]:
    now = Quotas(aws.table, aws.limits).used("anna")
    return now["exports_running"], now["pixels_this_month"]


@pytest.mark.parametrize(
    ("status", "more", "code", "words"),
    [
        ("TIMED_OUT", {}, "timed-out", "within the hour"),
        ("ABORTED", {"error": "x", "cause": "y"}, "aborted", "stopped, by an operator or with the service"),
        ("FAILED", {"error": "States.Runtime", "cause": "JsonPath"}, "internal-error", "States.Runtime"),
        ("FAILED", {}, "internal-error", "retry goes on"),
        ("SUCCEEDED", {}, "internal-error", "ended without a result"),
    ],
)
def test_an_export_whose_execution_died_is_an_error_with_a_cause(
    aws: ServiceSettings, status: str, more: dict[str, Any], code: str, words: str
) -> None:
    record = rendering(aws)
    tell(detail(record, status, **more))
    known = Records(aws.table).get("e1")
    assert (known.status, known.error.code) == ("ERROR", code)
    assert words in known.error.message
    assert used(aws) == (0, 0)
    assert uploads(aws.exports_bucket) == []
    [delivery] = Records(aws.table).deliveries("e1")
    assert (delivery.state, delivery.error) == ("failed", known.error)


def test_success_keeps_its_pixels_its_cog_and_its_plan(aws: ServiceSettings) -> None:
    record = rendering(aws)
    Records(aws.table).move(make_cog(aws, record), "SUCCESS")
    tell(detail(record, "SUCCEEDED"))
    assert Records(aws.table).get("e1").status == "SUCCESS"
    assert used(aws) == (0, PIXELS)
    assert "anna/e1/north field.tif" in keys(aws.exports_bucket)
    assert keys(aws.work_bucket) == ["exports/e1/1/tasks.json"]


def test_what_its_own_catch_said_stays(aws: ServiceSettings) -> None:
    record = rendering(aws)
    error = {"code": "source-unavailable", "message": "tile 3: scene a"}
    Records(aws.table).move(record, "ERROR", error=error)
    tell(detail(record, "FAILED", error="ExportFailed", cause="its record says why"))
    assert Records(aws.table).get("e1").error.model_dump(exclude_none=True) == error
    assert used(aws) == (0, 0)


def test_a_cancelled_export_is_cleaned(aws: ServiceSettings) -> None:
    record = rendering(aws)
    ending.cancel(record, "anna")
    assert used(aws) == (1, PIXELS), "its execution is still being stopped"
    tell(detail(record, "ABORTED"))
    assert Records(aws.table).get("e1").status == "CANCELLED"
    assert used(aws) == (0, 0)
    assert keys(aws.exports_bucket) == ["anna/e1/request.json"]
    assert (uploads(aws.exports_bucket), keys(aws.work_bucket)) == ([], [])


def test_events_come_twice_and_in_any_order(aws: ServiceSettings) -> None:
    record = rendering(aws)
    events = [detail(record, "TIMED_OUT")] * 2 + [detail(record, "FAILED", error="other")]
    tell(*events)
    tell(*reversed(events))
    assert Records(aws.table).get("e1").error.code == "timed-out"
    assert used(aws) == (0, 0)
    [event] = Records(aws.table).events("e1")
    assert (event.what, event.by, event.details["export"]) == ("ended", "reconcile", "ERROR")
    versions = client("s3").list_objects_v2(Bucket=aws.audit_bucket)
    assert [each["Key"] for each in versions["Contents"]] == ["e1/1.json"]


def test_the_end_of_an_attempt_does_not_touch_the_next(aws: ServiceSettings) -> None:
    first = rendering(aws)
    second = ending.retry(Records(aws.table).move(first, "CANCELLED"), "anna")
    Quotas(aws.table, aws.limits).reserve_pixels(second, PIXELS)
    put(aws.work_bucket, "exports/e1/2/tasks.json", b"[]")
    tell(detail(first, "ABORTED"))
    known = Records(aws.table).get("e1")
    assert (known.attempt, known.status, known.error) == (2, "SUBMITTED", None)
    assert used(aws) == (1, PIXELS)
    assert uploads(aws.exports_bucket), "it may be the second's"
    assert "exports/e1/2/tasks.json" in keys(aws.work_bucket)
    assert [each.state for each in Records(aws.table).deliveries("e1")] == ["pending"]
    assert keys(aws.audit_bucket) == ["e1/1.json"]


def test_a_deleted_export_stays_deleted(aws: ServiceSettings) -> None:
    record = rendering(aws)
    ending.delete(Records(aws.table).move(record, "ERROR"), "anna")
    tell(detail(record, "FAILED"))
    assert keys(aws.exports_bucket) == []
    assert sorted(keys(aws.audit_bucket)) == ["e1/1.json", "e1/events.json"]


def test_what_was_reserved_for_a_deleted_export_is_given_back(aws: ServiceSettings) -> None:
    record = rendering(aws)
    ending.delete(Records(aws.table).move(record, "CANCELLED"), "anna")
    quotas = Quotas(aws.table, aws.limits)
    quotas.reserve_export(record)
    quotas.reserve_pixels(record, PIXELS)  # by a step that was slower
    tell(detail(record, "ABORTED"))
    assert used(aws) == (0, 0)


def test_an_archive_that_fails_keeps_nothing_from_being_settled(
    aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = rendering(aws)
    ending.cancel(record, "anna")

    def busy(*_: Any) -> None:
        raise ConnectionError("AWS is busy")

    with monkeypatch.context() as patched, pytest.raises(ExceptionGroup):
        patched.setattr(reconciling, "archive", busy)
        tell(detail(record, "ABORTED"))
    assert (used(aws), uploads(aws.exports_bucket)) == ((0, 0), [])
    assert keys(aws.work_bucket), "the plan tells the archive which files were read"
    tell(detail(record, "ABORTED"))
    assert (keys(aws.audit_bucket), keys(aws.work_bucket)) == (["e1/1.json"], [])


def test_one_bad_event_does_not_keep_the_others(aws: ServiceSettings) -> None:
    record = rendering(aws)
    with pytest.raises(ExceptionGroup):
        tell({**detail(record, "FAILED"), "input": "{}"}, detail(record, "TIMED_OUT"))
    assert Records(aws.table).get("e1").error.code == "timed-out"


def sweep() -> None:
    """As EventBridge's schedule asks for it."""
    handler({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}, None)


def age(aws: ServiceSettings, record: ExportRecord, minutes: float) -> None:
    """Its record changed last so long ago."""
    at = stamp(dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes))
    client("dynamodb").update_item(
        TableName=aws.table,
        Key={"pk": {"S": f"EXPORT#{record.export_id}"}, "sk": {"S": "META"}},
        UpdateExpression="SET gsi2sk = :at, updated_at = :at",
        ExpressionAttributeValues={":at": {"S": at}},
    )


def test_what_was_never_started_is_found(aws: ServiceSettings) -> None:
    age(aws, make_export("e1"), 11)
    age(aws, make_export("e2"), 5)
    sweep()
    records = Records(aws.table)
    assert (records.get("e1").status, records.get("e1").error.code) == ("ERROR", "never-started")
    assert records.get("e2").status == "PENDING", "it may just be starting"
    assert used(aws) == (1, 0)


def test_what_still_runs_is_left_alone(aws: ServiceSettings) -> None:
    age(aws, rendering(aws), 50)
    sweep()
    assert Records(aws.table).get("e1").status == "RENDERING"
    assert used(aws) == (1, PIXELS)


def test_an_event_that_was_lost_is_made_up_for(aws: ServiceSettings, machine: str) -> None:
    record = rendering(aws)
    arn = detail(record, "")["executionArn"]
    client("stepfunctions").stop_execution(executionArn=arn)
    age(aws, record, 11)
    sweep()
    assert (Records(aws.table).get("e1").status, used(aws)) == ("ERROR", (0, 0))


def test_what_a_late_lambda_left_behind_is_removed(aws: ServiceSettings) -> None:
    record = rendering(aws)
    ending.cancel(record, "anna")
    tell(detail(record, "ABORTED"))
    client("s3").create_multipart_upload(Bucket=aws.exports_bucket, Key="anna/e1/north field.tif")
    put(aws.exports_bucket, "anna/e1/north field.tif", b"finished after all")
    age(aws, record, 20)
    sweep()
    assert (uploads(aws.exports_bucket), keys(aws.exports_bucket)) == ([], ["anna/e1/request.json"])


def test_the_sweep_goes_on_behind_what_it_cannot_settle(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    age(aws, make_export("e1"), 20)
    age(aws, make_export("e2"), 15)
    broken = {"S": "not an attempt"}
    client("dynamodb").update_item(
        TableName=aws.table,
        Key={"pk": {"S": "EXPORT#e1"}, "sk": {"S": "DELIVERY#link-1"}},
        UpdateExpression="SET attempt = :broken",
        ExpressionAttributeValues={":broken": broken},
    )
    with pytest.raises(ExceptionGroup):
        sweep()
    assert [Records(aws.table).get(name).status for name in ("e1", "e2")] == ["ERROR", "ERROR"]
    assert used(aws) == (0, 0)


def test_an_end_that_is_told_while_the_next_attempt_begins(
    aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading the record and changing it, somebody else ends it and a person tries again."""
    first, get = rendering(aws), Records.get
    raced: list[bool] = []

    def get_and_race(records: Records, export_id: str) -> ExportRecord:
        found = get(records, export_id)
        if not raced:
            raced.append(True)
            ending.retry(records.move(first, "ERROR"), "anna")
        return found

    monkeypatch.setattr(Records, "get", get_and_race)
    tell(detail(first, "FAILED"))
    known = Records(aws.table).get("e1")
    assert (known.attempt, known.status) == (2, "SUBMITTED")
    assert used(aws) == (1, 0)
