"""The real ASL in moto's interpreter, over Lambdas that do what each test needs."""

from __future__ import annotations

import itertools
import json
import threading
from typing import Any

import pytest

from cutline.models.destination import DestinationRecord, SftpSettings
from cutline.models.record import DeliveryRecord, ExportRecord, Status, now
from cutline.models.task import DeliveryTask
from cutline.service import delivering, targets
from cutline.service.audit import audit_of
from cutline.service.reconciling import reconcile
from cutline.store.clients import client
from cutline.store.deliveries import Deliveries
from cutline.store.destinations import Destinations
from cutline.store.quotas import Quotas
from cutline.store.records import Records
from tests.support.destinations import Place
from tests.support.exports import COG, make_cog, make_export, put
from tests.support.interpreter import Died, Interpreter

TASKS = [{"tiles": [0, 1]}, {"tiles": [2]}, {"tiles": [3]}]


@pytest.fixture
def machine(interpreter: Interpreter) -> Interpreter:
    """With an export e1 and Lambdas that succeed."""
    settings = interpreter.settings
    make_export()

    def plan(task: dict[str, Any]) -> dict[str, Any]:
        key = f"exports/{task['export_id']}/{task['attempt']}/tasks.json"
        put(settings.work_bucket, key, json.dumps(TASKS).encode())
        place = {"bucket": settings.work_bucket, "key": key}
        return {
            "plan_href": "s3://w/plan.json", "tasks": place, "tiles": 4, "deliveries": ["link-1"],
            "destinations": False, "cog_href": None,
        }  # fmt: skip

    def assemble(_: dict[str, Any]) -> dict[str, Any]:
        result = make_cog(settings, Records(settings.table).get("e1")).result
        assert result is not None
        return {"cog_href": result.cog_href, "item_href": result.item_href, "nbytes": result.nbytes}

    def deliver(task: dict[str, Any]) -> dict[str, Any]:
        return delivering.deliver(DeliveryTask.model_validate(task), lambda: 900.0).model_dump()

    interpreter.lambdas = {
        "plan": plan,
        "render_tile": lambda _: {"done": True},
        "assemble": assemble,
        "deliver": deliver,
        "notify": lambda _: {},
    }
    return interpreter


def record(machine: Interpreter) -> ExportRecord:
    return Records(machine.settings.table).get("e1")


def called(machine: Interpreter, name: str) -> list[dict[str, Any]]:
    return [payload for each, payload in machine.calls if each == name]


def test_success(machine: Interpreter) -> None:
    assert machine.run()["status"] == "SUCCEEDED"
    ended = record(machine)
    assert ended.status == "SUCCESS"
    assert ended.rendering_at and ended.created_at <= ended.rendering_at <= ended.updated_at
    task = {"export_id": "e1", "attempt": 1}
    assert called(machine, "plan") == called(machine, "notify") == [task]
    rendered = sorted(called(machine, "render_tile"), key=lambda each: each["tiles"])
    assert rendered == [{**task, "plan_href": "s3://w/plan.json", "tiles": each["tiles"]} for each in TASKS]
    assert called(machine, "assemble") == [{**task, "plan_href": "s3://w/plan.json"}]
    [delivery] = Records(machine.settings.table).deliveries("e1")
    assert (delivery.state, delivery.uri) == ("done", "https://api.example.org/exports/e1/download")


def failing(times: int, error: Died, answer: Any) -> Any:
    """A Lambda that raises ``error`` so many times, and then answers."""
    tries = iter(range(times))
    lock = threading.Lock()

    def act(_: dict[str, Any]) -> Any:
        with lock:
            fails = next(tries, None) is not None
        if fails:
            raise error
        return answer

    return act


def cause(code: str, message: str) -> str:
    return json.dumps({"code": code, "message": message})


BUSY = Died("TransientError", cause("source-unavailable", "scene a did not answer"))
ROUND = [
    ("render_tile", Died("Runtime.ExitError", "signal: killed"), 2),
    ("render_tile", Died("Lambda.TooManyRequestsException", "Rate Exceeded"), 8),
    ("plan", BUSY, 4),
    ("assemble", Died("Sandbox.Timedout", "Task timed out after 900.00 seconds"), 2),
]


@pytest.mark.parametrize(("name", "error", "times"), ROUND)
def test_what_passes_is_tried_again(machine: Interpreter, name: str, error: Died, times: int) -> None:
    answer = machine.lambdas[name]
    tries = failing(times, error, None)
    machine.lambdas[name] = lambda task: tries(task) or answer(task)
    assert machine.run()["status"] == "SUCCEEDED"
    assert record(machine).status == "SUCCESS"


def test_a_render_goes_on_until_it_is_done(machine: Interpreter) -> None:
    machine.lambdas["render_tile"] = lambda _: {"done": len(called(machine, "render_tile")) > 5}
    assert machine.run()["status"] == "SUCCEEDED"
    assert len(called(machine, "render_tile")) > 5


def test_a_tile_that_fails_stops_neither_its_siblings_nor_the_cause(machine: Interpreter) -> None:
    render = Died("InvalidRequest", cause("invalid-scene", "tile (0, 2): scene a is broken"))

    def render_tile(task: dict[str, Any]) -> dict[str, Any]:
        if task["tiles"] == [2]:
            raise render
        return {"done": True}

    def assemble(_: dict[str, Any]) -> None:
        [why] = Records(machine.settings.table).failures("e1", 1)
        raise Died("InternalError", why.model_dump_json(exclude_none=True))

    machine.lambdas |= {"render_tile": render_tile, "assemble": assemble}
    assert machine.run()["error"] == "ExportFailed"
    known = record(machine)
    assert known.status == "ERROR" and known.error is not None
    assert (known.error.code, known.error.message) == ("invalid-scene", "tile (0, 2): scene a is broken")
    assert len(called(machine, "render_tile")) == len(TASKS), "and it was not tried again"
    assert called(machine, "notify") == [{"export_id": "e1", "attempt": 1}]


def test_two_children_that_fail_are_two_failures(machine: Interpreter) -> None:
    def render_tile(task: dict[str, Any]) -> None:
        raise Died("Runtime.ExitError", "signal: killed")

    machine.lambdas["render_tile"] = render_tile
    machine.run()
    found = list(Records(machine.settings.table).failures("e1", 1))
    assert [why.code for why in found] == ["worker-died"] * len(TASKS)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Died("InvalidRequest", cause("invalid-geometry", "the area is empty")), "invalid-geometry"),
        (Died("RateLimited", cause("rate-limited", "no pixels are left this month")), "rate-limited"),
        (Died("KeyError", "'x'"), "internal-error"),
        (Died("Sandbox.Timedout", "Task timed out"), "timed-out"),
    ],
)
def test_a_plan_that_fails_is_an_error_with_its_cause(machine: Interpreter, error: Died, code: str) -> None:
    machine.lambdas["plan"] = failing(99, error, None)
    ended = machine.run()
    assert (ended["status"], ended["error"]) == ("FAILED", "ExportFailed")
    known = record(machine)
    assert known.status == "ERROR" and known.error is not None and known.error.code == code
    assert called(machine, "render_tile") == []
    assert len(called(machine, "notify")) == 1
    assert len(called(machine, "plan")) == (3 if code == "timed-out" else 1)


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
    tries = failing(0, BUSY, None)
    machine.lambdas["deliver"] = lambda task: (
        tries(task)
        or {
            "done": (done := len(called(machine, "deliver")) == 4),
            "delivered": done,
            "wait": 0,
        }
    )
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


def test_no_mail_no_harm(machine: Interpreter) -> None:
    machine.lambdas["notify"] = failing(99, Died("DeliveryRejected", cause("delivery-rejected", "no")), None)
    assert machine.run()["status"] == "SUCCEEDED"
    assert record(machine).status == "SUCCESS"


@pytest.mark.parametrize("during", ["plan", "render_tile", "assemble", "deliver"])
def test_a_cancelled_export_stays_cancelled(machine: Interpreter, during: str) -> None:
    answer = machine.lambdas[during]

    def cancelled_meanwhile(task: dict[str, Any]) -> Any:
        if record(machine).status != "CANCELLED":
            Records(machine.settings.table).move(record(machine), "CANCELLED")
        return answer(task)

    machine.lambdas[during] = cancelled_meanwhile
    ended = machine.run()
    assert ended["status"] == "FAILED"
    assert record(machine).status == "CANCELLED"
    assert called(machine, "notify") == []


def test_an_execution_of_an_older_attempt_changes_nothing(machine: Interpreter) -> None:
    records = Records(machine.settings.table)
    records.begin_again(records.move(record(machine), "ERROR"))
    [delivery] = records.deliveries("e1")
    Deliveries(machine.settings.table, "e1").begin_again(delivery, 2, anew=True)
    assert machine.run(attempt=1)["error"] == "Superseded"
    assert (record(machine).attempt, record(machine).status) == (2, "PENDING")
    assert machine.run(attempt=2)["status"] == "SUCCEEDED"
    assert record(machine).status == "SUCCESS"


def test_statuses_only_move_forward(machine: Interpreter) -> None:
    seen: list[Status] = []
    for name, answer in machine.lambdas.items():
        machine.lambdas[name] = lambda task, answer=answer: (seen.append(record(machine).status), answer(task))[1]
    machine.run()
    assert [seen[0], *(after for before, after in itertools.pairwise(seen) if after != before)] == [
        "PENDING", "RENDERING", "DELIVERING", "SUCCESS",
    ]  # fmt: skip


def test_an_execution_can_be_stopped(machine: Interpreter) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(_: dict[str, Any]) -> dict[str, Any]:
        entered.set()
        leave.wait(30)
        return {"done": True}

    machine.lambdas["render_tile"] = slow
    arn = machine.start()
    assert entered.wait(30)
    client("stepfunctions").stop_execution(executionArn=arn)
    leave.set()
    assert machine.wait(arn)["status"] == "ABORTED"
    assert called(machine, "assemble") == []


def test_its_end_is_settled_and_its_story_told(machine: Interpreter) -> None:
    machine.lambdas["plan"] = failing(1, Died("InvalidRequest", cause("too-large", "too many pixels")), None)
    settings = machine.settings
    running = audit_of(record(machine))
    assert [attempt.source for attempt in running.attempts] == ["none"]
    reconcile(machine.run())
    assert Quotas(settings.table, settings.limits).used("anna")["exports_running"] == 0
    assert [each.state for each in Records(settings.table).deliveries("e1")] == ["failed"]
    [attempt] = audit_of(record(machine)).attempts
    assert (attempt.source, attempt.status) == ("archive", "FAILED")
    assert [run.state for run in attempt.states] == ["Begin", "Plan", "MarkError", "NotifyError", "Failed"]
    [failure] = attempt.states[1].failures
    assert (failure.error.code, failure.again) == ("too-large", False)


def test_a_finished_execution_is_told_by_its_history(machine: Interpreter) -> None:
    reconcile(machine.run())
    [attempt] = audit_of(record(machine)).attempts
    assert {run.outcome for run in attempt.states} == {"done"}
    assert [run.state for run in attempt.states if run.within == "DeliverAll"] == [
        "Deliver",
        "AllDelivered",
        "Delivered",
    ]
