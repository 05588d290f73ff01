"""A file on an output grid: find where it lies, read what is needed of it, run the loops."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from cutline.kernel.lattice import patches, to_source
from cutline.kernel.native import WRITTEN, Flags, Pixels, fill, halve
from cutline.models.grid import Geobox
from cutline.models.request import Resampling
from cutline.models.scene import Asset

NEAR_ONE = 0.95
"""From here on the kernel is not widened: a few percent would only blur. GDAL draws the line here too"""

_NARROWEST = 1 / 16
"""Beyond, the source is halved first: a kernel of so many taps would cost more than it shows"""

_WINDOW_BYTES = 192 << 20
"""A source window larger than this is worked in parts"""

_RADIUS: dict[Resampling, float] = {"nearest": 1, "bilinear": 1, "cubic": 2, "average": 0.5, "mode": 0.5}
"""Source pixels that a kernel reaches to either side, at scale 1"""


@dataclass(frozen=True)
class Image:
    """An open file (or overview of one) and what its header left unsaid."""

    dataset: DatasetReader
    asset: Asset
    scale: tuple[float, float]
    """Output pixels that one of its pixels is wide and high; by asset and output grid, never by window"""
    world: float
    """How far to the right its CRS begins the world again; 0 where it never does"""


def resample(
    image: Image, indexes: list[int], geobox: Geobox, method: Resampling, wanted: Flags
) -> tuple[Pixels, Flags]:
    """The bands ``indexes`` (1-based) of ``image`` on ``geobox``, where ``wanted`` (rows, cols).

    Returns (bands, rows, cols) of the file's dtype, and (rows, cols) that is True where the file has data; what is
    stored elsewhere means nothing. nearest: the pixel that holds the point. bilinear, cubic (Keys, a = -1/2): from the
    2x2 or 4x4 pixels around; where some of these have no data, from the valid ones of the nearest four; widened when
    the output is coarser. average, mode: of the pixels under an output pixel. Valid is what the nearest pixel is.
    Raises rasterio.errors.RasterioIOError where the file cannot be read.
    """
    dataset = image.dataset
    values = np.zeros((len(indexes), *geobox.shape), dataset.dtypes[indexes[0] - 1])
    state = np.array(wanted, np.uint8)
    forward = to_source(geobox.crs, image.asset.crs, dataset.transform, dataset.shape, image.world)
    sampler = _Sampler(image, indexes, method)
    for part, window in sampler.parts(patches(geobox, forward, dataset.shape)):
        sampler.fill(values, state, part, window)
    return values, state == WRITTEN


class _Sampler:
    """How some bands of an image are read and sampled."""

    def __init__(self, image: Image, indexes: list[int], method: Resampling) -> None:
        self._image, self._indexes, self._method = image, indexes, method
        self._halvings, self._scale = _rest_of(image.scale, method)
        itemsize = np.dtype(image.dataset.dtypes[indexes[0] - 1]).itemsize
        self._pixel_bytes = len(indexes) * itemsize

    def parts(self, found: NDArray[np.void]) -> Iterator[tuple[NDArray[np.void], Window]]:
        """The patches with the source window they need; in halves, and halves of these, while that is too large."""
        window = self._window(found) if found.size else None
        if window is None:
            return
        if window.width * window.height * self._pixel_bytes <= _WINDOW_BYTES or found.size == 1:
            yield found, window
            return
        longer = max("row", "col", key=lambda axis: int(np.ptp(found[axis])))
        for half in np.array_split(found[np.argsort(found[longer], kind="stable")], 2):
            yield from self.parts(half)

    def fill(self, values: Pixels, state: NDArray[np.uint8], found: NDArray[np.void], window: Window) -> None:
        """Read the window and run the loops over its patches."""
        source, valid = self._read(window)
        for _ in range(self._halvings):
            source, valid = halve(source, np.ones(source.shape[1:], np.bool_) if valid is None else valid, "average")
        if self._halvings:
            found = found.copy()
            found["x"] /= 1 << self._halvings
            found["y"] /= 1 << self._halvings
        fill(
            values,
            state,
            source=source,
            valid=valid,
            origin=(int(window.row_off) >> self._halvings, int(window.col_off) >> self._halvings),
            patches=found,
            scale=self._scale,
            method=self._method,
        )

    def _window(self, found: NDArray[np.void]) -> Window | None:
        """What the patches can ask for, within the file, on whole pixels of the halved source."""
        grain = 1 << self._halvings
        reach = (math.ceil(_RADIUS[self._method] / min(self._scale)) + 4) * grain
        span = []
        for axis, size in (("y", self._image.dataset.height), ("x", self._image.dataset.width)):
            low, high = np.clip([found[axis].min(), found[axis].max()], -reach, size + reach).tolist()
            first = max(math.floor(low) - reach, 0) // grain * grain
            end = min(-(-(math.ceil(high) + reach) // grain) * grain, size)
            if first >= end:
                return None
            span.append((first, end - first))
        (row, height), (col, width) = span
        return Window(col, row, width, height)

    def _read(self, window: Window) -> tuple[Pixels, Flags | None]:
        """The window's pixels, and which of them hold data: None where all do."""
        dataset, asset = self._image.dataset, self._image.asset
        pixels = dataset.read(self._indexes, window=window)
        valid: Flags | None = None
        if asset.validity == "nodata" and asset.nodata is not None:
            valid = (~np.isnan(pixels) if math.isnan(asset.nodata) else pixels != asset.nodata).any(axis=0)
        elif asset.validity == "alpha" and asset.alpha is not None:
            valid = dataset.read(asset.alpha, window=window) != 0
        elif asset.validity == "mask":
            valid = dataset.read_masks(self._indexes[0], window=window) != 0
        if pixels.dtype.kind == "f":
            finite = np.isfinite(pixels).all(axis=0)
            valid = finite if valid is None else valid & finite
        return pixels, None if valid is None or valid.all() else valid


def _rest_of(scale: tuple[float, float], method: Resampling) -> tuple[int, tuple[float, float]]:
    """How often to halve the source first, and the scale that remains, at most 1."""
    halvings = 0
    if method not in {"nearest", "mode"}:
        while max(scale) * (1 << halvings) < _NARROWEST:
            halvings += 1
    near_one = 1.0 if method in {"average", "mode"} else NEAR_ONE
    across, down = (max(value * (1 << halvings), _NARROWEST) for value in scale)
    return halvings, (1.0 if across >= near_one else across, 1.0 if down >= near_one else down)
