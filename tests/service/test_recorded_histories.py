"""Histories are read as AWS writes them: by the order of events that it was recorded to write, to which our own
examples must keep. Where both come from: tests/events/README.md."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cutline.models.audit import StateRun
from cutline.service.history import STOPS, child_of, states_of
from tests.support.interpreter import ASL

EVENTS = Path(__file__).parents[1] / "events"
ORDERS = {each["order"]: each["events"] for each in json.loads((EVENTS / "orders.json").read_text())}
OURS = sorted(path.stem for path in EVENTS.glob("history_*.json"))
BEGAN = dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC)

AFTER = {
    "ExecutionStarted": "-",
    "ExecutionSucceeded": "StateExited",
    "ExecutionFailed": "FailStateEntered MapStateFailed TaskFailed TaskTimedOut",
    "ExecutionAborted": "-",
    "StateEntered": "- StateExited MapIterationStarted",
    "TaskScheduled": "TaskStateEntered TaskFailed",
    "TaskStarted": "TaskScheduled",
    "TaskSucceeded": "TaskStarted",
    "TaskFailed": "TaskStarted",
    "TaskTimedOut": "TaskStarted",
    "TaskStateExited": "TaskSucceeded TaskFailed TaskTimedOut",
    "MapStateStarted": "MapStateEntered FailStateEntered",
    "MapIterationStarted": "MapStateStarted StateExited",
    "MapIterationSucceeded": "StateExited",
    "MapRunStarted": "MapStateStarted",
    "MapRunSucceeded": "MapRunStarted",
    "MapRunFailed": "MapRunStarted",
    "MapStateSucceeded": "MapRunSucceeded MapIterationSucceeded MapStateStarted",
    "MapStateFailed": "MapRunFailed FailStateEntered TaskTimedOut",
    "MapIterationFailed": "FailStateEntered TaskTimedOut",
    "MapIterationAborted": "TaskTimedOut",
    "TaskStateAborted": "TaskTimedOut",
    "MapStateExited": "MapRunStarted MapRunSucceeded MapIterationSucceeded MapStateFailed MapStateStarted",
    "StateExited": "StateEntered",
}
"""An event's type, or how it ends -> those of recorded histories before it on its branch, as far as ours has them"""

FIELDS = {
    "ExecutionStarted": ("input inputDetails roleArn", ""),
    "ExecutionSucceeded": ("output outputDetails", ""),
    "ExecutionFailed": ("", "error cause"),
    "ExecutionAborted": ("", "error cause"),  # recorded without; StopExecution takes them
    "StateEntered": ("name input inputDetails", ""),
    "StateExited": ("name output outputDetails", ""),
    "TaskScheduled": ("parameters region resource resourceType", "timeoutInSeconds"),
    "TaskStarted": ("resource resourceType", ""),
    "TaskSucceeded": ("output outputDetails resource resourceType", ""),
    "TaskFailed": ("resource resourceType", "error cause"),
    "TaskTimedOut": ("error resource resourceType", ""),
    "MapStateStarted": ("length", ""),
    "MapIterationStarted": ("name index", ""),
    "MapIterationSucceeded": ("name index", ""),
    "MapRunStarted": ("mapRunArn", ""),
    "MapRunSucceeded": ("", ""),
    "MapStateSucceeded": ("", ""),
}
"""The fields of its details: always, at times"""

NOT_RECORDED = {("TaskScheduled", "TaskTimedOut")}
"""A timeout that is tried again, which is as a failure that is"""


def expanded(order: str) -> list[dict[str, Any]]:
    """Events of an order, one a second, with what else a reader may look at."""
    return [_event(*line.split(maxsplit=3)) for line in ORDERS[order]]


def _event(number: str, before: str, kind: str, name: str = "") -> dict[str, Any]:
    at = BEGAN + dt.timedelta(seconds=int(number))
    event: dict[str, Any] = {"id": int(number), "previousEventId": int(before), "type": kind, "timestamp": at}
    if kind.endswith(("StateEntered", "StateExited")):
        event[f"state{kind[-7:]}EventDetails"] = {"name": name}
    elif kind in ("TaskFailed", "TaskTimedOut", "MapRunFailed"):
        event[f"{kind[0].lower()}{kind[1:]}EventDetails"] = {"error": name}
    elif kind == "TaskScheduled":
        event["taskScheduledEventDetails"] = {"resourceType": "lambda", "resource": "invoke"}
    return event


def told(run: StateRun) -> str:
    """A state in a line: what it came to, after how many seconds, and its failures; one tried again has a plus."""
    left = f"{run.outcome} at {(run.left_at - BEGAN).total_seconds():.0f}" if run.left_at else run.outcome
    failures = "".join(f", {each.error.code}{'+' * each.again}" for each in run.failures)
    return f"{run.within + '/' if run.within else ''}{run.state} {left}{failures}"


READ = {
    "children": ["MapState done at 7", "Finish done at 9"],
    "children, read from a file": ["MapState done at 7"],
    "children that cannot be read": ["MapState failed at 7, transient-error"],
    "children, again and again": [
        "StartState done at 3",
        "BeforeIteration done at 5", "IterationBody done at 11", "CheckIteration done at 13",
        "BeforeIteration done at 15", "IterationBody done at 21", "CheckIteration done at 23",
        "Terminate done at 25",
    ],
    "a Lambda fails three times": ["InvokeLambda failed at 12, internal-error+, internal-error+, internal-error"],
    "a Lambda fails and is caught": [
        "InvokeLambdaWithRetry failed at 15, internal-error+, internal-error+, internal-error+, internal-error",
        "HandleError done at 17",
    ],
    "a Lambda takes too long and is caught": ["Start failed at 6, timed-out", "EndWithHandler done at 8"],
    "a Lambda takes too long in every iteration": [
        "MapWait failed at 33",
        "MapWait/LambdaInvoke failed at 24, timed-out",
        *["MapWait/LambdaInvoke stopped at 32, timed-out"] * 3,
    ],
    "a map is tried again": [
        "StartState done at 3",
        "MapState failed at 18",
        *[f"MapState/HandleItemFail failed at {second}" for second in (8, 12, 16)],
    ],
    "a map is caught": [
        "StartState done at 3",
        "MapState failed at 10", "MapState/HandleItemFail failed at 8",
        "FinalCaught done at 12",
    ],
    "maps within a map": [
        "MapL1 done at 41",
        "MapL1/MapL2 done at 20", *[f"MapL2/MapL2Pass done at {second}" for second in (9, 13, 17)],
        "MapL1/MapL2 done at 38", *[f"MapL2/MapL2Pass done at {second}" for second in (27, 31, 35)],
    ],
    "stopped": ["State_1 stopped at 3"],
}  # fmt: skip
"""An order -> what an audit makes of it"""


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_that_aws_wrote_is_understood(order: str) -> None:
    assert [told(run) for run in states_of(expanded(order))] == READ[order]


def test_a_child_is_read_as_the_execution_that_it_is() -> None:
    children = {
        "children": ("done", 0, []),
        "a Lambda fails three times": ("failed", 3, [True, True, False]),
        "a Lambda fails and is caught": ("failed", 4, [True, True, True, False]),
        "a Lambda takes too long and is caught": ("failed", 1, [False]),
        "stopped": ("stopped", 0, []),
    }
    for order, (outcome, invocations, again) in children.items():
        child = child_of(expanded(order))
        assert child is not None
        assert (child.outcome, child.invocations) == (outcome, invocations)
        assert [failure.again for failure in child.failures] == again
        assert child.seconds == len(ORDERS[order]) - 1


@pytest.mark.parametrize("order", ORDERS)
def test_a_history_that_goes_on_is_read_as_far_as_it_is(order: str) -> None:
    events = expanded(order)
    for length in range(1, len(events)):
        runs = states_of(events[:length])
        assert all((run.outcome == "running") == (run.left_at is None) for run in runs)
        assert all(run.left_at is None or run.left_at <= events[length - 1]["timestamp"] for run in runs)
        assert len(runs) == sum(event["type"].endswith("Entered") for event in events[:length])


@pytest.mark.parametrize("order", ORDERS)
def test_the_orders_are_of_one_kind(order: str) -> None:
    kinds = {0: "-"}
    for event in expanded(order):
        check_place(event, kinds)


def running(*kinds: str, after: str = "children", length: int = 4) -> list[dict[str, Any]]:
    """The beginning of an order, and events of these types (and names) one after the other."""
    events = expanded(after)[:length]
    for kind, *name in (each.split() for each in kinds):
        number = len(events) + 1
        events.append(_event(str(number), "0" if kind in STOPS else str(number - 1), kind, *name))
    return events


READ_TOO = [
    # AWS's documentation has these types; the first is what was recorded of a state that is no map
    (running("ExecutionAborted"), ["MapState stopped at 5"]),
    (running("MapRunAborted", "ExecutionAborted"), ["MapState stopped at 6"]),
    (running("MapRunAborted", "MapStateAborted", "ExecutionAborted"), ["MapState stopped at 6"]),
    (
        running("MapStateStarted", "MapRunStarted", "MapRunSucceeded", "MapStateExited MapState",
                after="children that cannot be read", length=5),
        ["MapState done at 9, transient-error+"],
    ),
    (
        running("MapStateStarted", "MapStateExited MapState", after="a map is tried again", length=8),
        ["StartState done at 3", "MapState done at 10", "MapState/HandleItemFail failed at 8"],
    ),
    (
        running("TaskScheduled", "ExecutionAborted", after="a Lambda fails three times", length=5),
        ["InvokeLambda stopped at 7, internal-error+"],
    ),
    (
        running("ExecutionAborted", after="a Lambda fails three times", length=5),
        ["InvokeLambda stopped at 6, internal-error"],
    ),
]  # fmt: skip
"""Histories that were not recorded, put together from such as were"""


@pytest.mark.parametrize(("events", "states"), READ_TOO)
def test_what_may_follow_is_understood(events: list[dict[str, Any]], states: list[str]) -> None:
    assert [told(run) for run in states_of(events)] == states


def test_a_child_that_is_stopped_before_its_next_try_has_not_failed() -> None:
    child = child_of(running("ExecutionAborted", after="a Lambda fails three times", length=5))
    assert child is not None
    assert (child.outcome, len(child.failures)) == ("stopped", 1)


@pytest.mark.parametrize("kind", ["Task", "Map", "Choice", "Wait", "Pass"])
def test_an_error_that_no_try_has_told_is_that_of_the_state(kind: str) -> None:
    """As AWS ends an execution whose paths lead nowhere: ExecutionFailed right after a state was entered."""
    failed = _event("3", "2", "ExecutionFailed") | {"executionFailedEventDetails": {"error": "States.Runtime"}}
    [run] = states_of([*expanded("stopped")[:1], _event("2", "0", f"{kind}StateEntered", "Here"), failed])
    assert (run.type, told(run)) == (kind, "Here failed at 3, internal-error")


def test_a_state_that_fails_on_purpose_has_no_try() -> None:
    *_, run = states_of(expanded("a map is tried again"))
    assert (run.type, run.failures) == ("Fail", ())


def test_a_broken_map_ends_what_is_within_it_alone() -> None:
    """The other branches of the map, but not the map around it."""
    outer = [_event("1", "0", "ExecutionStarted"), _event("2", "0", "MapStateEntered", "Outer"),
             _event("3", "2", "MapStateStarted"), _event("4", "3", "MapIterationStarted")]  # fmt: skip
    moved = [
        event | {"id": event["id"] + 3, "previousEventId": event["previousEventId"] + 3 if event["id"] > 2 else 4}
        for event in expanded("a Lambda takes too long in every iteration")[1:-1]
    ]
    runs = {run.state: run for run in states_of([*outer, *moved])}
    assert (runs["Outer"].outcome, runs["LambdaInvoke"].outcome) == ("running", "stopped")


def ours(name: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads((EVENTS / f"{name}.json").read_text())["events"]
    return events


def check_place(event: dict[str, Any], kinds: dict[int, str]) -> None:
    """It comes after what such an event was recorded to come after; ``kinds``: of the events before it, by id."""
    kind, before = event["type"], kinds[event["previousEventId"]]
    known = tuple(AFTER[name_in(AFTER, kind)].split())
    assert before.endswith(known) or (kind, before) in NOT_RECORDED, (kind, before)
    kinds[event["id"]] = kind


def name_in(table: Mapping[str, object], kind: str) -> str:
    """Under which a table has a type of event: its own, or how it ends."""
    return kind if kind in table else next(end for end in ("StateEntered", "StateExited") if kind.endswith(end))


@pytest.mark.parametrize("name", OURS)
def test_our_own_examples_keep_to_what_was_recorded(name: str) -> None:
    kinds = {0: "-"}
    for number, event in enumerate(ours(name), 1):
        kind, before = event["type"], kinds[event["previousEventId"]]
        assert event["id"] == number, "ids are without gaps"
        assert (kind, before) in NOT_RECORDED or before.endswith(tuple(AFTER[name_in(AFTER, kind)].split())), (
            kind,
            before,
        )
        kinds[number] = kind
        fields = {field for key, details in event.items() if key.endswith("EventDetails") for field in details}
        always, at_times = (set(names.split()) for names in FIELDS[name_in(FIELDS, kind)])
        assert always <= fields <= always | at_times, (number, kind)


def states_by_name(states: dict[str, Any]) -> dict[str, Any]:
    """Of the machine and of its maps."""
    maps = [state["ItemProcessor"]["States"] for state in states.values() if state["Type"] == "Map"]
    return states | {name: state for each in maps for name, state in each.items()}


def nexts(state: dict[str, Any]) -> set[str]:
    ways = [state, *state.get("Choices", ()), *state.get("Catch", ())]
    return {way[key] for way in ways for key in ("Next", "Default") if key in way}


@pytest.mark.parametrize("name", OURS)
def test_our_own_examples_are_of_our_machine(name: str) -> None:
    machine = json.loads(ASL.read_text())
    states = states_by_name(machine["States"])
    at: dict[int, str] = {}
    """An event's id -> the state that its branch is in"""
    for event in ours(name):
        before = at.get(event["previousEventId"], "")
        entered, left = (event.get(f"state{how}EventDetails", {}).get("name") for how in ("Entered", "Exited"))
        at[event["id"]] = entered or left or before
        state = states.get(at[event["id"]], {})
        if entered:
            assert event["type"] == f"{state['Type']}StateEntered"
            assert entered in nexts(states.get(before, {})) | {machine["StartAt"], "RenderTile", "Deliver"}, before
        if scheduled := event.get("taskScheduledEventDetails"):
            assert state["Resource"].endswith(f"{scheduled['resourceType']}:{scheduled['resource']}")
            assert scheduled.get("timeoutInSeconds") == state.get("TimeoutSeconds")
