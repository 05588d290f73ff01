"""COGs from arrays: what export does, without scenes to read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio

from cutline.cog.assemble import assemble
from cutline.cog.pyramid import Raster, write_pyramid
from cutline.grid import Tiling
from cutline.models.grid import Geobox
from cutline.models.plan import CogSpec, ExportPlan, TilePlan
from cutline.models.receipt import CogReceipt, TileReceipt
from cutline.plan import PLANAR_ABOVE_BANDS
from cutline.statistics import NONE, band_statistics
from cutline.store.workspace import Folder

NAMES = ("red", "green", "blue", "nir", "c5", "c6", "c7", "c8", "c9", "c10")


def make_spec(
    profile: str = "deflate", dtype: str = "uint8", bands: int = 1, nodata: float | None = None, **fields: object
) -> CogSpec:
    """As the planner makes them: a mask unless there is nodata, planar for many bands."""
    given = {
        "bands": NAMES[:bands], "dtype": dtype, "profile": profile, "nodata": nodata, "masked": nodata is None,
        "planar": bands > PLANAR_ABOVE_BANDS, "overview": "average",
    }  # fmt: skip
    return CogSpec(**given | fields)


def make_plan(spec: CogSpec, shape: tuple[int, int], edge: int) -> ExportPlan:
    """Every tile of the grid is planned. Scenes, graph and area are left out: nothing here looks at them."""
    geobox = Geobox(crs="EPSG:32633", resolution=(10.0, 10.0), col=40_000, row=-560_000, shape=shape)
    tiles = tuple(
        TilePlan(row=row, col=col, scenes=(), pixels=1, key=f"tile-{row}-{col}") for row, col in Tiling(shape, edge)
    )  # fmt: skip
    return ExportPlan.model_construct(
        cog=spec, geobox=geobox, edge=edge, tiles=tiles, graph={}, bands=spec.bands, pixels=shape[0] * shape[1],
        warnings=(), engine="cutline test", scenes=(), reducer="first", resampling="bilinear",
    )  # fmt: skip


def write_tiles(plan: ExportPlan, raster: Raster, workspace: Folder) -> list[TileReceipt]:
    """What the workers do, with pixels that are there already."""
    tiling = Tiling(plan.geobox.shape, plan.edge)
    receipts = []
    for tile in plan.tiles:
        rows, cols = tiling.tile_shape(tile.row, tile.col)
        row, col = tile.row * plan.edge, tile.col * plan.edge
        at = np.s_[row : row + rows, col : col + cols]
        values, valid = np.ascontiguousarray(raster.values[(slice(None), *at)]), np.ascontiguousarray(raster.valid[at])
        if not valid.any():
            nothing = (NONE,) * len(plan.cog.bands)
            receipts.append(TileReceipt(key=tile.key, segments=(), apex=None, statistics=nothing, empty=True))
            continue
        pyramid = write_pyramid(
            Raster(values, valid), plan.cog, first_level=0, levels=tiling.levels, name=tile.key, workspace=workspace
        )
        statistics = tuple(band_statistics(band, valid) for band in values)
        receipts.append(
            TileReceipt(
                key=tile.key, segments=pyramid.segments, apex=pyramid.apex, codec_tags=pyramid.codec_tags,
                statistics=statistics, empty=False,
            )
        )  # fmt: skip
    return receipts


@dataclass(frozen=True)
class Built:
    """A finished file and what it was made of."""

    path: Path
    plan: ExportPlan
    raster: Raster
    receipt: CogReceipt


def build(folder: Path, spec: CogSpec, raster: Raster, edge: int = 512) -> Built:
    plan = make_plan(spec, raster.valid.shape, edge)
    workspace = Folder(folder / "work")
    receipts = write_tiles(plan, raster, workspace)
    path = folder / "out.tif"
    return Built(path, plan, raster, assemble(plan, receipts, workspace, path, {"TIFFTAG_SOFTWARE": "cutline test"}))


def make_raster(spec: CogSpec, shape: tuple[int, int], *, noise: bool = False, seed: int = 1) -> Raster:
    """Hills (or noise) over most of the dtype's range, with a hole, a slanted edge, and nothing in the last columns.

    Where there is no data, what is stored is what the renderer stores: nodata, or 0.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    valid = (x + y > 120) & ((x - 300) ** 2 + (y - 250) ** 2 > 40**2) & (x < shape[1] * 0.7)
    full = (len(spec.bands), *shape)
    if noise:
        unit = rng.random(full)
    else:
        hills = [np.sin(x[:1] / (31 + 3 * band)) * np.cos(y[:, :1] / (43 - band)) for band in range(len(spec.bands))]
        unit = np.clip(0.5 + 0.45 * np.stack(hills), 0, 1)
    values = _in_range(unit, np.dtype(spec.dtype), spec.nodata)
    values[:, ~valid] = 0 if spec.nodata is None else spec.nodata
    return Raster(values, valid)


def _in_range(unit: np.ndarray, dtype: np.dtype, nodata: float | None) -> np.ndarray:
    """Values of [0, 1] over the dtype's range, none of which is nodata."""
    if dtype.kind == "f":
        return (unit * 4000 - 1000 if nodata is None or not nodata > -1000 else unit * 4000 + nodata + 1).astype(dtype)
    limits = np.iinfo(dtype)
    low, high = max(limits.min, -30_000), min(limits.max, 60_000)
    values = np.rint(low + unit * (high - low)).astype(dtype)
    if nodata is not None:
        values[values == nodata] += 1 if nodata < limits.max else -1
    return values


def read(path: Path, level: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Values (bands, rows, cols) and validity (rows, cols) of a level, as any reader gets them."""
    options = {"OVERVIEW_LEVEL": level - 1} if level else {}
    with rasterio.open(path, **options) as file:
        return file.read(), file.dataset_mask() > 0


def halved(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The mean of every 2 x 2 valid pixels, halves rounded up. Slowly and plainly: (bands, rows, cols), masked."""
    pad = ((0, 0), (0, values.shape[1] % 2), (0, values.shape[2] % 2))
    known = np.ma.masked_array(np.pad(values.astype("f8"), pad))
    known.mask = np.pad(~np.broadcast_to(valid, values.shape), pad, constant_values=True)
    bands, rows, cols = known.shape
    mean = known.reshape(bands, rows // 2, 2, cols // 2, 2).mean(axis=(2, 4))
    if values.dtype.kind != "f":
        mean = np.floor(mean + 0.5)
    return mean.astype(values.dtype)
