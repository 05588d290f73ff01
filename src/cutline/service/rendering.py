"""The state RenderTile: some tiles of a plan, each unless it is there already.

What an invocation keeps for the next one in the same process is the plan it was at, with its scenes open.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

from cutline.cog.receipts import finished
from cutline.errors import CutlineError, TooLarge
from cutline.estimate import cost_of
from cutline.models.plan import ExportPlan, TilePlan
from cutline.models.receipt import TileReceipt
from cutline.models.record import TILE_FAILED, Event, ExportRecord, Failure, TileRecord, now
from cutline.models.task import Progressed, TileTask
from cutline.render import Renderer
from cutline.service.attempts import wanted
from cutline.settings import service
from cutline.store.plans import Plans
from cutline.store.records import Records
from cutline.store.s3_workspace import S3Workspace

ENOUGH_FAILURES = 3
"""Tiles that failed for good, after which the export cannot succeed and the others need not be rendered"""

_warm: tuple[str, ExportPlan, Renderer] | None = None
"""The plan that this process rendered last, by its href; one, for each holds files and blocks"""


def render_tiles(task: TileTask, enough_time: Callable[[], bool]) -> Progressed:
    """Render ``task``'s tiles while there is ``enough_time`` for one more, and those that are finished not again.

    Done at once where the attempt has ended or has failed already. Raises what went wrong with a tile, and TooLarge
    where the export has cost what it may.
    """
    records = Records(service().table)
    if wanted(records, task) is None or _has_failed(records, task):
        return Progressed(done=True)
    workspace = S3Workspace(service().work_bucket)
    plan, renderer = _renderer(task, workspace)
    for index in task.tiles:
        tile = plan.tiles[index]
        receipt = finished(tile, workspace)
        if receipt is not None:
            _note(records, task, tile, receipt, reused=True)
            continue
        if not enough_time():
            return Progressed(done=False)
        record = wanted(records, task)  # somebody may have cancelled it since the last tile
        if record is None:
            break
        _check_cost(record, plan)
        _render(records, task, tile, renderer)
    return Progressed(done=True)


def _has_failed(records: Records, task: TileTask) -> bool:
    failures = itertools.islice(records.failures(task.export_id, task.attempt), ENOUGH_FAILURES)
    return sum(1 for _ in failures) == ENOUGH_FAILURES


def _renderer(task: TileTask, workspace: S3Workspace) -> tuple[ExportPlan, Renderer]:
    global _warm  # noqa: PLW0603 - a Lambda's process keeps nothing else from one invocation to the next
    if _warm is None or _warm[0] != task.plan_href:
        if _warm is not None:
            _warm[2].close()  # GDAL remembers what it read of an object until the last that has it open closes it
        plan = Plans(service().work_bucket).read(task)
        _warm = task.plan_href, plan, Renderer(plan, workspace)
    return _warm[1], _warm[2]


def _render(records: Records, task: TileTask, tile: TilePlan, renderer: Renderer) -> None:
    """Render a tile, and say what became of it and what it took."""
    began = time.monotonic()
    try:
        receipt = renderer.render(tile)
    except CutlineError as error:
        renderer.close()  # the next try begins with nothing that this one may have spoiled
        failure = Failure(code=error.code, message=error.message, pointer=error.pointer)
        took = _milliseconds_since(began)
        records.put_tile(task.export_id, _tile(task, tile, state="failed", error=failure, billed_ms=took))
        details = {"row": tile.row, "col": tile.col, "error": failure.model_dump(exclude_none=True)}
        event = Event(at=now(), what=TILE_FAILED, by="render_tile", attempt=task.attempt, details=details)
        records.add_event(task.export_id, event)  # the tile's record has its last try only
        raise
    _note(records, task, tile, receipt, billed_ms=_milliseconds_since(began))


def _milliseconds_since(began: float) -> int:
    return round(1000 * (time.monotonic() - began))


def _check_cost(record: ExportRecord, plan: ExportPlan) -> None:
    if record.max_cost is not None and cost_of(record.billed_ms) >= record.max_cost:
        raise TooLarge(
            f"rendering has cost the ${record.max_cost:g} that max_cost allows, before all of its {len(plan.tiles)} "
            "tiles were done; retry goes on from those, for as much again",
            pointer="/max_cost",
        )


def _note(
    records: Records, task: TileTask, tile: TilePlan, receipt: TileReceipt, *, reused: bool = False, billed_ms: int = 0
) -> None:
    done = _tile(task, tile, state="empty" if receipt.empty else "done", reused=reused, billed_ms=billed_ms)
    records.put_tile(task.export_id, done)


def _tile(task: TileTask, tile: TilePlan, **fields: object) -> TileRecord:
    planned = tile.model_dump(include={"row", "col", "key", "pixels"})
    return TileRecord.model_validate({**planned, "attempt": task.attempt, "at": now(), **fields})
