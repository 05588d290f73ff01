"""Keys of tiles: a hash of all that decides a tile's bytes, so that equal work is never done twice.

What does not decide them is left out: tiles far away, the name of the output, the place of the tile in the export.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import uuid
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import numpy as np

from cutline.grid import Cutline, Spans, Tiling
from cutline.models.plan import ExportPlan, TilePlan
from cutline.models.scene import Scene

_LOCK = {
    name: metadata.version(name)
    for name in ("color-operations", "deflate", "numpy", "pyproj", "rasterio", "shapely", "zstandard")
}
"""What computes and encodes beside us; the wheels bring PROJ and GDAL with their codecs"""

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


def tile_keys(plan: ExportPlan, tiles: Sequence[TilePlan], cutline: Cutline, owner: str = "") -> tuple[TilePlan, ...]:
    """``tiles``, which come row by row, with their keys. With an ``owner``, nobody else's work is ever used."""
    whole = {**plan.model_dump(mode="json", include=_OF_THE_WHOLE), "lock": _LOCK}
    if owner:
        whole["owner"] = owner
    scenes = [_fingerprint(scene, plan.bands) for scene in plan.scenes]
    tiling = Tiling(plan.geobox.shape, plan.edge)
    keyed = []
    for tile_row, in_row in itertools.groupby(tiles, lambda tile: tile.row):
        row = tile_row * plan.edge
        inside = cutline.spans(row, row + plan.edge)
        for tile in in_row:
            col, shape = tile.col * plan.edge, tiling.tile_shape(tile.row, tile.col)
            inputs = {
                "whole": whole,
                "levels": tiling.levels,
                "scenes": [scenes[index] for index in tile.scenes],
                "geobox": plan.geobox.window(row, col, shape).model_dump(mode="json"),
                "cutline": _pixels_inside(inside, row, col, shape),
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


def _pixels_inside(inside: Spans, row: int, col: int, shape: tuple[int, int]) -> str:
    """A hash of which pixels of a tile are inside, from the runs of its rows."""
    here = (inside.first < col + shape[1]) & (inside.end > col)
    first, end = np.maximum(inside.first[here] - col, 0), np.minimum(inside.end[here] - col, shape[1])
    if len(first) == shape[0] and not first.any() and (end == shape[1]).all():
        return "all"  # as most tiles are
    runs = np.stack([inside.row[here] - row, first, end])
    return hashlib.sha256(runs.astype("<i4").tobytes()).hexdigest()


def _digest(inputs: dict[str, Any]) -> str:
    canonical = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:40]
