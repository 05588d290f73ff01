"""The real ASL in moto's interpreter, over Lambdas that do what each test needs."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest

from cutline.models.record import Status
from cutline.service.audit import audit_of
from cutline.service.reconciling import reconcile
from cutline.store.clients import client
from cutline.store.deliveries import Deliveries
from cutline.store.quotas import Quotas
from cutline.store.records import Records
from tests.support.interpreter import Died, Interpreter
from tests.support.machine import BUSY, TASKS, called, cause, failing, record


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


ROUND = [
    ("render_tile", Died("Runtime.ExitError", "signal: killed"), 2),
    ("render_tile", Died("Lambda.TooManyRequestsException", "Rate Exceeded"), 25),
    ("render_tile", Died("Lambda.ServiceException", "500"), 8),
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
