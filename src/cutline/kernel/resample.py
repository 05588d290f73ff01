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
from cutline.kernel.native import WANTED, WRITTEN, Flags, Pixels, fill, halve
from cutline.models.grid import Geobox
from cutline.models.request import Resampling
from cutline.models.scene import Asset

NEAR_ONE = 0.95
"""From here on the kernel is not widened: a few percent would only blur. GDAL draws the line here too"""

_NARROWEST = 1 / 16
"""Beyond, the source is halved first: a kernel of so many taps would cost more than it shows"""

_WINDOW_BYTES = 24 << 20
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
    every_band: bool = True
    """A pixel holds data where all bands that are read do; else where any does, and the gaps of a band stay gaps"""


def resample(
    image: Image, indexes: list[int], geobox: Geobox, method: Resampling, wanted: Flags
) -> tuple[Pixels, Flags]:
    """The bands ``indexes`` (1-based) of ``image`` on ``geobox``, where ``wanted`` (rows, cols).

    Returns (bands, rows, cols) of the file's dtype, and (rows, cols) that is True where the file has data; what is
    stored elsewhere means nothing. nearest: the pixel that holds the point. bilinear, cubic (Keys, a = -1/2): from the
    2x2 or 4x4 pixels around; where some of these have no data, from the valid ones of the nearest four; widened when
    the output is coarser. average, mode: of the pixels under an output pixel. Valid is what the nearest pixel is, in
    every band or in any as the image says.
    Raises rasterio.errors.RasterioIOError where the file cannot be read.
    """
    values = np.zeros((len(indexes), *geobox.shape), image.dataset.dtypes[indexes[0] - 1])
    state = np.array(wanted, np.uint8)
    resample_into(image, indexes, geobox, method, values=values, state=state)
    return values, state == WRITTEN


def resample_into(
    image: Image,
    indexes: list[int],
    geobox: Geobox,
    method: Resampling,
    *,
    values: Pixels,
    state: NDArray[np.uint8],
    at: tuple[int, int] = (0, 0),
) -> None:
    """``resample`` into arrays that are there: ``geobox`` is a part of theirs, which begins at their pixel ``at``.

    values: (bands, rows, cols) of the file's dtype; state: (rows, cols), WANTED where a value is, which becomes WRITTEN
    where the file has data. Other pixels stay as they are. Arrays are C-contiguous.
    """
    dataset = image.dataset
    forward = to_source(geobox.crs, image.asset.crs, dataset.transform, dataset.shape, image.world)
    found = patches(geobox, forward, dataset.shape)
    found["row"] += at[0]
    found["col"] += at[1]
    sampler = _Sampler(image, indexes, method)
    for part, window in sampler.parts(found):
        sampler.fill(values, state, part, window)


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
        pixels, valid = self._read(window)
        if valid is not None and not valid.any():
            return
        if valid is None or valid.ndim == 2:
            self._run(values, state, found, window, (pixels, valid))
            return
        # Each band by itself, in the rows that the patches cover.
        top, end = max(int(found["row"].min()), 0), min(int((found["row"] + found["step"]).max()), len(state))
        found = found.copy()
        found["row"] -= top
        here, missing = values[:, top:end], state[top:end] == WANTED
        states = [missing.astype(np.uint8) for _ in pixels]
        for band, own in enumerate(states):
            one = slice(band, band + 1)
            self._run(here[one], own, found, window, (pixels[one], np.ascontiguousarray(valid[band])))
        written = np.any([own == WRITTEN for own in states], axis=0)
        state[top:end][written] = WRITTEN
        for band, own in zip(here, states, strict=True):
            band[written & (own != WRITTEN)] = self._gap

    def _run(
        self,
        values: Pixels,
        state: NDArray[np.uint8],
        found: NDArray[np.void],
        window: Window,
        read: tuple[Pixels, Flags | None],
    ) -> None:
        """The loops over some patches, from a window that was read: its pixels and their validity."""
        source, valid = read
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

    @property
    def _gap(self) -> float:
        """What stands in a band that has no data where others have: what the file itself has there."""
        return math.nan if self._image.asset.nodata is None else self._image.asset.nodata

    def _read(self, window: Window) -> tuple[Pixels, NDArray[np.bool_] | None]:
        """The window's pixels, and which of them hold data: (rows, cols), (bands, rows, cols) where bands differ in
        that and may, None where all do."""
        pixels = self._image.dataset.read(self._indexes, window=window)
        known = list(self._known(pixels, window))
        if all(flags.all() for flags in known):
            return pixels, None
        everywhere = np.logical_and.reduce(known)
        if self._image.every_band or np.array_equal(everywhere, np.logical_or.reduce(known)):
            return pixels, everywhere
        return pixels, np.stack(known)

    def _known(self, pixels: Pixels, window: Window) -> Iterator[Flags]:
        """Which pixels hold data: once for all bands, or for each; not at all where every pixel does."""
        dataset, asset = self._image.dataset, self._image.asset
        everywhere = None
        if asset.validity == "alpha" and asset.alpha is not None:
            everywhere = dataset.read(asset.alpha, window=window) != 0
        elif asset.validity == "mask":
            everywhere = dataset.read_masks(self._indexes[0], window=window) != 0
        nodata = asset.nodata if asset.validity == "nodata" else None
        if pixels.dtype.kind == "f":
            for band in pixels:
                known = np.isfinite(band)
                if nodata is not None:
                    known &= band != nodata  # NaN differs from itself too
                yield known if everywhere is None else known & everywhere
        elif nodata is not None:
            yield from (band != nodata for band in pixels)
        elif everywhere is not None:
            yield everywhere


def _rest_of(scale: tuple[float, float], method: Resampling) -> tuple[int, tuple[float, float]]:
    """How often to halve the source first, and the scale that remains, at most 1."""
    halvings = 0
    if method not in {"nearest", "mode"}:
        while max(scale) * (1 << halvings) < _NARROWEST:
            halvings += 1
    near_one = 1.0 if method in {"average", "mode"} else NEAR_ONE
    across, down = (max(value * (1 << halvings), _NARROWEST) for value in scale)
    return halvings, (1.0 if across >= near_one else across, 1.0 if down >= near_one else down)
