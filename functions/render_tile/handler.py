"""The state RenderTile: some tiles of a plan become segments."""

from __future__ import annotations

from typing import Any

from cutline.models.task import Progressed, TileTask
from cutline.service.boundary import step
from cutline.service.rendering import render_tiles

SHARE = 0.4
"""Of the time that an invocation has: with less of it left no tile is begun, for none takes nearly as long"""


@step(TileTask)
def handler(task: TileTask, context: Any) -> Progressed:
    given = context.get_remaining_time_in_millis()
    return render_tiles(task, lambda: context.get_remaining_time_in_millis() > SHARE * given)
