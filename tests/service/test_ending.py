"""What a person may do to an export: cancel, retry, delete."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from cutline.errors import Conflict, NotFound, RateLimited, TransientError
from cutline.service import ending
from cutline.service.starting import start
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.executions import Executions
from cutline.store.items import typed
from cutline.store.quotas import Quotas
from cutline.store.records import Records
from tests.support.exports import keys, make_cog, make_export, make_state_machine, put, uploads


@pytest.fixture
def machine(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> str:
    return make_state_machine(monkeypatch)


def running(aws: ServiceSettings) -> int:
    return Quotas(aws.table, aws.limits).used("anna")["exports_running"]


def test_a_running_export_is_cancelled(aws: ServiceSettings, machine: str) -> None:
    record = start(make_export())
    assert record.status == "SUBMITTED"
    cancelled = ending.cancel(record, "anna")
    assert cancelled.status == Records(aws.table).get("e1").status == "CANCELLED"
    executions = Executions(machine)
    assert executions.describe(executions.arn(record))["status"] == "ABORTED"
    assert [(event.what, event.by) for event in Records(aws.table).events("e1")] == [("cancelled", "anna")]


def test_where_nothing_runs_cancelling_settles_at_once(aws: ServiceSettings, machine: str) -> None:
    record = make_cog(aws, make_export())
    client("s3").create_multipart_upload(Bucket=aws.exports_bucket, Key="anna/e1/north field.tif")
    put(aws.work_bucket, "exports/e1/1/plan.json", b"{}")
    put(aws.work_bucket, "segments/abc/0.segment", b"shared with other exports")
    ending.cancel(record, "anna")
    assert running(aws) == 0
    assert keys(aws.exports_bucket) == ["anna/e1/request.json"]
    assert uploads(aws.exports_bucket) == []
    assert "segments/abc/0.segment" in keys(aws.work_bucket)
    [delivery] = Records(aws.table).deliveries("e1")
    assert delivery.state == "failed" and delivery.error.code == "cancelled"
    assert Records(aws.table).get("e1").result is None


@pytest.mark.parametrize("status", ["SUCCESS", "ERROR", "CANCELLED"])
def test_what_has_ended_is_not_cancelled(aws: ServiceSettings, machine: str, status: str) -> None:
    record = make_export(status=status)
    with pytest.raises(Conflict, match=status):
        ending.cancel(record, "anna")


@pytest.mark.parametrize("status", ["ERROR", "CANCELLED"])
def test_a_retry_is_the_next_attempt(aws: ServiceSettings, machine: str, status: str) -> None:
    record = start(make_export())
    failed = Records(aws.table).move(record, status)
    again = ending.retry(failed, "anna")
    assert (again.attempt, again.status, again.error) == (2, "SUBMITTED", None)
    assert running(aws) == 1, "the first attempt's place is given back"
    executions = Executions(machine)
    assert executions.arn(again).endswith(":e1-2")
    told = json.loads(executions.describe(executions.arn(again))["input"])
    assert (told["export_id"], told["attempt"], told["owner"]) == ("e1", 2, "anna")
    assert dt.datetime.fromisoformat(told["begun_at"]) == again.begun_at > again.created_at
    [delivery] = Records(aws.table).deliveries("e1")
    assert (delivery.state, delivery.attempt) == ("pending", 2)


@pytest.mark.parametrize("status", ["PENDING", "RENDERING", "SUCCESS"])
def test_what_runs_or_succeeded_is_not_retried(aws: ServiceSettings, machine: str, status: str) -> None:
    with pytest.raises(Conflict, match=status):
        ending.retry(make_export(status=status), "anna")
    assert running(aws) == 1


def test_two_retries_at_once_begin_one_attempt(aws: ServiceSettings, machine: str) -> None:
    failed = make_export(status="ERROR")
    ending.retry(failed, "anna")
    with pytest.raises(Conflict):
        ending.retry(failed, "anna")
    assert (Records(aws.table).get("e1").attempt, running(aws)) == (2, 1)


def test_a_retry_waits_for_room(aws: ServiceSettings, machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTLINE_LIMITS", '{"exports_at_once": 1}')
    failed = make_export(status="ERROR")
    Quotas(aws.table, aws.limits).release(failed, pixels=True)
    make_export("e2")
    with pytest.raises(RateLimited, match="wait for one to end"):
        ending.retry(failed, "anna")
    assert Records(aws.table).get("e1").status == "ERROR", "so that it can be tried again later"
    assert running(aws) == 1


@pytest.mark.parametrize("step", [(Quotas, "reserve_export"), (Records, "add_event"), (Executions, "start")])
def test_a_retry_that_cannot_be_started_ends(
    aws: ServiceSettings, machine: str, monkeypatch: pytest.MonkeyPatch, step: tuple[type, str]
) -> None:
    failed = make_export(status="ERROR")

    def busy(*_: Any, **__: Any) -> None:
        raise ConnectionError("AWS is busy")

    with monkeypatch.context() as patched, pytest.raises(TransientError, match="retry it in a minute"):
        patched.setattr(*step, busy)
        ending.retry(failed, "anna")
    known = Records(aws.table).get("e1")
    assert (known.attempt, known.status, running(aws)) == (2, "ERROR", 0)
    assert ending.retry(known, "anna").status == "SUBMITTED"


def test_of_a_retry_and_a_deletion_at_once_one_is_done(aws: ServiceSettings, machine: str) -> None:
    failed, other = make_export(status="ERROR"), make_export("e2", status="ERROR")
    assert ending.retry(failed, "anna").status == "SUBMITTED"
    with pytest.raises(Conflict, match="attempt 2"):
        ending.delete(failed, "anna")
    assert Records(aws.table).get("e1").status == "SUBMITTED"
    begun = Records(aws.table).begin_deleting(other)  # and the rest of the deletion failed, say
    with pytest.raises(Conflict, match="being deleted"):
        ending.retry(begun, "anna")
    ending.delete(other, "anna")
    with pytest.raises(NotFound):
        Records(aws.table).get("e2")
    assert running(aws) == 1


def test_finished_deliveries_are_kept_with_a_finished_cog(aws: ServiceSettings, machine: str) -> None:
    records = Records(aws.table)
    record = make_cog(aws, make_export(status="DELIVERING"))
    [delivery] = records.deliveries("e1")
    records.put_delivery("e1", delivery.model_copy(update={"state": "done"}))
    again = ending.retry(records.move(record, "ERROR"), "anna")
    assert again.result == record.result
    assert [each.state for each in records.deliveries("e1")] == ["done"]


def test_deleting_leaves_nothing_but_the_archive(aws: ServiceSettings, machine: str) -> None:
    records = Records(aws.table)
    record = make_cog(aws, make_export(status="SUCCESS", idempotency=("IDEM#anna#1", "IDEM#anna#2")))
    for number, export_id in (("1", "e1"), ("2", "e9")):
        claim = {"pk": f"IDEM#anna#{number}", "sk": "META", "export_id": export_id}
        client("dynamodb").put_item(TableName=aws.table, Item=typed(claim))
    put(aws.work_bucket, "exports/e1/1/plan.json", b"{}")
    ending.delete(record, "anna")
    with pytest.raises(NotFound):
        records.get("e1")
    kept = [item["pk"]["S"] for item in client("dynamodb").scan(TableName=aws.table)["Items"]]
    assert sorted(kept) == ["IDEM#anna#2", "QUOTA#anna"], "and what leads to another export by now"
    assert (running(aws), keys(aws.exports_bucket), keys(aws.work_bucket)) == (0, [], [])
    assert keys(aws.audit_bucket) == ["e1/events.json"]


def test_a_running_export_is_not_deleted(aws: ServiceSettings, machine: str) -> None:
    record = make_export(status="RENDERING")
    with pytest.raises(Conflict, match="cancel it first"):
        ending.delete(record, "anna")
    assert Records(aws.table).get("e1") == record
