"""Deliveries of finished exports: how many are under way, who carries each, what becomes of one that takes hours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cutline.errors import BadCredentials, RateLimited, TransientError
from cutline.models.api import DestinationDelivery
from cutline.models.destination import DestinationRecord, SftpSettings
from cutline.models.record import DeliveryRecord, ExportRecord, Failure, now
from cutline.service import deliveries
from cutline.service.deliveries import deliver_again
from cutline.service.ending import retry
from cutline.service.reconciling import reconcile
from cutline.settings import ServiceSettings, service
from cutline.store.clients import client
from cutline.store.deliveries import Deliveries
from cutline.store.destinations import Destinations
from cutline.store.executions import Executions
from cutline.store.quotas import Quotas
from cutline.store.records import Records
from functions.deliver.handler import handler
from tests.support.destinations import Place
from tests.support.exports import COG, make_cog, make_export, make_state_machine
from tests.support.receiver import waiting
from tests.support.steps import Context

HOME = "0123456789ab" * 2
MISSED = {"done": True, "delivered": False, "wait": 0}


@pytest.fixture
def export(aws: ServiceSettings, place: Place, monkeypatch: pytest.MonkeyPatch) -> ExportRecord:
    """DELIVERING, its link done, to an owner with one destination."""
    make_state_machine(monkeypatch)
    settings = SftpSettings(host="files.example.org", username="anna", host_key="ssh-ed25519 AAAA", prefix="maps")
    Destinations(aws.table).create(
        DestinationRecord(
            destination_id=HOME, owner="anna", name="home", settings=settings, external_id="x", created_at=now()
        )
    )
    record = make_cog(aws, make_export(status="DELIVERING"))
    etag = client("s3").head_object(Bucket=aws.exports_bucket, Key="anna/e1/north field.tif")["ETag"]
    link = DeliveryRecord(delivery_id="link-1", kind="link", state="done", attempt=1)
    Records(aws.table).put_delivery("e1", link)
    place.piece = 4
    return Records(aws.table).change(record, result=record.result.model_copy(update={"etag": etag}))


@pytest.fixture
def finished(aws: ServiceSettings, export: ExportRecord) -> ExportRecord:
    return Records(aws.table).move(export, "SUCCESS")


def wanted(prefix: str | None = None) -> DestinationDelivery:
    return DestinationDelivery(kind="destination", destination_id=HOME, prefix=prefix)


def of(delivery_id: str) -> DeliveryRecord:
    return Deliveries(service().table, "e1").get(delivery_id)


def carry(delivery: DeliveryRecord, *milliseconds: int, execution: str | None = None) -> dict[str, Any]:
    """As the execution does that carries it, or another."""
    task = {"what": "deliver", "export_id": "e1", "attempt": 1, "cog_href": "s3://b/k.tif"}
    carrier = execution or delivery.execution or "e1-1"
    return handler({**task, "delivery_id": delivery.delivery_id, "execution": carrier}, Context(*milliseconds))


def ended(name: str, status: str = "TIMED_OUT", **told: Any) -> dict[str, Any]:
    """An execution, as EventBridge tells of its end."""
    task = {"export_id": "e1", "attempt": 1, "owner": "anna", **told}
    arn = f"arn:aws:states:us-east-1:123456789012:execution:cutline-test:{name}"
    return {
        "executionArn": arn, "name": name, "status": status, "input": json.dumps(task), "startDate": 0, "stopDate": 1,
    }  # fmt: skip


def test_of_two_executions_one_carries_it(
    finished: ExportRecord, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second request comes between the first's write and the start of its execution."""
    start, names = Executions.start_delivery, []

    def start_late(executions: Executions, record: ExportRecord, delivery: DeliveryRecord) -> None:
        names.append(str(delivery.execution))
        if len(names) == 1:
            deliver_again(record, wanted(), "anna")
        start(executions, record, delivery)

    monkeypatch.setattr(Executions, "start_delivery", start_late)
    begun = deliver_again(finished, wanted(), "anna")
    first, second = names
    assert carry(begun, execution=first) == MISSED
    assert (of(begun.delivery_id).state, place.files) == ("pending", {})
    assert carry(begun, execution=second) == {"done": True, "delivered": True, "wait": 0}


def test_what_fails_once_more_has_no_receipt_of_before(finished: ExportRecord, place: Place) -> None:
    begun = deliver_again(finished, wanted(), "anna")
    carry(begun)
    assert of(begun.delivery_id).uri
    begun = deliver_again(finished, wanted(), "anna")
    place.failing = [BadCredentials("the token was revoked")]
    assert carry(begun) == MISSED
    found = of(begun.delivery_id)
    assert (found.state, found.uri, found.nbytes, found.checksum) == ("failed", None, None, None)


def test_so_many_are_under_way_and_no_more(
    finished: ExportRecord, aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUTLINE_LIMITS", '{"deliveries_at_once": 2}')
    first, _ = deliver_again(finished, wanted("a"), "anna"), deliver_again(finished, wanted("b"), "anna")
    with pytest.raises(RateLimited, match="2 deliveries are under way already"):
        deliver_again(finished, wanted("c"), "anna")
    carry(first)
    reconcile(ended(str(first.execution), "SUCCEEDED", delivery_id=first.delivery_id))
    third = deliver_again(finished, wanted("c"), "anna")
    executions = Executions(service().state_machine)
    client("stepfunctions").stop_execution(executionArn=executions.arn_of(str(third.execution)))
    deliver_again(finished, wanted("d"), "anna")  # nobody told of the third's end
    assert len(Quotas(aws.table, aws.limits).deliveries("anna")) == 2


def test_what_does_not_begin_does_not_count(
    finished: ExportRecord, aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: Any) -> None:
        raise ConnectionError("AWS is busy")

    monkeypatch.setattr(Executions, "start_delivery", busy)
    with pytest.raises(TransientError, match="send the request again"):
        deliver_again(finished, wanted(), "anna")
    assert Quotas(aws.table, aws.limits).deliveries("anna") == []


def on_its_way(aws: ServiceSettings, **more: Any) -> DeliveryRecord:
    """Of the export's own attempt, not begun."""
    given = {"kind": "sftp", "destination_id": HOME, "prefix": "maps", "state": "pending", "attempt": 1, **more}
    Records(aws.table).put_delivery("e1", DeliveryRecord(delivery_id="d1", **given))
    return of("d1")


def test_what_gets_on_goes_on_for_hours(export: ExportRecord, aws: ServiceSettings, place: Place) -> None:
    carry(on_its_way(aws), 5000, 0)
    for _ in range(2):
        reconcile(ended("e1-1"))
    assert Records(aws.table).get("e1").status == "SUCCESS"
    second = of("d1").execution
    assert second is not None and Executions(service().state_machine).runs(second)
    assert carry(of("d1"), execution="e1-1") == MISSED, "its Lambda may outlive the hour"
    carry(of("d1"), 5000, 0)
    reconcile(ended(second, delivery_id="d1"))
    third = of("d1")
    assert (third.state, third.cursor, third.handed_over) == ("pending", {"done": 8}, 2)
    assert third.execution not in (None, second)
    assert carry(third) == {"done": True, "delivered": True, "wait": 0}
    reconcile(ended(str(third.execution), "SUCCEEDED", delivery_id="d1"))
    assert (of("d1").state, place.files["maps/north field.tif"], place.abandoned) == ("done", COG, [])
    assert Quotas(aws.table, aws.limits).deliveries("anna") == []


def told() -> list[dict[str, Any]]:
    """What the notify function is to tell of deliveries."""
    return [{name: each[name] for name in each if name != "delay"} for each in waiting() if each["kind"] == "delivery"]


@pytest.mark.parametrize(("failing", "state"), [([], "done"), ([BadCredentials("the token was revoked")], "failed")])
def test_its_owner_is_to_hear_of_its_end(finished: ExportRecord, place: Place, failing: Any, state: str) -> None:
    begun, place.failing = deliver_again(finished, wanted(), "anna"), failing
    carry(begun)
    reconcile(ended(str(begun.execution), "SUCCEEDED", delivery_id=begun.delivery_id))
    assert of(begun.delivery_id).state == state
    notice = {"kind": "delivery", "export_id": "e1", "delivery_id": begun.delivery_id, "execution": begun.execution}
    assert told() == [notice]


def test_its_owner_is_to_hear_of_one_that_came_to_no_end(finished: ExportRecord, place: Place) -> None:
    begun = deliver_again(finished, wanted(), "anna")
    reconcile(ended(str(begun.execution), delivery_id=begun.delivery_id))
    assert [each["execution"] for each in told()] == [begun.execution]


def test_nobody_is_to_hear_of_one_that_goes_on_or_is_anothers_or_gone(
    finished: ExportRecord, aws: ServiceSettings
) -> None:
    begun = deliver_again(finished, wanted(), "anna")
    end = ended(str(begun.execution), delivery_id=begun.delivery_id)
    carry(begun, 5000, 0)
    reconcile(end)
    following = of(begun.delivery_id)
    assert following.execution not in (None, begun.execution)
    carry(following)
    reconcile(end)
    assert told() == [], "the second arrived; the end of the first is told again"
    Records(aws.table).delete("e1")
    reconcile(ended(str(following.execution), "SUCCEEDED", delivery_id=begun.delivery_id))
    assert told() == []


@pytest.mark.parametrize(
    ("status", "more"),
    [("TIMED_OUT", {}), ("TIMED_OUT", {"moved": True, "handed_over": deliveries.MOST_HANDED_OVER}),
     ("ABORTED", {"moved": True})],
)  # fmt: skip
def test_what_does_not_get_on_has_failed(
    export: ExportRecord, aws: ServiceSettings, status: str, more: dict[str, Any]
) -> None:
    on_its_way(aws, **more)
    reconcile(ended("e1-1", status))
    record = Records(aws.table).get("e1")
    assert (record.status, of("d1").state, of("d1").error) == ("ERROR", "failed", record.error)


def test_where_another_has_failed_the_export_has_too(export: ExportRecord, aws: ServiceSettings) -> None:
    carry(on_its_way(aws), 5000, 0)
    refused = Failure(code="bad-credentials", message="no")
    Records(aws.table).put_delivery("e1", of("link-1").model_copy(update={"state": "failed", "error": refused}))
    reconcile(ended("e1-1"))
    record = Records(aws.table).get("e1")
    assert (record.status, of("d1").state) == ("ERROR", "pending")
    before = str(of("d1").execution)
    retry(record, "anna")
    assert (of("d1").attempt, of("d1").execution, of("d1").cursor) == (2, None, {"done": 4})
    assert carry(of("d1"), execution=before) == MISSED, "it is the next attempt's now"


def test_it_begins_in_spite_of_an_error_at_the_first_try(
    export: ExportRecord, aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that cannot be settled comes again."""
    carry(on_its_way(aws), 5000, 0)

    def busy(*_: Any) -> None:
        raise ConnectionError("AWS is busy")

    with monkeypatch.context() as patched, pytest.raises(ConnectionError):
        patched.setattr(Executions, "start_delivery", busy)
        reconcile(ended("e1-1"))
    reconcile(ended("e1-1"))
    assert Executions(service().state_machine).runs(str(of("d1").execution))
    assert Records(aws.table).get("e1").status == "SUCCESS"
