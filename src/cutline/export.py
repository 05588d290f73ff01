"""An export on this machine: plan, render in worker processes, assemble, describe.

What is finished is kept until the file is whole, under keys of its inputs: the same command again goes on where it
was stopped, and renders only what has changed.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cutline import pool
from cutline.cog.assemble import assemble
from cutline.cog.receipts import finished
from cutline.errors import InvalidRequest
from cutline.imagery import Permit, describe_scenes, with_stretch
from cutline.item import describe_cog
from cutline.models.plan import ExportPlan
from cutline.models.receipt import CogReceipt, TileReceipt
from cutline.models.request import ExportRequest
from cutline.models.scene import Scene, Stretch
from cutline.plan import make_plan
from cutline.render import Renderer
from cutline.store.output import alone, check_place, check_sources, item_path, set_aside
from cutline.store.workspace import Folder
from cutline.tags import tags_of

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

    @property
    def warnings(self) -> tuple[str, ...]:
        """The plan's, and what only the result shows."""
        empty = not any(band.count for band in self.receipt.statistics)
        return self.plan.warnings + (("no pixel of the result has data",) if empty else ())


def plan_request(
    request: ExportRequest,
    *,
    edge: int | None = None,
    statistics: bool = True,
    permit: Permit | None = None,
    owner: str = "",
) -> ExportPlan:
    """Describe the scenes and plan. ``permit`` is asked before anything is opened; ``owner`` as in ``make_plan``.

    Reads headers only; pixels too where a stretch needs their ``statistics``. Without those the plan is good for an
    estimate alone: its stretch is made up.
    """
    scenes = describe_scenes(request.source, permit)
    if request.source.stretch is not None:
        percentiles = request.source.stretch
        scenes = tuple(with_stretch(scene, percentiles) if statistics else _stretched(scene) for scene in scenes)
    return make_plan(request, scenes, edge=edge, owner=owner)


def _stretched(scene: Scene) -> Scene:
    bands = tuple(band.model_copy(update={"stretch": Stretch(low=0, high=1)}) for band in scene.bands)
    return scene.model_copy(update={"bands": bands})


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
    exports can use them; by default one beside ``out`` that ends with it. Raises Conflict where ``out`` is being
    exported already.
    """
    started = time.monotonic()
    folder = work or out.with_name(f".{out.name}.cutline")
    workers = workers or os.cpu_count() or 1
    check_place(out)
    if folder.exists() and not folder.is_dir():
        raise InvalidRequest(f"{folder} is a file; the work folder has to be a folder")
    with alone(out):
        plan = plan_request(request, edge=edge)
        check_sources(out, _hrefs(plan))
        workspace = Folder(folder)
        receipts, reused = render_tiles(plan, workspace, workers, progress)
        with set_aside(out) as aside:
            receipt = assemble(plan, receipts, workspace, aside, tags_of(plan))
            describe_cog(plan, receipt, aside)
        if work is None:
            shutil.rmtree(folder, ignore_errors=True)
    receipt = receipt.model_copy(update={"href": str(out)})
    return Exported(plan, receipt, item_path(out), reused, time.monotonic() - started)


def _hrefs(plan: ExportPlan) -> Iterator[str]:
    """What the export reads."""
    for scene in plan.scenes:
        yield from (asset.href for asset in scene.assets.values())
        if scene.item_href is not None:
            yield scene.item_href


def render_tiles(
    plan: ExportPlan, workspace: Folder, workers: int, progress: Progress | None = None
) -> tuple[list[TileReceipt | None], int]:
    """The receipts of all tiles, in the plan's order, and how many of them were there already.

    The first tile that fails stops the others; what is finished stays in the workspace.
    """
    receipts = [finished(tile, workspace) for tile in plan.tiles]
    todo = [index for index, receipt in enumerate(receipts) if receipt is None]
    reused = done = len(receipts) - len(todo)
    report = progress or (lambda _done, _planned: None)
    report(done, len(receipts))
    with closing(_rendered(plan, workspace, todo, min(workers, len(todo)))) as rendered:
        for index, receipt in rendered:
            receipts[index] = receipt
            done += 1
            report(done, len(receipts))
    return receipts, reused


def _rendered(
    plan: ExportPlan, workspace: Folder, todo: Sequence[int], workers: int
) -> Generator[tuple[int, TileReceipt], None, None]:
    if workers > 1:
        yield from pool.rendered(plan, workspace.folder, todo, workers)
        return
    renderer = Renderer(plan, workspace)
    for index in todo:
        yield index, renderer.render(plan.tiles[index])


__all__ = ["Exported", "export", "plan_request", "render_tiles"]
