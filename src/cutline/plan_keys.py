"""Keys of tiles: a hash of all that decides a tile's bytes, so that equal work is never done twice.

What does not decide them is left out: tiles far away, the name of the output, the place of the tile in the export.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np

from cutline.grid import Cutline, Tiling
from cutline.models.plan import ExportPlan, TilePlan
from cutline.models.scene import Scene

_OF_THE_WHOLE = {
    "engine",
    "graph",
    "bands",
    "band_dtypes",
    "reducer",
    "stored",
    "dtype",
    "packed",
    "resampling",
    "cog",
    "edge",
}


def tile_keys(plan: ExportPlan, tiles: Sequence[TilePlan], cutline: Cutline) -> tuple[TilePlan, ...]:
    """``tiles`` with their keys."""
    whole = plan.model_dump(mode="json", include=_OF_THE_WHOLE)
    scenes = [_fingerprint(scene, plan.bands) for scene in plan.scenes]
    tiling = Tiling(plan.geobox.shape, plan.edge)
    inside = _Inside(cutline)
    keyed = []
    for tile in tiles:
        row, col = tile.row * plan.edge, tile.col * plan.edge
        shape = tiling.tile_shape(tile.row, tile.col)
        inputs = {
            "whole": whole,
            "levels": tiling.levels,
            "scenes": [scenes[index] for index in tile.scenes],
            "geobox": plan.geobox.window(row, col, shape).model_dump(mode="json"),
            "cutline": inside.digest(row, col, shape),
        }
        keyed.append(tile.model_copy(update={"key": _digest(inputs)}))
    return tuple(keyed)


def _fingerprint(scene: Scene, bands: Sequence[str]) -> str:
    """Of what a scene contributes. A file whose content nothing identifies gets a key that never comes again."""
    used = [band for name in bands if (band := scene.band(name))]
    keys = dict.fromkeys([band.asset for band in used] + ([scene.mask.asset] if scene.mask else []))
    assets = [scene.assets[key].model_dump(mode="json") for key in keys]
    return _digest(
        {
            "assets": assets,
            "bands": [band.model_dump(mode="json") for band in used],
            "mask": scene.mask and scene.mask.model_dump(mode="json"),
            "footprint": scene.footprint,
            "never": uuid.uuid4().hex if any(asset["identity"] is None for asset in assets) else None,
        }
    )


class _Inside:
    """The cutline's runs of pixels, to be asked tile by tile."""

    def __init__(self, cutline: Cutline) -> None:
        self._row, self._first, self._end = cutline.spans()

    def digest(self, row: int, col: int, shape: tuple[int, int]) -> str:
        """Of which pixels of a tile are inside."""
        low, high = np.searchsorted(self._row, [row, row + shape[0]])
        first = np.clip(self._first[low:high] - col, 0, shape[1])
        end = np.clip(self._end[low:high] - col, 0, shape[1])
        some = end > first
        runs = np.stack([self._row[low:high] - row, first, end])[:, some]
        return hashlib.sha256(np.ascontiguousarray(runs, "<i8").tobytes()).hexdigest()


def _digest(inputs: dict[str, Any]) -> str:
    canonical = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:40]
