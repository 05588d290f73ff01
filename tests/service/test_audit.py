"""The audit of an export: from a live execution, from the archive, and from histories as AWS writes them.

tests/events/ has answers of AWS's APIs for an export with two deliveries, one of which was tried twice, and a map of
three children; its README says how far they are what AWS was recorded to answer.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from cutline.models.audit import AttemptAudit, StateRun
from cutline.models.record import TILE_FAILED, Event, ExportRecord, Failure, TileRecord, now
from cutline.models.task import ExportTask
from cutline.service import reconciling
from cutline.service.audit import audit_of
from cutline.service.history import child_of, states_of
from cutline.settings import ServiceSettings
from cutline.store.bucket import Bucket
from cutline.store.clients import client
from cutline.store.items import typed
from cutline.store.plans import Plans
from cutline.store.records import Records
from tests.support.exports import keys, make_export
from tests.support.plans import header_scene, plan_of

EVENTS = Path(__file__).parents[1] / "events"
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:cutline-export"
CHILDREN = ("child_plain", "child_retried", "child_failed")


def answer(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


def while_rendering() -> list[Any]:
    """What the history of an export has while its children are at work."""
    events = answer("history_parent")["events"]
    return events[: 1 + [event["type"] for event in events].index("MapRunStarted")]  # type: ignore[no-any-return]


def as_boto3(answer: Any) -> Any:
    """With times for texts."""
    if isinstance(answer, dict):
        times = {"timestamp", "startDate", "stopDate"}
        return {key: dt.datetime.fromisoformat(value) if key in times else as_boto3(value)
                for key, value in answer.items()}  # fmt: skip
    return [as_boto3(each) for each in answer] if isinstance(answer, list) else answer


@pytest.fixture
def states(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """Step Functions that answers what a test recorded; it refuses what AWS's model does not know."""
    monkeypatch.setenv("CUTLINE_STATE_MACHINE", MACHINE)
    with Stubber(client("stepfunctions")) as stubber:
        yield stubber


def tell_of_success(states: Stubber) -> None:
    """The event comes, and its history is asked for and archived."""
    detail = answer("status_change")["detail"]
    parent, children = answer("history_parent"), answer("list_children")
    states.add_response("get_execution_history", as_boto3(parent))
    states.add_response("list_executions", as_boto3(children), {"mapRunArn": children["executions"][0]["mapRunArn"]})
    for name in CHILDREN:
        states.add_response("get_execution_history", as_boto3(answer(f"history_{name}")))
    reconciling.reconcile(detail)
    states.assert_no_pending_responses()


def rendered(aws: ServiceSettings) -> ExportRecord:
    records = Records(aws.table)
    record = make_export("01hzy3", status="SUCCESS")
    broken = Failure(code="invalid-scene", message="its bands have other dtypes")
    at = dt.datetime(2026, 11, 20, 10, 0, 30, tzinfo=dt.UTC)
    for col, more in enumerate(({"billed_ms": 7000}, {"reused": True}, {"state": "failed", "error": broken})):
        tile = {"row": 0, "col": col, "attempt": 1, "state": "done", "key": "k", "at": at} | more
        records.put_tile("01hzy3", TileRecord.model_validate(tile))
    began = dt.datetime(2026, 11, 20, 9, 59, 59, tzinfo=dt.UTC)
    records.add_event("01hzy3", Event(at=began, what="submitted", by="anna", attempt=1))
    away = Failure(code="source-unavailable", message="scene a did not answer")
    for seconds, col, why in ((10, 0, away), (20, 0, away), (30, 2, broken)):
        details = {"row": 0, "col": col, "error": why.model_dump(exclude_none=True)}
        tried = began + dt.timedelta(seconds=seconds)
        event = Event(at=tried, what=TILE_FAILED, by="render_tile", attempt=1, details=details)
        records.add_event("01hzy3", event)
    gave_up = {"at": "2026-11-20T10:00:31Z", "tiles": "[2,3]", "attempt": 1}
    gave_up["error"] = json.dumps({"Error": "InvalidRequest", "Cause": broken.model_dump_json()})
    keys = {"pk": "EXPORT#01hzy3", "sk": "FAILURE#1#2"}
    client("dynamodb").put_item(TableName=aws.table, Item=typed(keys | gave_up))
    plan = plan_of(
        header_scene(
            "S2A_T33UVS", href="https://scenes.example.org/S2A_T33UVS.tif?sig=SECRET", identity="5d41402abc4b2a76"
        )
    )
    Plans(aws.work_bucket).keep(ExportTask(export_id="01hzy3", attempt=1), plan)
    return record


def check_tries(attempt: AttemptAudit) -> None:
    """What ``rendered`` has put there."""
    tries = {tile.col: [each.error.code for each in tile.failures] for tile in attempt.tiles.rendered}
    assert tries == {0: ["source-unavailable"] * 2, 2: ["invalid-scene"]}
    [given] = attempt.tiles.given_up
    assert (given.tiles, given.error.code) == ((2, 3), "invalid-scene")


def run_of(runs: tuple[StateRun, ...], name: str) -> StateRun:
    return next(run for run in runs if run.state == name)


def test_states_are_read_from_a_history_as_aws_writes_it() -> None:
    runs = states_of(answer("history_parent")["events"])
    assert [run.state for run in runs] == [
        "Begin", "Plan", "AlreadyMade", "ToDestinations", "MarkRendering", "RenderTiles", "Assemble", "MarkDelivering",
        "DeliverAll", "Deliver", "Deliver", "AllDelivered", "Delivered", "AllDelivered", "Delivered", "JudgeDeliveries",
        "AllArrived", "MarkSuccess", "NotifySuccess", "Done",
    ]  # fmt: skip
    assert {run.outcome for run in runs} == {"done"}
    assert {run.state for run in runs if run.within} == {"Deliver", "AllDelivered", "Delivered"}
    assert {run.within for run in runs} == {None, "DeliverAll"}
    assert run_of(runs, "RenderTiles").seconds == pytest.approx(42.11, abs=0.001)
    plan = run_of(runs, "Plan")
    assert [(each.error.code, each.error.message, each.again) for each in plan.failures] == [
        ("source-unavailable", "scene S2A_T33UVS did not answer", True)
    ]
    first, second = (run for run in runs if run.state == "Deliver")
    assert first.failures == () and [each.again for each in second.failures] == [True], "branches are told apart"
    assert first.seconds is not None and second.seconds is not None and first.seconds < second.seconds


def test_children_are_read_from_their_own_histories() -> None:
    plain, retried, failed = (child_of(answer(f"history_{name}")["events"]) for name in CHILDREN)
    assert plain and retried and failed
    assert [child.tiles for child in (plain, retried, failed)] == [(0,), (1,), (2,)]
    assert [child.outcome for child in (plain, retried, failed)] == ["done", "done", "failed"]
    assert [child.invocations for child in (plain, retried, failed)] == [1, 3, 1]
    assert [each.error.code for each in retried.failures] == ["source-unavailable", "worker-died"]
    assert failed.failures[0].error.message.startswith("tile (1, 0)")
    assert plain.seconds is not None and plain.seconds > 7.5


def test_what_was_stopped_says_so() -> None:
    runs = states_of(answer("history_aborted")["events"])
    assert {run.outcome for run in runs[:-1]} == {"done"}
    assert (runs[-1].state, runs[-1].outcome) == ("RenderTiles", "stopped")
    assert runs[-1].seconds == pytest.approx(5.2)


def test_what_gave_up_says_why() -> None:
    runs = states_of(answer("history_failed")["events"])
    plan = run_of(runs, "Plan")
    assert plan.outcome == "failed"
    assert [(each.error.code, each.again) for each in plan.failures] == [
        ("timed-out", True), ("timed-out", True), ("timed-out", False),
    ]  # fmt: skip
    assert run_of(runs, "Failed").outcome == "failed"


def test_a_history_that_goes_on_is_read_as_far_as_it_is() -> None:
    events = answer("history_parent")["events"]
    for length in range(len(events)):
        runs = states_of(events[:length])
        assert all(run.outcome == "running" for run in runs if run.left_at is None)
    assert [run.state for run in states_of(while_rendering()) if run.outcome == "running"] == ["RenderTiles"]


def test_the_archive_tells_the_whole_story_when_the_execution_is_gone(aws: ServiceSettings, states: Stubber) -> None:
    record = rendered(aws)
    tell_of_success(states)
    assert keys(aws.audit_bucket) == ["01hzy3/1.json"]
    client("s3").delete_object(Bucket=aws.work_bucket, Key="exports/01hzy3/1/plan.json")

    audit = audit_of(record)
    [attempt] = audit.attempts
    assert (attempt.source, attempt.status) == ("archive", "SUCCEEDED")
    assert attempt.began_at == dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC)
    assert attempt.seconds == pytest.approx(58.0, abs=10)
    assert [(each.scene, each.identity) for each in attempt.inputs] == [("S2A_T33UVS", "5d41402abc4b2a76")]
    assert [child.tiles for child in attempt.children] == [(0,), (1,), (2,)]
    tiles = attempt.tiles
    assert (tiles.done, tiles.failed, tiles.reused, tiles.billed_ms) == (2, 1, 1, 7000)
    assert [(tile.col, tile.state) for tile in tiles.rendered] == [(0, "done"), (2, "failed")]
    check_tries(attempt)
    told = [event.what for event in audit.events]
    assert told[:3] == ["submitted", "the execution began", "Begin began"]
    assert "Plan failed and was tried again" in told
    assert told.count("tile (0, 0) failed") == 2 and told.count("tile (0, 2) failed") == 1
    assert told.count("a worker failed and was tried again") == 2 and "tiles were given up" in told
    assert told[-1] == "the execution has succeeded"
    assert [event.at for event in audit.events] == sorted(event.at for event in audit.events)
    assert audit.events[0].by == "anna"


def test_a_live_execution_is_asked(aws: ServiceSettings, states: Stubber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutline.service.audit.LIVE_CHILDREN", 2)
    record = rendered(aws)
    detail = answer("status_change")["detail"]
    described = {
        "executionArn": detail["executionArn"],
        "stateMachineArn": MACHINE,
        "name": "01hzy3-1",
        "status": "RUNNING",
        "startDate": dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC),
        "input": detail["input"],
    }
    states.add_response("describe_execution", described, {"executionArn": detail["executionArn"]})
    states.add_response("get_execution_history", as_boto3({"events": while_rendering()}))
    children = answer("list_children")
    states.add_response("list_executions", as_boto3(children), {"mapRunArn": children["executions"][0]["mapRunArn"]})
    retried = answer("history_child_retried")["events"]
    states.add_response("get_execution_history", as_boto3(answer("history_child_plain")))
    states.add_response("get_execution_history", as_boto3({"events": retried[:-4]}))
    audit = audit_of(record.model_copy(update={"status": "RENDERING"}))
    states.assert_no_pending_responses()
    [attempt] = audit.attempts
    assert (attempt.source, attempt.status, attempt.ended_at) == ("live", "RUNNING", None)
    assert attempt.states[-1].state == "RenderTiles" and attempt.states[-1].outcome == "running"
    assert [each.href for each in attempt.inputs] == ["https://scenes.example.org/S2A_T33UVS.tif"]
    assert attempt.tiles.done == 2
    assert [(child.tiles, child.outcome) for child in attempt.children] == [((0,), "done"), ((1,), "running")]
    assert (attempt.children_started, len(attempt.children[1].failures)) == (3, 2)
    check_tries(attempt)
    told = [event.what for event in audit.events]
    assert told.count("tile (0, 0) failed") == 2 and "a worker failed and was tried again" in told
    assert "tiles were given up" in told


def test_attempts_are_joined(aws: ServiceSettings, states: Stubber) -> None:
    record = rendered(aws)
    tell_of_success(states)
    states.add_client_error("describe_execution", "ExecutionDoesNotExist")
    second = record.model_copy(update={"attempt": 2})
    Records(aws.table).add_event("01hzy3", Event(at=now(), what="retried", by="anna", attempt=2))
    audit = audit_of(second)
    assert [(each.attempt, each.source) for each in audit.attempts] == [(1, "archive"), (2, "none")]
    assert audit.events[-1].what == "retried"


def test_what_is_archived_is_not_archived_again(aws: ServiceSettings, states: Stubber) -> None:
    rendered(aws)
    tell_of_success(states)
    before = Bucket(aws.audit_bucket).read("01hzy3/1.json")
    reconciling.reconcile(answer("status_change")["detail"])  # Step Functions has nothing more to answer
    assert before is not None and Bucket(aws.audit_bucket).read("01hzy3/1.json") == before
