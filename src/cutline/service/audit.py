"""The story of an export, all attempts: from the histories of its executions while AWS has them, else from the archive,
and from what its record kept of people's doings and of tiles."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

from cutline.models.audit import AttemptAudit, Audit, AuditEvent, InputFile, StateRun, TileRun, TilesRun
from cutline.models.record import ExportRecord, TileRecord
from cutline.models.task import ExportTask
from cutline.service.archiving import Archive, archived, history_of, inputs_of
from cutline.service.history import child_of, states_of
from cutline.settings import service
from cutline.store.executions import Executions
from cutline.store.records import Records


def audit_of(record: ExportRecord) -> Audit:
    """Everything that is known. What a running export still does is missing, and there at the next call."""
    records = Records(service().table)
    attempts = tuple(_attempt(record, number) for number in range(1, record.attempt + 1))
    people = [
        AuditEvent(at=event.at, what=event.what, by=event.by, attempt=event.attempt, details=event.details)
        for event in records.events(record.export_id)
    ]
    machine = [line for attempt in attempts for line in _lines(attempt)]
    return Audit(
        export_id=record.export_id,
        owner=record.owner,
        name=record.name,
        status=record.status,
        attempts=attempts,
        events=tuple(sorted([*people, *machine], key=lambda line: line.at)),
    )


def _attempt(record: ExportRecord, number: int) -> AttemptAudit:
    task = ExportTask(export_id=record.export_id, attempt=number)
    if (archive := archived(task)) is not None:
        return _read(number, "archive", archive)
    executions = Executions(service().state_machine)
    execution = executions.describe(executions.arn(record.model_copy(update={"attempt": number})))
    if execution is None:
        return AttemptAudit(attempt=number, source="none")
    tiles = [tile.model_dump(mode="json") for tile in Records(service().table).tiles(record.export_id, number)]
    live = {**history_of(execution, children=False), "inputs": inputs_of(task), "tiles": tiles}
    return _read(number, "live", live)


def _read(number: int, source: Any, archive: Archive) -> AttemptAudit:
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
        tiles=_tiles([TileRecord.model_validate(each) for each in archive.get("tiles", ())]),
        children=tuple(child for child in children if child is not None),
    )


def _tiles(tiles: Sequence[TileRecord]) -> TilesRun:
    count = {state: sum(tile.state == state for tile in tiles) for state in ("done", "empty", "failed")}
    names = set(TileRun.model_fields)
    rendered = [TileRun.model_validate(tile.model_dump(include=names)) for tile in tiles if not tile.reused]
    return TilesRun(
        **count,
        reused=sum(tile.reused for tile in tiles),
        billed_ms=sum(tile.billed_ms for tile in tiles),
        rendered=tuple(rendered),
    )


def _lines(attempt: AttemptAudit) -> Iterator[AuditEvent]:
    """What an execution did, in words."""

    def line(at: dt.datetime, what: str, **details: Any) -> AuditEvent:
        return AuditEvent(at=at, what=what, attempt=attempt.attempt, details=details)

    if attempt.began_at:
        yield line(attempt.began_at, "the execution began", execution=attempt.execution)
    for run in attempt.states:
        yield from (line(at, what, **details) for at, what, details in _told(run))
    for tile in attempt.tiles.rendered:
        if tile.error:
            yield line(tile.at, f"tile ({tile.row}, {tile.col}) failed", error=tile.error.model_dump(exclude_none=True))
    if attempt.ended_at:
        how = str(attempt.status).lower().replace("_", " ")
        yield line(attempt.ended_at, f"the execution has {how}", seconds=attempt.seconds)


def _told(run: StateRun) -> Iterator[tuple[dt.datetime, str, dict[str, Any]]]:
    yield run.entered_at, f"{run.state} began", {}
    for failure in run.failures:
        how = "failed and was tried again" if failure.again else "failed"
        yield failure.at, f"{run.state} {how}", {"error": failure.error.model_dump(exclude_none=True)}
    if run.left_at:
        gave_up = "gave up" if run.failures else "was reached"  # as Failed is
        how = {"done": "was done", "failed": gave_up, "stopped": "was stopped"}.get(run.outcome, "ended")
        yield run.left_at, f"{run.state} {how}", {"seconds": run.seconds}


def _time(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
