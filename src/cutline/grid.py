"""The output grid: anchored geoboxes, their tiles and levels, and the cutline rasterised on them.

Everything here is integer arithmetic on one lattice per CRS and resolution, so that the answer for a pixel can
depend neither on the area asked for nor on how it is cut into tiles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from cutline.errors import InvalidGeometry, TooLarge
from cutline.models.grid import Geobox

BLOCK = 512
"""Edge of a TIFF internal tile, in pixels"""

MAX_EDGE_PIXELS = 2**31 - 1
"""TIFF readers, GDAL among them, count rows and columns in 32 bits"""
MAX_PIXELS = 10**12
"""Of a grid, its empty parts too: a plan lists its tiles, an assembler all blocks, and both keep them in memory. Beyond
is nearly always a resolution in the wrong unit."""

_STRIP = 4096
"""Rows of the cutline that are worked out at a time, which bounds memory for areas of a million vertices"""

_EDGE_TOLERANCE = 1e-3
"""A bound this close to a lattice line (in pixels) lies on it: reprojection there and back leaves noise."""


def covering(
    bounds: tuple[float, float, float, float],
    crs: str,
    resolution: tuple[float, float],
    anchor: tuple[float, float] = (0.0, 0.0),
) -> Geobox:
    """The smallest geobox of the lattice that covers ``bounds`` (left, bottom, right, top; in the CRS)."""
    left, bottom, right, top = bounds
    if not all(map(math.isfinite, bounds)):
        raise InvalidGeometry(f"the area has no finite extent in {crs}; choose a CRS that can hold it")
    across = (left - anchor[0]) / resolution[0], (right - anchor[0]) / resolution[0]
    down = (anchor[1] - top) / resolution[1], (anchor[1] - bottom) / resolution[1]
    if not all(map(math.isfinite, across + down)):
        raise TooLarge(
            f"no file can hold a resolution of {resolution[0]:g}; choose a coarser one", pointer="/output/resolution"
        )
    (first_col, end_col), (first_row, end_row) = _span(*across), _span(*down)
    shape = (end_row - first_row, end_col - first_col)
    if max(shape) > MAX_EDGE_PIXELS:
        raise TooLarge(
            f"{_count(shape[1])} x {_count(shape[0])} pixels at resolution {resolution[0]:g}: no file can hold more "
            f"than {MAX_EDGE_PIXELS:,} a side; choose a coarser resolution",
            pointer="/output/resolution",
        )
    if shape[0] * shape[1] > MAX_PIXELS:
        raise TooLarge(
            f"{_count(shape[1])} x {_count(shape[0])} pixels at resolution {resolution[0]:g} (in the units of {crs}); "
            f"the limit is {MAX_PIXELS:.0e} pixels; choose a coarser resolution",
            pointer="/output/resolution",
        )
    return Geobox(crs=crs, resolution=resolution, anchor=anchor, col=first_col, row=first_row, shape=shape)


def _count(pixels: int) -> str:
    """In as many digits as somebody may read."""
    return f"{pixels:,}" if pixels < MAX_PIXELS else f"{float(pixels):.1e}"


def _span(low: float, high: float) -> tuple[int, int]:
    first = math.floor(low + _EDGE_TOLERANCE)
    return first, max(first + 1, math.ceil(high - _EDGE_TOLERANCE))


def padded(geobox: Geobox) -> Geobox:
    """``geobox`` grown right and down until every overview halves exactly; what is added stays sparse."""
    factor = 1 << (len(level_shapes(geobox.shape)) - 1)
    rows, cols = (-(-edge // factor) * factor for edge in geobox.shape)
    return geobox.model_copy(update={"shape": (rows, cols)})


def level_shapes(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """(rows, cols) of every level: full resolution first, then halves (rounded up) until one block holds it all."""
    shapes = [shape]
    while max(shapes[-1]) > BLOCK:
        rows, cols = shapes[-1]
        shapes.append(((rows + 1) // 2, (cols + 1) // 2))
    return shapes


@dataclass(frozen=True)
class Tiling:
    """A geobox cut into squares of ``edge`` pixels (512 · 2^k), counted in rows and columns from the upper left."""

    shape: tuple[int, int]
    edge: int

    @property
    def rows(self) -> int:
        return -(-self.shape[0] // self.edge)

    @property
    def cols(self) -> int:
        return -(-self.shape[1] // self.edge)

    @property
    def levels(self) -> int:
        """How many levels a tile holds in whole blocks: its full resolution and the halves down to one block."""
        return min((self.edge // BLOCK).bit_length(), len(level_shapes(self.shape)))

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((row, col) for row in range(self.rows) for col in range(self.cols))

    def tile_shape(self, row: int, col: int, level: int = 0) -> tuple[int, int]:
        """(rows, cols) of a tile's pixels at a level; the last ones of a row or column may be smaller."""
        rows = min(self.edge, self.shape[0] - row * self.edge)
        cols = min(self.edge, self.shape[1] - col * self.edge)
        return -(-rows >> level), -(-cols >> level)


class Spans(NamedTuple):
    """Runs of pixels: one entry each in three arrays."""

    row: NDArray[np.int64]
    first: NDArray[np.int64]
    """First column"""
    end: NDArray[np.int64]
    """The column after the last"""


class Cutline:
    """The AOI in the output CRS, asked pixel by pixel: a pixel is inside when its centre is.

    Rasterised by counting edge crossings left of each centre (the even-odd rule), on coordinates of the whole
    lattice. Two areas that share a border therefore share no pixel and leave none out, and a tile sees the very
    pixels that the whole would. GDAL's polygon fill, which works relative to its window, promises neither.
    """

    def __init__(self, geometry: BaseGeometry, geobox: Geobox) -> None:
        self.geobox = geobox
        x, y, joined = _ring_coordinates(geometry)
        u = (x - geobox.anchor[0]) / geobox.resolution[0]
        v = (geobox.anchor[1] - y) / geobox.resolution[1]
        start, end = np.flatnonzero(joined), np.flatnonzero(joined) + 1
        # Downwards, whichever way the ring ran, so that neighbours compute the same crossings on a shared edge.
        flip = v[start] > v[end]
        top, bottom = np.where(flip, end, start), np.where(flip, start, end)
        self._top_u, self._top_v = u[top], v[top]
        self._slope_u, self._drop = u[bottom] - u[top], v[bottom] - v[top]
        self._first_row = np.ceil(v[top] - 0.5).astype(np.int64)
        self._end_row = np.ceil(v[bottom] - 0.5).astype(np.int64)

    def mask(self, row: int, col: int, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Which pixels of the window at (row, col) of the geobox are inside, as (rows, cols)."""
        rows, cols = shape
        at_row, at_col = self._crossings(row, row + rows)
        at_row, at_col = at_row - row, at_col - col
        before = np.bincount(at_row[at_col <= 0], minlength=rows) % 2 == 1
        mask = np.repeat(before, cols).reshape(shape)
        within = (at_col > 0) & (at_col < cols)
        mixed, place = np.unique(at_row[within], return_inverse=True)  # few rows, but for a tile on the border
        flips = np.zeros((mixed.size, cols), np.uint8)
        flips[:, 0] = before[mixed]
        np.bitwise_xor.at(flips, (place, at_col[within]), 1)
        mask[mixed] = np.bitwise_xor.accumulate(flips, axis=1).view(np.bool_)
        return mask

    def spans(self, first_row: int, end_row: int) -> Spans:
        """Every run of pixels inside, of these rows of the geobox, in their order."""
        at_row, at_col = self._crossings(first_row, min(end_row, self.geobox.shape[0]))
        in_order = at_row << 32 | np.clip(at_col, 0, self.geobox.shape[1])
        in_order.sort()
        at_row, at_col = in_order >> 32, in_order & 0xFFFFFFFF
        keep = at_col[1::2] > at_col[::2]  # a closed ring crosses every row an even number of times
        return Spans(at_row[::2][keep], at_col[::2][keep], at_col[1::2][keep])

    def pixel_count(self) -> int:
        """How many pixels are inside, exactly, without drawing them."""
        strips = (self.spans(row, row + _STRIP) for row in range(0, self.geobox.shape[0], _STRIP))
        return sum(int((strip.end - strip.first).sum()) for strip in strips)

    def tiles(self, edge: int) -> NDArray[np.int64]:
        """How many pixels of each tile are inside, as (tile rows, tile cols)."""
        tiling, width = Tiling(self.geobox.shape, edge), self.geobox.shape[1]
        inside = np.zeros((tiling.rows, tiling.cols), np.int64)
        for row in range(tiling.rows):
            strip = self.spans(row * edge, (row + 1) * edge)
            begin = np.bincount(strip.first, minlength=width + 1)
            cease = np.bincount(strip.end, minlength=width + 1)
            in_column = np.cumsum(begin - cease)[:width]
            inside[row] = np.add.reduceat(in_column, np.arange(0, width, edge))
        return inside

    def _crossings(self, first_row: int, end_row: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(row, column) in the geobox of the first pixel right of each crossing, for the rows asked.

        Computed in lattice coordinates, and only the whole numbers moved into the geobox.
        """
        first = np.maximum(self._first_row, first_row + self.geobox.row)
        count = np.minimum(self._end_row, end_row + self.geobox.row) - first
        edge = np.flatnonzero(count > 0)
        first, count = first[edge], count[edge]
        ordinal = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        at_row = np.repeat(first, count) + ordinal
        edge = np.repeat(edge, count)
        below_top = (at_row + 0.5 - self._top_v[edge]) / self._drop[edge]
        crossing = self._top_u[edge] + below_top * self._slope_u[edge]
        return at_row - self.geobox.row, np.ceil(crossing - 0.5).astype(np.int64) - self.geobox.col


def _ring_coordinates(
    geometry: BaseGeometry,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """x and y of all rings in a row, and for each point but the last whether an edge joins it to the next."""
    rings = shapely.get_rings(shapely.get_parts(geometry))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    return points[:, 0], points[:, 1], ring[1:] == ring[:-1]
