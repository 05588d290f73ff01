"""Resampling by the book: slow and plain, on exact coordinates; what the kernel's results are compared with."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from affine import Affine
from pyproj import Transformer

from cutline.models.grid import Geobox
from cutline.models.scene import Asset
from cutline.placement import wrap_width

NEAR_ONE = 0.95
"""From here on kernels of bilinear and cubic are not widened: GDAL's rule too"""

Coordinates = tuple[np.ndarray, np.ndarray]
"""x and y in source pixels, (rows, cols) each; (0, 0) is the upper left corner; not finite: nowhere"""


def exact_coordinates(source: Asset, geobox: Geobox) -> Coordinates:
    """Where the centres of the pixels of ``geobox`` lie in the source."""
    rows, cols = np.mgrid[: geobox.shape[0], : geobox.shape[1]] + 0.5
    x, y = geobox.transform @ (cols, rows)
    x, y = Transformer.from_crs(geobox.crs, source.crs, always_xy=True).transform(x, y)
    transform = Affine(*source.transform)
    middle, _ = transform @ (source.shape[1] / 2, source.shape[0] / 2)
    with np.errstate(invalid="ignore"):
        if world := wrap_width(source.crs):
            x = x - world * np.round((x - middle) / world)
        return ~transform @ (x, y)


def decided(at: Coordinates) -> np.ndarray:
    """Where a point is further than 1/1000 pixel from the edges of source pixels, across which the nearest changes,
    and from the lines through their centres, across which the taps do. Nowhere counts too."""
    with np.errstate(invalid="ignore"):
        return ~(np.minimum(*(np.abs(2 * axis - np.round(2 * axis)) for axis in at)) <= 2e-3)


def holding(valid: np.ndarray, at: Coordinates) -> np.ndarray:
    """Where the pixel that holds the point is there and ``valid`` (rows, cols)."""
    rows, cols = valid.shape
    x, y = at
    with np.errstate(invalid="ignore"):
        inside = (x >= 0) & (x < cols) & (y >= 0) & (y < rows)
    x, y = (np.where(inside, np.floor(axis), 0).astype(int) for axis in at)
    return inside & valid[y, x]


Points = tuple[np.ndarray, np.ndarray]
"""x and y in source pixels, (n,) each, within the source"""


class Mean(NamedTuple):
    """A weighted mean at every point."""

    value: np.ndarray
    strain: np.ndarray
    """Sum of the sizes of the weights by their sum: how much an error of a sample may grow (1 without gaps, or a
    little more by cubic); infinite where nothing counts"""


def nearest(pixels: np.ndarray, points: Points) -> np.ndarray:
    """Of (rows, cols) at points (n,) within it."""
    x, y = points
    return pixels[np.floor(y).astype(int), np.floor(x).astype(int)]


def mean(method: str, pixels: np.ndarray, valid: np.ndarray, points: Points, scale: tuple[float, float]) -> Mean:
    """bilinear, cubic or average of (rows, cols) at points (n,). Where a tap of a cubic that is not widened has no
    data: bilinear."""
    near_one = 1.0 if method == "average" else NEAR_ONE
    scale = tuple(1.0 if ratio >= near_one else ratio for ratio in scale)
    taps = _Taps(points, RADIUS[method] / scale[0], RADIUS[method] / scale[1])
    down, across = _weights(method, taps.down, scale[1]), _weights(method, taps.across, scale[0])
    known = taps.of(valid, outside=False)
    made = _mean(taps.of(np.where(valid, pixels, 0)), known, down, across)
    if method != "cubic" or min(scale) < 1:
        return made
    under = (np.abs(taps.down) < 2)[:, :, np.newaxis] & (np.abs(taps.across) < 2)[:, np.newaxis, :]
    whole = (known | ~under).all(axis=(1, 2))
    simpler = mean("bilinear", pixels, valid, points, scale)
    return Mean(*(np.where(whole, *both) for both in zip(made, simpler, strict=True)))


def most_frequent(
    pixels: np.ndarray, valid: np.ndarray, points: Points, scale: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Of the valid samples of (rows, cols) that the box of an output pixel touches, of equals the smallest, at points
    (n,); and where that does not hang on less than 1/1000 source pixel."""
    half_x, half_y = (0.5 / min(ratio, 1.0) for ratio in scale)
    taps = _Taps(points, half_x, half_y)
    under_y, under_x = half_y + 0.5 - np.abs(taps.down), half_x + 0.5 - np.abs(taps.across)
    counts = taps.of(valid, outside=False) & (under_y > 0)[:, :, np.newaxis] & (under_x > 0)[:, np.newaxis, :]
    classes, samples = np.unique(pixels[valid]), taps.of(pixels)
    frequency = np.stack([(counts & (samples == one)).sum(axis=(1, 2)) for one in classes])
    sure = (np.abs(under_y) > 1e-3).all(axis=1) & (np.abs(under_x) > 1e-3).all(axis=1)
    return classes[frequency.argmax(axis=0)], sure


RADIUS = {"bilinear": 1.0, "cubic": 2.0, "average": 0.5}
"""Source pixels that a kernel reaches to either side at scale 1"""


def _weights(method: str, offset: np.ndarray, scale: float) -> np.ndarray:
    """Of samples whose centres lie ``offset`` source pixels from the point."""
    if method == "average":  # as much of the sample as lies under the box
        half = 0.5 / scale
        return np.maximum(np.minimum(offset + 0.5, half) - np.maximum(offset - 0.5, -half), 0)
    d = np.abs(offset) * scale
    if method == "bilinear":
        return np.maximum(1 - d, 0)
    inner, outer = 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.where(d <= 1, inner, np.where(d < 2, outer, 0))


class _Taps:
    """The samples that kernels at points (n,) may reach, as (n, taps down, taps across)."""

    def __init__(self, points: Points, reach_x: float, reach_y: float) -> None:
        self._rows, self.down = self._along(points[1], reach_y)
        self._cols, self.across = self._along(points[0], reach_x)

    @staticmethod
    def _along(at: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
        """Index, and offset of the centre from the point."""
        most = int(np.ceil(reach)) + 1
        index = np.floor(at).astype(int)[:, np.newaxis] + np.arange(-most, most + 1)
        return index, index + 0.5 - at[:, np.newaxis]

    def of(self, raster: np.ndarray, outside: float = 0) -> np.ndarray:
        """Their values in (rows, cols)."""
        padded = np.pad(raster, 1, constant_values=outside)
        rows, cols = (
            np.clip(index + 1, 0, size - 1) for index, size in zip((self._rows, self._cols), padded.shape, strict=True)
        )
        return padded[rows[:, :, np.newaxis], cols[:, np.newaxis, :]]


def _mean(samples: np.ndarray, known: np.ndarray, down: np.ndarray, across: np.ndarray) -> Mean:
    weight = down[:, :, np.newaxis] * across[:, np.newaxis, :] * known
    total = weight.sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return Mean((weight * samples).sum(axis=(1, 2)) / total, np.abs(weight).sum(axis=(1, 2)) / np.abs(total))
