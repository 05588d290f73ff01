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
from cutline.service.history import child_of, states_of
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
    "MapStateExited": "MapRunStarted MapRunSucceeded MapIterationSucceeded MapStateFailed MapStateStarted",
    "StateExited": "StateEntered",
}
"""An event's type, or how it ends -> that of the event before it on its branch, in 550 recorded histories"""

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
        *["MapWait/LambdaInvoke failed at 32, timed-out"] * 3,
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


@pytest.mark.parametrize("ends", [("MapRunAborted", "MapStateAborted"), ("MapRunAborted",), ()])
def test_a_map_whose_execution_is_stopped_is_stopped_however_aws_tells_it(ends: tuple[str, ...]) -> None:
    events = [*expanded("children")[:4], *(_event(str(5 + at), str(4 + at), kind) for at, kind in enumerate(ends))]
    events.append(_event("9", "0", "ExecutionAborted"))
    [run] = states_of(events)
    assert (run.state, run.outcome) == ("MapState", "stopped")


def test_a_map_whose_items_could_not_be_read_is_tried_again() -> None:
    broken = expanded("children that cannot be read")[:5]
    again = [
        _event("6", "5", "MapStateStarted"),
        _event("7", "6", "MapRunStarted"),
        _event("8", "7", "MapRunSucceeded"),
    ]
    [run] = states_of([*broken, *again, _event("9", "7", "MapStateExited", "MapState")])
    assert told(run) == "MapState done at 9, transient-error+"


def ours(name: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads((EVENTS / f"{name}.json").read_text())["events"]
    return events


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
