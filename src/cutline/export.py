"""An export on this machine: plan, render in worker processes, assemble, describe.

What is finished is kept until the file is whole, under keys of its inputs: the same command again goes on where it
was stopped, and renders only what has changed.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cutline.cog.assemble import assemble
from cutline.errors import InternalError, InvalidRequest
from cutline.imagery import band_statistics, describe_scenes
from cutline.item import describe_cog, tags_of
from cutline.models.plan import ExportPlan, TilePlan
from cutline.models.receipt import CogReceipt, TileReceipt
from cutline.models.request import ExportRequest
from cutline.plan import make_plan
from cutline.render import Renderer, receipt_name
from cutline.store.workspace import Workspace

Progress = Callable[[int, int], None]
"""Called with (tiles done, tiles planned)"""


@dataclass(frozen=True)
class Exported:
    """What ``export`` made."""

    plan: ExportPlan
    receipt: CogReceipt
    item: Path
    reused: int
    """Tiles that an earlier run had finished"""
    seconds: float


def plan_request(request: ExportRequest, *, edge: int | None = None, statistics: bool = True) -> ExportPlan:
    """Describe the scenes (headers only; their statistics too, where a stretch needs them) and plan."""
    scenes = describe_scenes(request.source)
    if request.source.stretch is not None and statistics:
        scenes = tuple(band_statistics(scene, request.source.stretch) for scene in scenes)
    return make_plan(request, scenes, edge=edge)


def export(
    request: ExportRequest,
    out: Path,
    *,
    workers: int = 0,
    edge: int | None = None,
    work: Path | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write ``out`` (a COG) and its STAC item beside it; either both are whole or neither is there.

    ``workers``: processes, 0 for one a core. ``work``: a folder for segments that outlives the export, so that other
    exports can use them; by default one beside ``out`` that ends with it.
    """
    started = time.monotonic()
    _check_place(out)
    plan = plan_request(request, edge=edge)
    folder = work or out.with_name(f".{out.name}.cutline")
    workspace = Workspace(folder)
    receipts, reused = render_tiles(plan, workspace, workers or os.cpu_count() or 1, progress)
    receipt = assemble(plan, receipts, workspace, out, tags_of(plan))
    item = describe_cog(plan, receipt, out)
    if work is None:
        shutil.rmtree(folder, ignore_errors=True)
    return Exported(plan, receipt, item, reused, time.monotonic() - started)


def _check_place(out: Path) -> None:
    """Refuse before hours of work what would fail after them."""
    if out.is_dir():
        raise InvalidRequest(f"{out} is a folder; name a file in it, such as {out / 'export.tif'}")
    if not out.parent.is_dir():
        raise InvalidRequest(f"there is no folder {out.parent}")
    if not os.access(out.parent, os.W_OK):
        raise InvalidRequest(f"{out.parent} is not writable")


def render_tiles(
    plan: ExportPlan, workspace: Workspace, workers: int, progress: Progress | None = None
) -> tuple[list[TileReceipt | None], int]:
    """The receipts of all tiles, in the plan's order, and how many of them were there already.

    The first tile that fails stops the others; what is finished stays in the workspace.
    """
    receipts = [_finished(tile, workspace) for tile in plan.tiles]
    todo = [index for index, receipt in enumerate(receipts) if receipt is None]
    reused = done = len(receipts) - len(todo)
    report = progress or (lambda _done, _planned: None)
    report(done, len(receipts))
    for index, receipt in _rendered(plan, workspace, todo, min(workers, len(todo))):
        receipts[index] = receipt
        done += 1
        report(done, len(receipts))
    return receipts, reused


def _finished(tile: TilePlan, workspace: Workspace) -> TileReceipt | None:
    """The receipt of a tile done before, if all that it promises is still there."""
    content = workspace.get(receipt_name(tile.key))
    if content is None:
        return None
    receipt = TileReceipt.model_validate_json(content)
    names = [segment.name for segment in receipt.segments] + ([receipt.apex] if receipt.apex else [])
    return receipt if all(workspace.path(name).is_file() for name in names) else None


def _rendered(
    plan: ExportPlan, workspace: Workspace, todo: Sequence[int], workers: int
) -> Iterator[tuple[int, TileReceipt]]:
    if workers <= 1:
        renderer = Renderer(plan, workspace)
        for index in todo:
            yield index, renderer.render(plan.tiles[index])
        return
    with _pool(plan, workspace, workers) as pool:
        pending: dict[Future[TileReceipt], int] = {}
        waiting = deque(todo)
        while waiting or pending:
            # A few at a time: tiles start in order, and after a failure little is still running.
            while waiting and len(pending) < 2 * workers:
                index = waiting.popleft()
                pending[pool.submit(_render_in_worker, plan.tiles[index])] = index
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                index = pending.pop(future)
                yield index, _result(future, plan.tiles[index])


def _result(future: Future[TileReceipt], tile: TilePlan) -> TileReceipt:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise InternalError(
            f"a worker died near tile ({tile.row}, {tile.col}), perhaps for lack of memory; the same command goes on "
            "from the finished tiles, with fewer --workers if need be"
        ) from error


@contextmanager
def _pool(plan: ExportPlan, workspace: Workspace, workers: int) -> Iterator[ProcessPoolExecutor]:
    """Fresh processes (GDAL does not survive a fork), which end at once when we leave by an error."""
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(plan.model_dump_json(), workspace.folder),
    )
    try:
        yield pool
    except BaseException:
        for process in list(pool._processes.values()):
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


_renderer: Renderer | None = None
"""This worker's"""


def _start_worker(plan: str, folder: Path) -> None:
    global _renderer  # noqa: PLW0603 - a pool hands its workers nothing but globals
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    _renderer = Renderer(ExportPlan.model_validate_json(plan), Workspace(folder))


def _render_in_worker(tile: TilePlan) -> TileReceipt:
    assert _renderer is not None  # noqa: S101
    return _renderer.render(tile)


__all__ = ["Exported", "export", "plan_request", "render_tiles"]
