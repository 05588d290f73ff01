"""What a worker process does: render the tiles it is given, one after the other, until its parent ends."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from cutline.models.plan import ExportPlan, TilePlan
from cutline.models.receipt import TileReceipt
from cutline.render import Renderer
from cutline.store.workspace import Folder

_renderer: Renderer | None = None
"""This worker's"""


def start(plan: str, folder: Path, environ: Mapping[str, str]) -> None:
    """Make this process a worker for a plan (JSON). ``environ``: its parent's, for where it was forked from may be
    older than that."""
    global _renderer  # noqa: PLW0603 - a pool hands its workers nothing but globals
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.clear()
    os.environ.update(environ)
    _renderer = Renderer(ExportPlan.model_validate_json(plan), Folder(folder))


def _end_with_parent() -> None:
    """A parent that is killed cannot end its workers, and they would wait for tiles for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - this is a worker
    parent.join()
    os._exit(1)


def render(tile: TilePlan) -> TileReceipt:
    assert _renderer is not None  # noqa: S101
    return _renderer.render(tile)
