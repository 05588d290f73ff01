"""Render one tile: read, mosaic, process, mask, encode.

A tile is worked in strips of rows, so that memory is bounded however many bands and scenes there are. All steps
after resampling are pointwise, and resampling does not depend on the window: strips and tiles leave no trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from cutline.cog.pyramid import Raster, finished, write_pyramid
from cutline.cog.receipts import receipt_name
from cutline.errors import CutlineError, InternalError
from cutline.grid import Cutline, Tiling
from cutline.imagery.mosaic import check_bands
from cutline.models.plan import ExportPlan, TilePlan
from cutline.models.receipt import TileReceipt
from cutline.mosaic import RULES, Window, time_stack
from cutline.process import compile_graph
from cutline.read import OpenFiles, SceneReader
from cutline.statistics import NONE, band_statistics
from cutline.store.workspace import Workspace

_STRIP_BYTES = 96 << 20
"""What the arrays of a strip may take while it is mosaicked and processed"""


class Renderer:
    """A plan made ready to render its tiles: what one worker keeps from tile to tile."""

    def __init__(self, plan: ExportPlan, workspace: Workspace) -> None:
        self._plan = plan
        self._workspace = workspace
        self._tiling = Tiling(plan.geobox.shape, plan.edge)
        self._cutline = Cutline(shapely.from_wkb(plan.cutline), plan.geobox)
        names = check_bands(plan.scenes)  # all, as the plan saw them: b2 is the second of those, not of those used
        dtypes = dict.fromkeys(names, plan.dtype) | dict(zip(plan.bands, plan.band_dtypes, strict=True))
        self._process = compile_graph(plan.graph, names, dtypes)
        self._files = OpenFiles()
        self._readers = [SceneReader(scene, plan, self._files) for scene in plan.scenes]

    def close(self) -> None:
        """Close the scenes' files; what is rendered next opens them again."""
        self._files.close()

    def render(self, tile: TilePlan) -> TileReceipt:
        """Write the tile's segments and its receipt. Raises what went wrong, naming the tile and the scene."""
        try:
            receipt = self._render(tile)
        except CutlineError as error:
            raise type(error)(f"tile ({tile.row}, {tile.col}): {error.message}") from error
        except MemoryError as error:
            raise InternalError(f"tile ({tile.row}, {tile.col}): no memory left; use fewer --workers") from error
        self._workspace.put(receipt_name(tile.key), receipt.model_dump_json().encode())
        return receipt

    def _render(self, tile: TilePlan) -> TileReceipt:
        spec = self._plan.cog
        raster = self._pixels(tile)
        if not raster.valid.any():
            nothing = (NONE,) * len(spec.bands)
            return TileReceipt(key=tile.key, segments=(), apex=None, statistics=nothing, empty=True)
        pyramid = write_pyramid(
            raster, spec, first_level=0, levels=self._tiling.levels, name=tile.key, workspace=self._workspace
        )
        return TileReceipt(
            key=tile.key,
            segments=pyramid.segments,
            apex=pyramid.apex,
            apex_nbytes=pyramid.apex_nbytes,
            codec_tags=pyramid.codec_tags,
            statistics=tuple(band_statistics(band, raster.valid) for band in raster.values),
            empty=False,
        )

    def _pixels(self, tile: TilePlan) -> Raster:
        plan, shape = self._plan, self._tiling.tile_shape(tile.row, tile.col)
        readers = [self._readers[index] for index in tile.scenes]
        row, col = tile.row * plan.edge, tile.col * plan.edge
        if self._is_plain:
            wanted = self._cutline.mask(row, col, shape)
            values, valid = RULES[plan.reducer](
                Window(plan.geobox, row, col, wanted, len(plan.bands), plan.dtype), readers
            )
            return self._finished(Raster(values, valid))
        values = np.empty((len(plan.cog.bands), *shape), plan.cog.dtype)
        valid = np.zeros(shape, np.bool_)
        height = self._strip_height(len(readers), shape[1])
        for start in range(0, shape[0], height):
            rows = slice(start, min(start + height, shape[0]))
            wanted = self._cutline.mask(row + start, col, (rows.stop - start, shape[1]))
            if wanted.any():
                window = Window(plan.geobox, row + start, col, wanted, len(plan.bands), plan.dtype)
                values[:, rows], valid[rows] = self._strip(window, readers)
        return self._finished(Raster(values, valid))

    def _finished(self, raster: Raster) -> Raster:
        if not raster.valid.any():  # nothing of it will be stored
            return raster
        return finished(raster, self._plan.cog, gaps=_has_nodata_already(self._plan))

    @property
    def _is_plain(self) -> bool:
        """Whether a tile is a mosaic and no more, which takes no room beside the tile's own."""
        plan = self._plan
        return plan.stored and self._process.identity and plan.reducer == "first" and plan.dtype == plan.cog.dtype

    def _strip(self, window: Window, readers: Sequence[SceneReader]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Values as they are to be stored, and which pixels have any."""
        plan = self._plan
        if plan.reducer == "time":
            return _stored(self._process(time_stack(window, readers)), window.wanted, plan)
        pixels, valid = RULES[plan.reducer](window, readers)
        if self._process.selection:
            return _stored(self._process(pixels), valid, plan)
        floats = pixels.astype(np.result_type(pixels, np.float32), copy=False)
        floats[:, ~valid] = np.nan
        return _stored(self._process(floats), valid, plan)

    def _strip_height(self, scenes: int, cols: int) -> int:
        """Rows that fit: the mosaic's layers as floats, and about as much again while they are processed."""
        plan = self._plan
        layers = scenes if plan.reducer in {"time", "median"} else 3
        itemsize = max(np.dtype(plan.dtype).itemsize, 4)
        row_bytes = cols * itemsize * (2 * layers * len(plan.bands) + 3 * len(plan.cog.bands))
        return max(1, _STRIP_BYTES // row_bytes)


def _stored(values: NDArray[Any], valid: NDArray[np.bool_], plan: ExportPlan) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Computed values as the file's dtype has them, and the pixels that remain: NaN and infinities are no integers."""
    dtype = np.dtype(plan.cog.dtype)
    if values.dtype.kind == "f" and dtype.kind != "f":
        valid = valid & np.isfinite(values).all(axis=0)
    if plan.packed:
        values = (values - plan.cog.offset) / plan.cog.scale
    if dtype.kind != "f":
        return _as_integers(values, dtype), valid
    with np.errstate(over="ignore"):  # becomes infinity, and so no data
        return values.astype(dtype), valid


def _has_nodata_already(plan: ExportPlan) -> bool:
    """Whether the files copied from use the very same nodata: then a value of theirs that equals it is none."""
    used = {band.asset for scene in plan.scenes for band in scene.bands if band.name in plan.bands}
    nodata = {asset.nodata for scene in plan.scenes for key, asset in scene.assets.items() if key in used}
    return plan.stored and nodata == {plan.cog.nodata}


def _as_integers(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Rounded half up and clipped to what the dtype holds."""
    if values.dtype == dtype:
        return values
    limits = np.iinfo(dtype)
    if values.dtype.kind == "f" and dtype.itemsize > 2:
        values = values.astype(np.float64)  # float32 has no room for the limits of 32-bit integers
    rounded = np.floor(values + 0.5) if values.dtype.kind == "f" else values
    with np.errstate(invalid="ignore"):  # NaN, about to be replaced
        return np.clip(rounded, limits.min, limits.max).astype(dtype)
