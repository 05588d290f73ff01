"""The story of an export, all attempts: from the histories of its executions, archived ones as live ones, and from what
its record kept of people's doings and of tiles."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cutline.models.audit import (
    AttemptAudit,
    Audit,
    AuditEvent,
    InputFile,
    StateRun,
    TileRun,
    TilesRun,
    TileTry,
)
from cutline.models.record import TILE_FAILED, Event, ExportRecord, Failure, GivenUp, TileRecord
from cutline.models.task import ExportTask
from cutline.service.archiving import Archive, archived, archived_delivery, history_of, inputs_of
from cutline.service.history import child_of, states_of
from cutline.settings import service
from cutline.store.executions import Executions
from cutline.store.records import Records

LIVE_CHILDREN = 100
"""Whose histories are asked for while somebody waits; the archive has those of all"""


@dataclass(frozen=True)
class _Known:
    """What the record has of an attempt's tiles, whether its history is live or archived."""

    given_up: tuple[GivenUp, ...]
    failed: Sequence[Event]
    """A tile's try each"""

    def tries_of(self, tile: TileRecord) -> tuple[TileTry, ...]:
        return tuple(
            TileTry(at=event.at, error=Failure.model_validate(event.details["error"]))
            for event in self.failed
            if (event.details["row"], event.details["col"]) == (tile.row, tile.col)
        )


def audit_of(record: ExportRecord) -> Audit:
    """Everything that is known. What a running export still does is missing, and there at the next call."""
    records = Records(service().table)
    events = list(records.events(record.export_id))
    attempts = tuple(_attempt(record, number, events) for number in range(1, record.attempt + 1))
    noted = [
        AuditEvent(at=event.at, what=_what(event), by=event.by, attempt=event.attempt, details=event.details)
        for event in events
    ]
    afterwards = tuple(_afterwards(record, records))
    machine = [line for each in (*attempts, *afterwards) for line in _lines(each)]
    return Audit(
        export_id=record.export_id,
        owner=record.owner,
        name=record.name,
        status=record.status,
        attempts=attempts,
        deliveries=afterwards,
        events=tuple(sorted([*noted, *machine], key=lambda line: line.at)),
    )


def _what(event: Event) -> str:
    return "tile ({row}, {col}) failed".format(**event.details) if event.what == TILE_FAILED else event.what


def _attempt(record: ExportRecord, number: int, events: Sequence[Event]) -> AttemptAudit:
    task = ExportTask(export_id=record.export_id, attempt=number)
    known = _Known(
        given_up=tuple(Records(service().table).given_up(record.export_id, number)),
        failed=[event for event in events if event.what == TILE_FAILED and event.attempt == number],
    )
    if (archive := archived(task)) is not None:
        return _read(number, "archive", archive, known)
    executions = Executions(service().state_machine)
    execution = executions.describe(executions.arn(record.model_copy(update={"attempt": number})))
    if execution is None:
        return AttemptAudit(attempt=number, source="none")
    tiles = [tile.model_dump(mode="json") for tile in Records(service().table).tiles(record.export_id, number)]
    live = {**history_of(execution, most=LIVE_CHILDREN), "inputs": inputs_of(task), "tiles": tiles}
    return _read(number, "live", live, known)


def _afterwards(record: ExportRecord, records: Records) -> Iterator[AttemptAudit]:
    """The executions of deliveries that were asked for after the export had ended."""
    executions, nothing = Executions(service().state_machine), _Known(given_up=(), failed=())
    for delivery in records.deliveries(record.export_id):
        if delivery.execution is None:
            continue
        task = ExportTask(export_id=record.export_id, attempt=delivery.attempt)
        if (archive := archived_delivery(task, delivery.execution)) is not None:
            yield _read(delivery.attempt, "archive", archive, nothing)
        elif execution := executions.describe(executions.arn_of(delivery.execution)):
            yield _read(delivery.attempt, "live", history_of(execution), nothing)


def _read(number: int, source: Any, archive: Archive, known: _Known) -> AttemptAudit:
    execution = archive["execution"]
    began, ended = _time(execution.get("startDate")), _time(execution.get("stopDate"))
    children = [child_of(child["events"]) for child in archive.get("children", ())]
    return AttemptAudit(
        attempt=number,
        execution=execution["executionArn"],
        source=source,
        status=execution["status"],
        began_at=began,
        ended_at=ended,
        seconds=(ended - began).total_seconds() if began and ended else None,
        inputs=tuple(InputFile.model_validate(each) for each in archive.get("inputs", ())),
        states=states_of(archive["events"]),
        tiles=_tiles([TileRecord.model_validate(each) for each in archive.get("tiles", ())], known),
        children_started=archive.get("children_started", len(children)),
        children=tuple(child for child in children if child is not None),
    )


def _tiles(tiles: Sequence[TileRecord], known: _Known) -> TilesRun:
    count = {state: sum(tile.state == state for tile in tiles) for state in ("done", "empty", "failed")}
    names = set(TileRun.model_fields)
    rendered = [
        TileRun(**tile.model_dump(include=names), failures=known.tries_of(tile)) for tile in tiles if not tile.reused
    ]
    return TilesRun(
        **count,
        reused=sum(tile.reused for tile in tiles),
        billed_ms=sum(tile.billed_ms for tile in tiles),
        rendered=tuple(rendered),
        given_up=known.given_up,
    )


def _lines(attempt: AttemptAudit) -> Iterator[AuditEvent]:
    """What an execution did, in words."""

    def line(at: dt.datetime, what: str, **details: Any) -> AuditEvent:
        return AuditEvent(at=at, what=what, attempt=attempt.attempt, details=details)

    if attempt.began_at:
        yield line(attempt.began_at, "the execution began", execution=attempt.execution)
    for run in attempt.states:
        yield from (line(at, what, **details) for at, what, details in _told(run))
    for child in attempt.children:
        for failure in child.failures:
            how = "failed and was tried again" if failure.again else "failed"
            yield line(failure.at, f"a worker {how}", tiles=child.tiles, error=_plain(failure.error))
    for given in attempt.tiles.given_up:
        yield line(given.at, "tiles were given up", tiles=given.tiles, error=_plain(given.error))
    if attempt.ended_at:
        how = str(attempt.status).lower().replace("_", " ")
        yield line(attempt.ended_at, f"the execution has {how}", seconds=attempt.seconds)


def _told(run: StateRun) -> Iterator[tuple[dt.datetime, str, dict[str, Any]]]:
    yield run.entered_at, f"{run.state} began", {}
    for failure in run.failures:
        how = "failed and was tried again" if failure.again else "failed"
        yield failure.at, f"{run.state} {how}", {"error": _plain(failure.error)}
    if run.left_at:
        failed = "was reached" if run.type == "Fail" else "gave up"
        how = {"done": "was done", "failed": failed, "stopped": "was stopped"}.get(run.outcome, "ended")
        yield run.left_at, f"{run.state} {how}", {"seconds": run.seconds}


def _plain(error: Failure) -> dict[str, Any]:
    return error.model_dump(exclude_none=True)


def _time(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
