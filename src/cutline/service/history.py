"""An execution's history, as AWS writes it, read as what it means: which state was entered and left when, and which
tries failed. An event names the one before it, so that branches can be told apart.

What no page of AWS's documentation says, but its histories show (tests/events/README.md): the end of a map may name
any event since the map began; an aborted state or iteration names the event that failed, on another branch, so whose
end it was is not known, only that the map has ended; and when an execution is stopped nothing says what it was at.
Our machine has no Parallel and no map within a map: the former is not understood, the latter where all goes well.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cutline.failures import failure_of
from cutline.models.audit import ChildRun, Outcome, StateRun, Try
from cutline.models.record import Failure

Events = Iterable[Mapping[str, Any]]

STOPS = {"ExecutionAborted", "ExecutionTimedOut", "ExecutionFailed", "ExecutionSucceeded"}
FAILURES = {"TaskFailed", "TaskTimedOut", "TaskStartFailed", "TaskSubmitFailed", "MapRunFailed"}
_OF_MAPS = ("MapState", "MapIteration", "MapRun")
_ENDS: dict[str, Outcome] = {"ExecutionSucceeded": "done", "ExecutionFailed": "failed"}
"""What a state that was never left has come to by the event that ended the execution"""


@dataclass
class _Run:
    """A StateRun in the making."""

    name: str
    type: str
    entered_at: dt.datetime
    around: _Run | None
    """The map whose iteration it belongs to"""
    left_at: dt.datetime | None = None
    outcome: Outcome = "running"
    failures: list[Try] = field(default_factory=list)
    broken: bool = False
    """A map of which an iteration gave up"""
    invocations: int = 0
    """Of a Lambda"""

    def leave(self, at: dt.datetime, outcome: Outcome) -> None:
        self.left_at, self.outcome = at, outcome

    def gave_up(self) -> bool:
        return self.broken or (bool(self.failures) and not self.failures[-1].again)

    def goes_on(self) -> None:
        """What failed is tried again."""
        self.broken = False
        if self.failures:
            self.failures[-1] = self.failures[-1].model_copy(update={"again": True})

    def finished(self) -> StateRun:
        seconds = None if self.left_at is None else (self.left_at - self.entered_at).total_seconds()
        return StateRun(
            state=self.name,
            type=self.type,
            entered_at=self.entered_at,
            left_at=self.left_at,
            seconds=seconds,
            outcome=self.outcome,
            within=self.around.name if self.around else None,
            failures=tuple(self.failures),
        )


def states_of(events: Events) -> tuple[StateRun, ...]:
    """In the order in which they were entered."""
    return tuple(run.finished() for run in _runs(events))


def child_of(events: Events) -> ChildRun | None:
    """A child of the map that renders, by its own history; None where that is empty."""
    events = list(events)
    runs = _runs(events)
    if not runs:
        return None
    began, ended = at_of(events[0]), at_of(events[-1]) if events[-1]["type"] in STOPS else None
    given = json.loads(events[0].get("executionStartedEventDetails", {}).get("input") or "{}")
    failures = tuple(failure for run in runs for failure in run.failures)
    last = runs[-1].outcome
    gave_up = last != "stopped" and any(not failure.again for failure in failures)
    return ChildRun(
        tiles=tuple(given.get("tiles", ())),
        outcome="running" if ended is None else "failed" if gave_up else last,
        entered_at=began,
        seconds=None if ended is None else (ended - began).total_seconds(),
        invocations=sum(run.invocations for run in runs),
        failures=failures,
    )


def at_of(event: Mapping[str, Any]) -> dt.datetime:
    """When it happened: a time as boto3 gives it, or ISO 8601 as it is archived."""
    at = event["timestamp"]
    return at if isinstance(at, dt.datetime) else dt.datetime.fromisoformat(at)


def _runs(events: Events) -> list[_Run]:
    runs: list[_Run] = []
    place: dict[int, _Run | None] = {0: None}
    """An event's id -> the state that the execution was in then, on that branch"""
    for event in events:
        before = place.get(event.get("previousEventId", 0))
        place[event["id"]] = _follow(event, before, runs)
        if event["type"] in STOPS:
            _end(event, before, runs)
    return runs


def _end(event: Mapping[str, Any], before: _Run | None, runs: Sequence[_Run]) -> None:
    """The execution has ended, and with it what it was at: which has the error, unless that is told of it already."""
    if event["type"] == "ExecutionFailed" and before and before.type != "Fail" and not before.gave_up():
        before.failures.append(Try(at=at_of(event), error=_failure(event), again=False))
    for run in runs:
        if run.left_at is None:
            run.leave(at_of(event), _ENDS.get(event["type"], "stopped"))


def _follow(event: Mapping[str, Any], before: _Run | None, runs: list[_Run]) -> _Run | None:
    """What state an event leaves its branch in; ``before`` is that of the event before it."""
    kind = event["type"]
    if kind.endswith("StateEntered"):
        entered = _Run(
            name=event["stateEnteredEventDetails"]["name"],
            type=kind.removesuffix("StateEntered"),
            entered_at=at_of(event),
            around=_around(before),
        )
        runs.append(entered)
        return entered
    run = _open_map(before) if kind.startswith(_OF_MAPS) else before
    if run is None:
        return None
    if kind.endswith("StateExited"):
        run.leave(at_of(event), "failed" if run.gave_up() else "done")
    elif kind in FAILURES:
        run.failures.append(Try(at=at_of(event), error=_failure(event), again=False))
    elif kind == "TaskScheduled":
        run.invocations += event["taskScheduledEventDetails"]["resourceType"] == "lambda"
        run.goes_on()
    elif kind == "MapStateStarted":
        run.goes_on()
    elif kind == "MapIterationFailed" and before is not None and before is not run and before.left_at is None:
        before.leave(at_of(event), "failed")
    elif kind == "MapStateFailed":
        run.broken = True
        _end_within(run, event, runs)
    elif kind == "MapStateAborted":
        run.leave(at_of(event), "stopped")
        _end_within(run, event, runs)
    return run


def _end_within(around: _Run, event: Mapping[str, Any], runs: Sequence[_Run]) -> None:
    """A map has ended before its time, and what its other branches were at with it."""
    for run in runs:
        if run.left_at is None and around in _maps_around(run):
            run.leave(at_of(event), "stopped")


def _around(before: _Run | None) -> _Run | None:
    """The map around a state that is entered after ``before``: that itself, where it has just begun an iteration."""
    if before is None:
        return None
    return before if before.type == "Map" and before.left_at is None else before.around


def _open_map(run: _Run | None) -> _Run | None:
    """The map that an event on a run's branch tells of: the run itself, or the innermost one around it that goes on."""
    if run is None or (run.type == "Map" and run.left_at is None):
        return run
    return next((each for each in _maps_around(run) if each.left_at is None), None)


def _maps_around(run: _Run) -> Iterator[_Run]:
    while run.around is not None:
        run = run.around
        yield run


def _failure(event: Mapping[str, Any]) -> Failure:
    details: Mapping[str, Any] = next((value for key, value in event.items() if key.endswith("EventDetails")), {})
    return failure_of(details.get("error") or event["type"], details.get("cause") or "")
