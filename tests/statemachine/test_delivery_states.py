"""The states that deliver: each target by itself, again and again, before and after the end of an export."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cutline.models.destination import DestinationRecord, SftpSettings
from cutline.models.record import DeliveryRecord, now
from cutline.models.task import DeliveryTask
from cutline.service import delivering, targets
from cutline.service.reconciling import reconcile
from cutline.store.clients import client
from cutline.store.deliveries import Deliveries
from cutline.store.destinations import Destinations
from cutline.store.records import Records
from tests.support.destinations import Place
from tests.support.exports import COG, make_cog
from tests.support.interpreter import Died, Interpreter
from tests.support.machine import called, cause, failing, record


def test_a_delivery_that_fails_keeps_the_cog(machine: Interpreter) -> None:
    machine.lambdas["deliver"] = lambda _: {"done": True, "delivered": False, "wait": 0}
    assert machine.run()["error"] == "ExportFailed"
    known = record(machine)
    assert known.status == "ERROR" and known.error is not None and known.error.code == "delivery-rejected"
    assert known.result is not None


def test_a_target_that_asks_for_time_gets_it(machine: Interpreter) -> None:
    deliver, asked = machine.lambdas["deliver"], iter((1, 0))

    def busy(task: dict[str, Any]) -> Any:
        wait = next(asked, None)
        return deliver(task) if wait is None else {"done": False, "delivered": False, "wait": wait}

    machine.lambdas["deliver"] = busy
    ended = machine.run()
    assert ended["status"] == "SUCCEEDED"
    assert len(called(machine, "deliver")) == 3
    waited = [event for event in machine.history(ended["executionArn"]) if event["type"] == "WaitStateEntered"]
    assert [event["stateEnteredEventDetails"]["name"] for event in waited] == ["WaitForTarget"]


def test_a_delivery_that_dies_fails_alone(machine: Interpreter) -> None:
    plan = machine.lambdas["plan"]
    machine.lambdas["plan"] = lambda task: {**plan(task), "deliveries": ["link-1", "link-2"]}
    deliver = machine.lambdas["deliver"]

    def one_dies(task: dict[str, Any]) -> Any:
        if task["delivery_id"] == "link-2":
            raise Died("Runtime.ExitError", "signal: killed")
        return deliver(task)

    machine.lambdas["deliver"] = one_dies
    assert machine.run()["error"] == "ExportFailed"
    assert [each.state for each in Records(machine.settings.table).deliveries("e1")] == ["done"]
    assert [each["delivery_id"] for each in called(machine, "deliver")].count("link-2") == 7


def test_a_delivery_goes_on_until_it_is_done(machine: Interpreter) -> None:
    def a_part(_: dict[str, Any]) -> Any:
        done = len(called(machine, "deliver")) == 4
        return {"done": done, "delivered": done, "wait": 0}

    machine.lambdas["deliver"] = a_part
    assert machine.run()["status"] == "SUCCEEDED"
    assert len(called(machine, "deliver")) == 4


def to_destinations(machine: Interpreter, room: Any) -> None:
    """Its plan says that there are such, and ``room`` is what the function deliver does about that."""
    plan, deliver = machine.lambdas["plan"], machine.lambdas["deliver"]
    machine.lambdas["plan"] = lambda task: {**plan(task), "destinations": True}
    machine.lambdas["deliver"] = lambda task: room(task) if task["what"] == "room" else deliver(task)


def test_room_is_looked_at_before_anything_is_rendered(machine: Interpreter) -> None:
    to_destinations(machine, lambda _: {})
    assert machine.run()["status"] == "SUCCEEDED"
    names = [name for name, _ in machine.calls]
    assert names.index("deliver") < names.index("render_tile")
    assert called(machine, "deliver")[0] == {"what": "room", "export_id": "e1", "attempt": 1}


def test_where_there_is_no_room_nothing_is_rendered(machine: Interpreter) -> None:
    to_destinations(machine, failing(1, Died("DeliveryRejected", cause("quota-exceeded", "20 MB are missing")), {}))
    assert machine.run()["error"] == "ExportFailed"
    known = record(machine)
    assert known.status == "ERROR" and known.error is not None
    assert (known.error.code, known.error.message) == ("quota-exceeded", "20 MB are missing")
    assert called(machine, "render_tile") == []


@pytest.mark.parametrize("died", ["Sandbox.Timedout", "TransientError", "InternalError"])
def test_room_that_is_not_known_stops_nothing(machine: Interpreter, died: str) -> None:
    to_destinations(machine, failing(99, Died(died, "no word"), {}))
    assert machine.run()["status"] == "SUCCEEDED"
    assert record(machine).status == "SUCCESS"


def test_what_has_succeeded_is_delivered_once_more(machine: Interpreter) -> None:
    made = make_cog(machine.settings, record(machine))
    Records(machine.settings.table).move(made, "SUCCESS")
    assert made.result is not None
    task = {"export_id": "e1", "attempt": 1, "delivery_id": "link-1", "cog_href": made.result.cog_href}
    names = ["e1-1-link-1-0", "e1-1-link-1-1"]
    for name in names:
        if name == names[-1]:
            machine.lambdas["deliver"] = lambda _: {"done": True, "delivered": False, "wait": 0}
        started = client("stepfunctions").start_execution(
            stateMachineArn=machine.arn, name=name, input=json.dumps(task)
        )
        assert machine.wait(started["executionArn"])["status"] == "SUCCEEDED"
        assert record(machine).status == "SUCCESS"
    assert {name for name, _ in machine.calls} == {"deliver"}, "no plan, no tile, no mail"
    assert called(machine, "deliver") == [{"what": "deliver", **task, "execution": name} for name in names]


def test_a_delivery_survives_five_timeouts_and_the_end_of_the_hour(
    machine: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each invocation brings one piece and is killed; with the fourth, the execution's hour ends."""
    settings, place = machine.settings, Place(piece=4)
    monkeypatch.setitem(targets.TARGETS, "sftp", place.target)
    home = SftpSettings(host="files.example.org", username="anna", host_key="ssh-ed25519 AAAA")
    Destinations(settings.table).create(
        DestinationRecord(
            destination_id="home", owner="anna", name="home", settings=home, external_id="x", created_at=now()
        )
    )
    far = DeliveryRecord(delivery_id="far", kind="sftp", destination_id="home", prefix="", state="pending", attempt=1)
    Records(settings.table).put_delivery("e1", far)
    plan, assemble, deliver = (machine.lambdas[name] for name in ("plan", "assemble", "deliver"))
    killed: list[str] = []

    def with_its_etag(task: dict[str, Any]) -> Any:
        made = assemble(task)
        result, key = record(machine).result, made["cog_href"].partition(settings.exports_bucket)[2].strip("/")
        etag = client("s3").head_object(Bucket=settings.exports_bucket, Key=key)["ETag"]
        assert result is not None
        Records(settings.table).change(record(machine), result=result.model_copy(update={"etag": etag}))
        return made

    def killed_on_the_way(task: dict[str, Any]) -> Any:
        if task["delivery_id"] != "far" or len(killed) == 5:
            return deliver(task)
        left = iter([900.0, 0.0])
        delivering.deliver(DeliveryTask.model_validate(task), lambda: next(left))
        killed.append(task["execution"])
        if len(killed) == 4:
            client("stepfunctions").stop_execution(executionArn=arn)
        raise Died("Sandbox.Timedout", "Task timed out after 900.00 seconds")

    machine.lambdas |= {
        "plan": lambda task: {**plan(task), "deliveries": ["link-1", "far"]},
        "assemble": with_its_etag,
        "deliver": killed_on_the_way,
    }
    arn = machine.arn.replace(":stateMachine:", ":execution:") + ":e1-1"
    machine.start()
    ended = {**machine.wait(arn), "status": "TIMED_OUT"}
    for _ in range(2):  # events come twice
        reconcile(ended)
    assert record(machine).status == "SUCCESS", "its file is made, and can be downloaded"
    following = Deliveries(settings.table, "e1").get("far").execution
    assert following is not None
    reconcile(machine.wait(f"{arn.removesuffix('e1-1')}{following}"))
    assert killed == ["e1-1"] * 4 + [following]
    found = Deliveries(settings.table, "e1").get("far")
    assert (found.state, found.uri, place.files["north field.tif"]) == ("done", "place://north field.tif", COG)
    assert place.abandoned == []


def test_a_cog_that_is_made_is_only_delivered(machine: Interpreter) -> None:
    made = make_cog(machine.settings, record(machine)).result
    assert made is not None
    plan = machine.lambdas["plan"]
    machine.lambdas["plan"] = lambda task: {**plan(task), "cog_href": made.cog_href}
    assert machine.run()["status"] == "SUCCEEDED"
    assert record(machine).status == "SUCCESS"
    assert (called(machine, "render_tile"), called(machine, "assemble")) == ([], [])
    [delivered] = called(machine, "deliver")
    assert delivered["cog_href"] == made.cog_href
