"""Resampling: from a scene's pixels to the pixels of an output geobox, exactly, whatever the window.

One engine: GDAL's warper with its exact transformer. Its approximate one (the default elsewhere) would make the
result depend on the window and so leave seams between tiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.enums import Resampling as GdalResampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from cutline.models.grid import Geobox
from cutline.models.request import Resampling

Pixels = NDArray[np.generic]

_CELL = 1 << 20
"""Windows are computed in frames that begin at multiples of this lattice index: then the coordinates of a pixel
are the same float64 for every geobox, and a frame's width stays far below what GDAL counts in 32 bits."""

_NEAR_ONE = 0.95

_TOLERANCE = 1e-6
"""Pixels. GDAL computes every coordinate exactly for an error this small; 0 would fall back to its default, 0.125."""


@dataclass(frozen=True)
class Sampling:
    """How a file's pixels become those of an output grid."""

    method: Resampling
    scale: tuple[float, float]
    """Output pixels a source pixel, along x and y of the output; below 1 the kernel is that much wider, so that no
    source pixel is skipped"""
    nodata: float | None
    """A source pixel whose bands all equal it holds no data; None: the file says by itself"""


def resample(
    dataset: DatasetReader, indexes: Sequence[int], geobox: Geobox, sampling: Sampling
) -> tuple[Pixels, NDArray[np.bool_]]:
    """The bands ``indexes`` (1-based) of ``dataset`` on ``geobox``.

    Returns (bands, rows, cols) of the dataset's dtype, and (rows, cols) that is True where the source has data; what
    is stored where it has none means nothing.
    Raises rasterio.errors.RasterioIOError where the source cannot be read.
    """
    rows, cols = geobox.shape
    values = np.zeros((len(indexes), rows, cols), dataset.dtypes[indexes[0] - 1])
    valid = np.zeros((rows, cols), np.bool_)
    for row, col, part in _by_cell(geobox):
        at = np.s_[row : row + part.shape[0], col : col + part.shape[1]]
        values[(slice(None), *at)], valid[at] = _warp(dataset, indexes, part, sampling)
    return values, valid


def _by_cell(geobox: Geobox) -> Iterator[tuple[int, int, Geobox]]:
    """The geobox cut where frames meet: (row, col) in it, and the part. Nearly always it is one part."""
    for row, rows in _pieces(geobox.row, geobox.shape[0]):
        for col, cols in _pieces(geobox.col, geobox.shape[1]):
            yield row, col, geobox.window(row, col, (rows, cols))


def _pieces(start: int, length: int) -> Iterator[tuple[int, int]]:
    at = 0
    while at < length:
        step = min(length - at, _CELL - (start + at) % _CELL)
        yield at, step
        at += step


def _warp(
    dataset: DatasetReader, indexes: Sequence[int], geobox: Geobox, sampling: Sampling
) -> tuple[Pixels, NDArray[np.bool_]]:
    frame = geobox.model_copy(
        update={"row": geobox.row // _CELL * _CELL, "col": geobox.col // _CELL * _CELL, "shape": (_CELL, _CELL)}
    )
    window = Window(geobox.col - frame.col, geobox.row - frame.row, geobox.shape[1], geobox.shape[0])
    alpha = _alpha(dataset)
    with WarpedVRT(
        dataset,
        crs=frame.crs,
        transform=frame.transform,
        width=_CELL,
        height=_CELL,
        resampling=GdalResampling[sampling.method],
        tolerance=_TOLERANCE,
        src_nodata=sampling.nodata,
        add_alpha=alpha is None,
        XSCALE=repr(_unless_near_one(sampling.scale[0])),  # GDAL would guess them from the window
        YSCALE=repr(_unless_near_one(sampling.scale[1])),
        UNIFIED_SRC_NODATA="YES",  # a pixel has no data only when none of its bands has
        SAMPLE_GRID="YES",  # find the source window right where the transform folds (poles, antimeridian)
    ) as warped:
        pixels = warped.read(indexes=[*indexes, alpha or warped.count], window=window)
    values, valid = pixels[:-1], pixels[-1] != 0
    if values.dtype.kind == "f":
        valid &= np.isfinite(values).all(axis=0)
    return values, valid


def _unless_near_one(scale: float) -> float:
    """GDAL's own threshold: a kernel a few percent wider would only blur."""
    return 1.0 if scale >= _NEAR_ONE else scale


def _alpha(dataset: DatasetReader) -> int | None:
    kinds = list(dataset.colorinterp)
    return kinds.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in kinds else None


def halve(values: Pixels, valid: NDArray[np.bool_], method: str) -> tuple[Pixels, NDArray[np.bool_]]:
    """The next overview: every 2x2 pixels become one, at the right and lower edge those that there are.

    values: (bands, rows, cols); valid: (rows, cols). ``average`` is the mean of the valid pixels, halves rounded
    up; ``nearest`` the upper left pixel. Where no pixel counts, the value is 0.
    """
    if method == "nearest":
        kept = valid[::2, ::2]
        return np.where(kept, values[:, ::2, ::2], 0).astype(values.dtype), np.ascontiguousarray(kept)
    rows, cols = values.shape[1:]
    if rows % 2 or cols % 2:
        values = np.pad(values, ((0, 0), (0, rows % 2), (0, cols % 2)))
        valid = np.pad(valid, ((0, rows % 2), (0, cols % 2)))
    floats = values.dtype.kind == "f"
    accumulator = np.float64 if floats else np.int64 if values.dtype.itemsize > 2 else np.int32
    shape = (values.shape[0], values.shape[1] // 2, values.shape[2] // 2)
    total, count = np.zeros(shape, accumulator), np.zeros(shape[1:], accumulator)
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        counts = valid[dy::2, dx::2]
        np.add(total, values[:, dy::2, dx::2], out=total, where=counts)
        count += counts
    some = np.maximum(count, 1)
    mean = total / some if floats else (2 * total + some) // (2 * some)
    return mean.astype(values.dtype), count > 0
