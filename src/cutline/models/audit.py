"""What an export's audit and its logs answer: who did what, when, with which inputs, and how each step went."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from cutline.models.base import Model
from cutline.models.record import Failure, GivenUp, Status, TileState

Outcome = Literal["running", "done", "failed", "stopped"]


class Try(Model):
    """A try of a step that failed."""

    at: AwareDatetime
    error: Failure
    again: bool
    """It was tried again"""


class StateRun(Model):
    """One time that an execution was in a state."""

    state: str
    type: str
    """Task, Map, Choice, Wait, Pass, Succeed or Fail"""
    entered_at: AwareDatetime
    left_at: AwareDatetime | None = None
    seconds: float | None = None
    outcome: Outcome = "running"
    """``failed``: its last try failed, and what the state machine does about that came next"""
    within: str | None = None
    """The map whose iteration it belongs to"""
    failures: tuple[Try, ...] = ()


class InputFile(Model):
    """A file that was read."""

    scene: str
    href: str
    identity: str | None = None
    """What identified its content when the attempt was planned: an ETag, else size and modification time"""


class TileTry(Model):
    """A try of a tile that failed."""

    at: AwareDatetime
    error: Failure


class TileRun(Model):
    """How a tile fared in an attempt."""

    row: int
    col: int
    state: TileState
    at: AwareDatetime
    billed_ms: int = 0
    error: Failure | None = None
    failures: tuple[TileTry, ...] = ()
    """Its tries that failed, as far as the worker lived to say so"""


class TilesRun(Model):
    """How the tiles of an attempt fared."""

    done: int = 0
    empty: int = 0
    failed: int = 0
    reused: int = 0
    """Among the done and the empty: rendered before this attempt"""
    billed_ms: int = 0
    rendered: tuple[TileRun, ...] = ()
    """Those that were not reused"""
    given_up: tuple[GivenUp, ...] = ()
    """After all tries, those included whose worker died"""


class ChildRun(Model):
    """One child of the distributed map."""

    tiles: tuple[int, ...]
    """Indices into the plan's"""
    outcome: Outcome
    entered_at: AwareDatetime
    seconds: float | None = None
    invocations: int
    failures: tuple[Try, ...] = ()


class AttemptAudit(Model):
    """One attempt, from its execution's history."""

    attempt: int
    execution: str | None = None
    """ARN"""
    source: Literal["live", "archive", "none"]
    """``none``: it was never started, or AWS has forgotten it and nothing is archived"""
    status: str | None = None
    """The execution's own: RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED"""
    began_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    seconds: float | None = None
    inputs: tuple[InputFile, ...] = ()
    states: tuple[StateRun, ...] = ()
    tiles: TilesRun = TilesRun()
    children_started: int = 0
    children: tuple[ChildRun, ...] = ()
    """While it is ``live`` the first hundred, in AWS's order; all once it is archived"""


class AuditEvent(Model):
    """One line of the story."""

    at: AwareDatetime
    what: str
    by: str | None = None
    """A user's sub, or the function that did it; none where it is the state machine"""
    attempt: int
    details: dict[str, Any] = Field(default_factory=dict)


class Audit(Model):
    """The whole story of an export."""

    export_id: str
    owner: str
    name: str
    status: Status
    attempts: tuple[AttemptAudit, ...]
    deliveries: tuple[AttemptAudit, ...] = ()
    """Executions of those that were asked for after the export had ended: of each place the latest"""
    events: tuple[AuditEvent, ...]
    """All of it in the order of time: what people did, and what each state did"""


class LogLine(Model):
    """One line of a function's log that concerns the export."""

    at: AwareDatetime
    function: str
    level: str
    message: str
    attempt: int | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class Logs(Model):
    """A page of lines in the order of time."""

    lines: tuple[LogLine, ...]
    cursor: str | None = None
    """Where to go on; none at the end"""
