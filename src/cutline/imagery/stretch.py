"""How bright a whole scene is: the stretch of its bands."""

from __future__ import annotations

import numpy as np
import pyproj
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling

from cutline.errors import CutlineError, InvalidScene
from cutline.imagery.masks import excluded
from cutline.imagery.reader import reading
from cutline.models.scene import Asset, Band, Mask, Scene, Stretch

LONG_SIDE = 1024
"""Pixels. A million samples place a percentile far closer than 8 bits can show"""
MASK_LONG_SIDE = 4096
"""Pixels; finer, for the mask is looked up at places that are not its own"""

Valid = NDArray[np.bool_]
Shape = tuple[int, int]


def with_stretch(scene: Scene, percentiles: tuple[float, float]) -> Scene:
    """``scene`` with the stretch of every band: ``percentiles`` (0..100) of its valid pixels, in physical values.

    The whole scene counts, whatever the AOI, so that exports of neighbouring areas match. Always the same pixels are
    looked at. Raises InvalidScene for a band without a valid pixel, SourceUnavailable.
    """
    stretches: dict[str, Stretch] = {}
    for key in dict.fromkeys(band.asset for band in scene.bands):
        try:
            stretches |= _stretch_asset(scene, key, percentiles)
        except CutlineError as error:
            raise type(error)(f"scene {scene.id}: {error.message}", pointer=error.pointer) from error
    bands = tuple(band.model_copy(update={"stretch": stretches[band.name]}) for band in scene.bands)
    return scene.model_copy(update={"bands": bands})


def _stretch_asset(scene: Scene, key: str, percentiles: tuple[float, float]) -> dict[str, Stretch]:
    """The stretches of the bands of one file, by name."""
    asset = scene.assets[key]
    shape = _decimated(asset.shape, LONG_SIDE)
    with reading(asset, overview=_overview(asset, shape)) as dataset:
        valid = _valid(dataset, asset, shape)
        if scene.mask is not None:
            valid &= ~_masked(scene.assets[scene.mask.asset], scene.mask, asset, shape)
        return {
            band.name: _stretch(band, _read(dataset, band.index, shape)[valid], percentiles)
            for band in scene.bands
            if band.asset == key
        }


def _stretch(band: Band, stored: NDArray[np.generic], percentiles: tuple[float, float]) -> Stretch:
    values = stored.astype(np.float64) * band.scale + band.offset
    values = values[np.isfinite(values)]
    if not len(values):
        raise InvalidScene(f"band {band.name} has no valid pixel to take its brightness from")
    low, high = (float(value) for value in np.percentile(values, percentiles))
    if low == high:  # all alike: one step of the stored values, so that nobody divides by nothing
        high = low + abs(band.scale)
    return Stretch(low=low, high=high)


def _valid(dataset: rasterio.DatasetReader, asset: Asset, shape: Shape) -> Valid:
    if asset.validity == "alpha" and asset.alpha is not None:
        return np.asarray(_read(dataset, asset.alpha, shape) != 0)
    if asset.validity == "mask":
        return np.asarray(dataset.read_masks(1, out_shape=shape, resampling=Resampling.nearest) != 0)
    valid = np.full(shape, asset.validity == "all")
    if asset.validity == "nodata" and asset.nodata is not None:
        for index in dataset.indexes:
            stored = _read(dataset, index, shape)
            valid |= ~np.isnan(stored) if np.isnan(asset.nodata) else stored != asset.nodata
    return valid


def _masked(mask_asset: Asset, mask: Mask, asset: Asset, shape: Shape) -> Valid:
    """Which of the ``shape`` samples of ``asset`` the scene's mask rules out; outside of the mask, none."""
    mask_shape = _decimated(mask_asset.shape, MASK_LONG_SIDE)
    with reading(mask_asset, overview=_overview(mask_asset, mask_shape)) as dataset:
        stored = _read(dataset, mask.index, mask_shape)
    ruled_out = excluded(mask, stored)
    x, y = _centres(asset, shape)
    if mask_asset.crs != asset.crs:
        x, y = pyproj.Transformer.from_crs(asset.crs, mask_asset.crs, always_xy=True).transform(x, y)
    inside, rows, cols = _places(mask_asset, mask_shape, x, y)
    result = np.zeros(shape, bool)
    result[inside] = ruled_out[rows, cols]
    return result


def _centres(asset: Asset, shape: Shape) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x and y of the samples, each of ``shape``."""
    rows, cols = np.indices(shape) + 0.5
    a, b, c, d, e, f = _scaled(asset, shape)
    return a * cols + b * rows + c, d * cols + e * rows + f


def _places(
    asset: Asset, shape: Shape, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[Valid, NDArray[np.intp], NDArray[np.intp]]:
    """Which of the points lie in ``asset``, and the (row, col) of those among its ``shape`` samples."""
    a, b, c, d, e, f = tuple(~Affine(*_scaled(asset, shape)))[:6]
    with np.errstate(invalid="ignore"):
        col, row = np.floor(a * x + b * y + c), np.floor(d * x + e * y + f)
    inside = (col >= 0) & (col < shape[1]) & (row >= 0) & (row < shape[0])
    return inside, row[inside].astype(np.intp), col[inside].astype(np.intp)


def _scaled(asset: Asset, shape: Shape) -> tuple[float, ...]:
    rows, cols = asset.shape
    return tuple(Affine(*asset.transform) @ Affine.scale(cols / shape[1], rows / shape[0]))[:6]


def _decimated(shape: Shape, long_side: int) -> Shape:
    factor = max(1, -(-max(shape) // long_side))
    return -(-shape[0] // factor), -(-shape[1] // factor)


def _overview(asset: Asset, shape: Shape) -> int | None:
    """The coarsest overview that still has ``shape``'s samples."""
    factor = max(asset.shape) / max(shape)
    enough = [index for index, overview in enumerate(asset.overviews) if overview <= factor]
    return enough[-1] if enough else None


def _read(dataset: rasterio.DatasetReader, index: int, shape: Shape) -> NDArray[np.generic]:
    band: NDArray[np.generic] = dataset.read(index, out_shape=shape, resampling=Resampling.nearest)
    return band
