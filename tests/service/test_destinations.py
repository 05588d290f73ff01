"""Room for an export, the end of deliveries that were asked for afterwards, what functions of ours tell each other."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from cutline.errors import BadCredentials, CutlineError, InternalError, QuotaExceeded, TransientError
from cutline.models.destination import DestinationRecord, DropboxSettings
from cutline.models.record import DeliveryRecord, Failure, now
from cutline.models.task import TrialTask
from cutline.service import settling
from cutline.service.reconciling import reconcile
from cutline.service.trying import try_destination
from cutline.settings import ServiceSettings
from cutline.store import clients, lambdas
from cutline.store.deliveries import Deliveries
from cutline.store.destinations import Destinations
from cutline.store.records import Records
from functions.deliver.handler import handler
from tests.support.destinations import Place
from tests.support.exports import keys, make_cog, make_export, make_state_machine
from tests.support.steps import Context

HOME = "0123456789ab" * 2
ROOM = {"what": "room", "export_id": "e1", "attempt": 1}
LEAST, MOST = 1000, 5000


@pytest.fixture
def planned(aws: ServiceSettings, place: Place) -> ServiceSettings:
    """An export of 1,000 to 5,000 bytes on its way to a destination."""
    make_destination(aws)
    record = make_export(status="PENDING", bytes_min=LEAST, bytes_max=MOST, warnings=("the area was repaired",))
    records = Records(aws.table)
    records.put_delivery(record.export_id, to_home("d1"))
    return aws


def make_destination(aws: ServiceSettings) -> DestinationRecord:
    record = DestinationRecord(
        destination_id=HOME, owner="anna", name="home", settings=DropboxSettings(), external_id="x", created_at=now()
    )
    Destinations(aws.table).create(record)
    return record


def to_home(delivery_id: str, **more: Any) -> DeliveryRecord:
    given = {"kind": "dropbox", "destination_id": HOME, "state": "pending", "attempt": 1}
    return DeliveryRecord(delivery_id=delivery_id, **{**given, **more})


def warnings(aws: ServiceSettings) -> tuple[str, ...]:
    return Records(aws.table).get("e1").warnings


@pytest.mark.parametrize("free", [None, MOST, 1 << 50])
def test_where_there_is_room_nothing_is_said(planned: ServiceSettings, place: Place, free: int | None) -> None:
    place.free = free
    assert handler(ROOM, Context()) == {}
    assert warnings(planned) == ("the area was repaired",)


def test_where_there_may_be_too_little_it_is_said_once(planned: ServiceSettings, place: Place) -> None:
    place.free = MOST - 1
    for _ in range(2):
        handler(ROOM, Context())
    assert warnings(planned) == (
        "the area was repaired",
        "destination home has room for 4,999 bytes; the export takes between 1,000 and 5,000, and may not fit",
    )


def test_where_there_is_too_little_it_is_refused(planned: ServiceSettings, place: Place) -> None:
    place.free = LEAST - 1
    with pytest.raises(CutlineError) as refused:
        handler(ROOM, Context())
    assert type(refused.value).__name__ == "DeliveryRejected", "the name that Catch matches"
    told = json.loads(str(refused.value))
    assert told["code"] == QuotaExceeded.code
    assert "room for 999 bytes" in told["message"] and "at least 1,000" in told["message"]


def test_two_copies_take_twice_the_room(planned: ServiceSettings, place: Place) -> None:
    Records(planned.table).put_delivery("e1", to_home("d2", prefix="copy"))
    place.free = 2 * LEAST - 1
    with pytest.raises(CutlineError, match="at least 2,000"):
        handler(ROOM, Context())
    Records(planned.table).put_delivery("e1", to_home("d2", prefix="copy", state="done"))
    handler(ROOM, Context())


def test_a_destination_that_lets_us_in_no_more_is_told_of_before(planned: ServiceSettings, place: Place) -> None:
    place.failing = [BadCredentials("the token was revoked; authorise us again")]
    with pytest.raises(CutlineError, match="destination home: the token was revoked"):
        handler(ROOM, Context())
    Destinations(planned.table).delete(Destinations(planned.table).get("anna", HOME))
    with pytest.raises(CutlineError, match="is gone"):
        handler(ROOM, Context())


def test_a_destination_that_is_silent_now_stops_nothing(planned: ServiceSettings, place: Place) -> None:
    place.failing = [TransientError("no answer")]
    assert handler(ROOM, Context()) == {}
    assert warnings(planned) == ("the area was repaired",)


def test_what_was_tried_holds_for_one_version(aws: ServiceSettings, place: Place) -> None:
    """A trial of what a destination was before a change says nothing of what it is after it."""
    destinations, record = Destinations(aws.table), make_destination(aws)

    def changed_meanwhile() -> None:
        destinations.change(destinations.get("anna", HOME).model_copy(update={"name": "other"}))

    place.verify = changed_meanwhile  # type: ignore[method-assign]
    task = TrialTask(what="trial", owner=record.owner, destination_id=HOME)
    assert try_destination(task).problem is None
    assert destinations.get("anna", HOME).verified_at is None


# What was asked for afterwards ----------------------------------------------------------------------------------


@pytest.fixture
def afterwards(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> Deliveries:
    """A delivery d1 of an export that has ended, by an execution of its own."""
    make_state_machine(monkeypatch)
    record = make_cog(aws, make_export(status="DELIVERING"))
    Records(aws.table).move(record, "SUCCESS")
    Records(aws.table).put_delivery("e1", to_home("d1", state="running", execution="e1-1-d1-abc"))
    return Deliveries(aws.table, "e1")


def ended(name: str) -> dict[str, Any]:
    task = {"export_id": "e1", "attempt": 1, "owner": "anna", "delivery_id": "d1", "cog_href": "s3://b/k"}
    arn = f"arn:aws:states:us-east-1:123456789012:execution:cutline-test:{name}"
    return {"executionArn": arn, "name": name, "status": "TIMED_OUT", "input": json.dumps(task), "stopDate": 1}


def test_its_end_settles_it_and_keeps_its_history(aws: ServiceSettings, afterwards: Deliveries) -> None:
    for _ in range(2):
        reconcile(ended("e1-1-d1-abc"))
    found = afterwards.get("d1")
    assert found.state == "failed" and found.error is not None and "ask for it once more" in found.error.message
    assert Records(aws.table).get("e1").status == "SUCCESS"
    assert keys(aws.audit_bucket) == ["e1/1-d1-abc.json"]


def test_the_end_of_an_earlier_one_leaves_it_alone(afterwards: Deliveries) -> None:
    reconcile(ended("e1-1-d1-000"))
    assert afterwards.get("d1").state == "running"


def test_the_late_end_of_the_export_leaves_it_alone(aws: ServiceSettings, afterwards: Deliveries) -> None:
    settling.settle(Records(aws.table).get("e1"))
    assert afterwards.get("d1").state == "running"


def test_why_it_failed_before_is_not_forgotten(afterwards: Deliveries) -> None:
    why = Failure(code="transient-error", message="busy")
    afterwards.save(afterwards.get("d1"), error=why)
    reconcile(ended("e1-1-d1-abc"))
    assert afterwards.get("d1").error == why


# Functions of ours ----------------------------------------------------------------------------------------------


def answering(monkeypatch: pytest.MonkeyPatch, payload: Any, **more: Any) -> None:
    answer = {"Payload": io.BytesIO(json.dumps(payload).encode()), **more}
    monkeypatch.setattr(lambdas, "client", lambda _: SimpleNamespace(invoke=lambda **_: answer))


def test_a_function_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, {"problem": None})
    assert lambdas.ask("deliver", {}) == {"problem": None}


def test_a_function_begins_and_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(lambdas, "client", lambda _: SimpleNamespace(invoke=lambda **given: asked.append(given)))
    lambdas.start("deliver", {"what": "abandon"})
    assert asked == [{"FunctionName": "deliver", "InvocationType": "Event", "Payload": '{"what": "abandon"}'}]


def test_nobody_waits_for_ever(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(**_: Any) -> Any:
        raise ReadTimeoutError(endpoint_url="https://lambda.example.org")

    assert clients.client("lambda").meta.config.read_timeout < 29, "which is all that a request has"
    monkeypatch.setattr(lambdas, "client", lambda _: SimpleNamespace(invoke=silent))
    with pytest.raises(TransientError, match="look again in a minute"):
        lambdas.ask("deliver", {})


@pytest.mark.parametrize(
    ("payload", "error", "said"),
    [
        ({"errorType": "DeliveryRejected", "errorMessage": '{"code": "quota-exceeded", "message": "no room"}'},
         QuotaExceeded, "no room"),
        ({"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 25.00 seconds"}, TransientError,
         "did not answer in time"),
        ({"errorMessage": "2026-11-21T10:00:00Z 1 Task timed out after 25.00 seconds"}, TransientError, "in time"),
        ({"errorType": "KeyError", "errorMessage": "'x'"}, InternalError, "KeyError"),
    ],
)  # fmt: skip
def test_what_a_function_raises_is_raised_here(
    monkeypatch: pytest.MonkeyPatch, payload: Any, error: type[CutlineError], said: str
) -> None:
    answering(monkeypatch, payload, FunctionError="Unhandled")
    with pytest.raises(error, match=said):
        lambdas.ask("deliver", {})
