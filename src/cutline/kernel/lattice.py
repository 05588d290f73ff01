"""Where output pixels lie in a source: exact at the nodes of a lattice, linear within its patches.

Nodes are the pixel corners whose absolute row and column in the anchored grid are multiples of 16. A patch between
four nodes that errs by more than 1/4096 source pixel is cut into quarters, down to single pixels. All of this depends
on the grid and the source alone, so no window and no tile can change a coordinate.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pyproj
from affine import Affine
from numpy.typing import NDArray

from cutline.kernel.native import PATCH, STEP
from cutline.models.grid import Geobox

Floats = NDArray[np.float64]
ToSource = Callable[[Floats, Floats], tuple[Floats, Floats]]
"""x and y in the output CRS -> col and row in the source (0, 0 is its upper left corner); not finite: nowhere"""

TOLERANCE = 1 / 4096
"""Source pixels that an interpolated coordinate may err by"""

_FARTHEST = 8
"""Times its bend that a cell may reach beyond its corners: a bend is an eighth of the second differences"""


Shape = tuple[int, int]
"""(rows, cols)"""


def to_source(crs: str, source_crs: str, source_transform: Affine, source_shape: Shape, world: float) -> ToSource:
    """The way from an output CRS to the pixels of a source.

    world: how far to the right the source's CRS begins the world again (0: never); a point is looked for in that turn
    of the globe which is nearest to the source.
    """
    project = _projection(crs, source_crs)
    inverse = ~source_transform
    middle, _ = source_transform @ (source_shape[1] / 2, source_shape[0] / 2)

    def forward(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        if project is not None:
            x, y = project.transform(x, y)
        with np.errstate(invalid="ignore"):
            if world:
                x = x - world * np.round((x - middle) / world)
            return inverse.a * x + inverse.b * y + inverse.c, inverse.d * x + inverse.e * y + inverse.f

    return forward


@functools.lru_cache(maxsize=128)
def _projection(crs: str, source_crs: str) -> pyproj.Transformer | None:
    ours, theirs = pyproj.CRS.from_user_input(crs), pyproj.CRS.from_user_input(source_crs)
    if ours.equals(theirs, ignore_axis_order=True):
        return None
    return pyproj.Transformer.from_crs(ours, theirs, always_xy=True)


def patches(geobox: Geobox, forward: ToSource, source_shape: Shape) -> NDArray[np.void]:
    """The patches (PATCH records) that cover what of ``geobox`` can lie in a source of that shape."""
    nodes = _Nodes(geobox, forward)
    (first_row, end_row), (first_col, end_col) = (
        (start // STEP, -(-(start + length) // STEP))
        for start, length in zip((geobox.row, geobox.col), geobox.shape, strict=True)
    )
    # One more node all around, for the second differences at the rim.
    rows, cols = np.arange(first_row - 1, end_row + 2), np.arange(first_col - 1, end_col + 2)
    x, y = nodes.at(rows[:, np.newaxis] * STEP, cols[np.newaxis, :] * STEP)
    bend = np.maximum(_bend(x), _bend(y))
    err = np.maximum.reduce([bend[:-1, :-1], bend[:-1, 1:], bend[1:, :-1], bend[1:, 1:]])
    corner_x, corner_y = _corners(x[1:-1, 1:-1]), _corners(y[1:-1, 1:-1])
    cells = _records(
        np.repeat(rows[1:-2] * STEP - geobox.row, len(cols) - 3),
        np.tile(cols[1:-2] * STEP - geobox.col, len(rows) - 3),
        STEP,
        corner_x,
        corner_y,
    )
    near = _may_touch(cells, err.ravel(), source_shape)
    straight = near & (err.ravel() <= TOLERANCE)
    return np.concatenate([cells[straight], *nodes.quartered(cells[near & ~straight], source_shape)])


class _Nodes:
    """Exact source coordinates of points of the grid."""

    def __init__(self, geobox: Geobox, forward: ToSource) -> None:
        self._geobox, self._forward = geobox, forward

    def at(self, row: NDArray[np.number], col: NDArray[np.number]) -> tuple[Floats, Floats]:
        """At absolute lattice positions (pixel corners; fractions lie within pixels), broadcast together."""
        (anchor_x, anchor_y), (across, down) = self._geobox.anchor, self._geobox.resolution
        x, y = np.broadcast_arrays(anchor_x + col * across, anchor_y - row * down)
        return self._forward(x.astype(np.float64), y.astype(np.float64))

    def quartered(self, cells: NDArray[np.void], source_shape: Shape) -> list[NDArray[np.void]]:
        """Patches in place of cells that bend too much, in rounds of halving their sides."""
        done: list[NDArray[np.void]] = []
        while cells.size:
            step = int(cells["step"][0])
            half = step / 2
            row, col = (cells[name] + start for name, start in (("row", self._geobox.row), ("col", self._geobox.col)))
            offsets = np.array([0.0, half, step])
            x, y = self.at(
                row[:, np.newaxis, np.newaxis] + offsets[:, np.newaxis], col[:, np.newaxis, np.newaxis] + offsets
            )
            if step == 1:  # its centre is all that is ever asked of it
                cells = cells.copy()
                cells["x"], cells["y"] = x[:, 1, 1, np.newaxis], y[:, 1, 1, np.newaxis]
                done.append(cells[np.isfinite(cells["x"][:, 0]) & np.isfinite(cells["y"][:, 0])])
                break
            bend = np.maximum(_deviation(x), _deviation(y))
            straight = bend <= TOLERANCE
            done.append(cells[straight])
            children = [
                _records(
                    cells["row"] + int(down * half),
                    cells["col"] + int(right * half),
                    step // 2,
                    *(_corners_of(axis[:, down : down + 2, right : right + 2]) for axis in (x, y)),
                )[~straight]
                for down in (0, 1)
                for right in (0, 1)
            ]
            cells = np.concatenate(children)
            cells = cells[_may_touch(cells, np.tile(bend[~straight], 4), source_shape)]
        return done


def _bend(values: Floats) -> Floats:
    """How far a line over one cell can be from the curve through its nodes: an eighth of the second differences."""
    with np.errstate(invalid="ignore"):
        down = np.abs(values[:-2, 1:-1] - 2 * values[1:-1, 1:-1] + values[2:, 1:-1])
        across = np.abs(values[1:-1, :-2] - 2 * values[1:-1, 1:-1] + values[1:-1, 2:])
        return (down + across) / 8


def _deviation(values: Floats) -> Floats:
    """Of (cells, 3, 3) exact points, how far the middle ones are from the plane through the corners; NaN: unknown."""
    with np.errstate(invalid="ignore"):
        corners = values[:, ::2, ::2]
        above, below = corners[:, 0].mean(axis=1), corners[:, 1].mean(axis=1)
        left, right = corners[:, :, 0].mean(axis=1), corners[:, :, 1].mean(axis=1)
        exact = values[:, (0, 2, 1, 1, 1), (1, 1, 0, 2, 1)]
        linear = np.stack([above, below, left, right, (above + below) / 2], axis=1)
        deviation: Floats = np.abs(exact - linear).max(axis=1)
        return deviation


def _corners(values: Floats) -> Floats:
    """(cells, 4) of the four nodes around every cell of a grid of nodes."""
    return np.stack([values[:-1, :-1], values[:-1, 1:], values[1:, :-1], values[1:, 1:]], axis=-1).reshape(-1, 4)


def _corners_of(values: Floats) -> Floats:
    return values.reshape(-1, 4)


def _records(row: NDArray[np.integer], col: NDArray[np.integer], step: int, x: Floats, y: Floats) -> NDArray[np.void]:
    made = np.zeros(len(x), PATCH)
    made["row"], made["col"], made["step"], made["x"], made["y"] = row, col, step, x, y
    return made


def _may_touch(cells: NDArray[np.void], bend: Floats, source_shape: Shape) -> NDArray[np.bool_]:
    """Whether a cell can reach into the source: not when all of its corners lie well beyond one side of it, nor when
    none has a place there at all. A cell that bends (source pixels; NaN: unknown) may hold what lies far from all of
    its corners, as one does that goes around a pole."""
    near = np.ones(cells.size, np.bool_)
    reach = np.where(np.isfinite(bend), _FARTHEST * bend, np.inf)
    with np.errstate(invalid="ignore"):
        for axis, size in (("y", source_shape[0]), ("x", source_shape[1])):
            values = cells[axis]
            known = np.isfinite(values)
            low, high = np.nanmin(_known(values), axis=1), np.nanmax(_known(values), axis=1)
            # As much as the cell itself spans, for the curve between its corners; past one without a place, anything.
            margin = np.where(known.all(axis=1), high - low + 1 + reach, np.inf)
            near &= known.any(axis=1) & ~(high + margin < 0) & ~(low - margin > size)
    return near


def _known(values: Floats) -> Floats:
    """With 0 where all four are unknown, which spares a warning and is decided elsewhere."""
    known = np.where(np.isfinite(values), values, np.nan)
    known[np.isnan(known).all(axis=1)] = 0.0
    return known
