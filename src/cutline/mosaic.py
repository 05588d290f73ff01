"""Overlapping scenes become one pixel: one function a rule, each reading no more than its rule needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutline.models.grid import Geobox
from cutline.models.plan import Reducer
from cutline.read import SceneReader

Mosaicked = tuple[NDArray[Any], NDArray[np.bool_]]
"""Values (bands, rows, cols) and where they are valid (rows, cols)"""


Slices = tuple[slice, slice]


@dataclass(frozen=True)
class Window:
    """Pixels to fill: a part of an export's geobox, and which of them are wanted."""

    geobox: Geobox
    """The export's"""
    row: int
    col: int
    wanted: NDArray[np.bool_]
    """(rows, cols)"""
    bands: int
    dtype: str

    def blank(self) -> Mosaicked:
        return np.zeros((self.bands, *self.wanted.shape), self.dtype), np.zeros(self.wanted.shape, np.bool_)

    def read(self, reader: SceneReader, missing: NDArray[np.bool_]) -> tuple[Slices, NDArray[Any], NDArray[np.bool_]]:
        """The smallest part of the window that holds all of ``missing`` the scene can reach: where it is in the
        window (a pair of slices), the scene's values there, and where those are valid and missing."""
        top, left, bottom, right = reader.box
        rows, cols = self.wanted.shape
        reach = np.s_[
            max(top - self.row, 0) : max(min(bottom - self.row, rows), 0),
            max(left - self.col, 0) : max(min(right - self.col, cols), 0),
        ]
        at_rows, at_cols = np.nonzero(missing[reach].any(axis=1))[0], np.nonzero(missing[reach].any(axis=0))[0]
        if not at_rows.size:
            nothing = np.empty((self.bands, 0, 0), self.dtype), np.empty((0, 0), np.bool_)
            return (slice(0), slice(0)), *nothing
        row, col = reach[0].start + at_rows[0], reach[1].start + at_cols[0]
        shape = (int(at_rows[-1] - at_rows[0] + 1), int(at_cols[-1] - at_cols[0] + 1))
        where = slice(row, row + shape[0]), slice(col, col + shape[1])
        part = self.geobox.window(int(self.row + row), int(self.col + col), shape)
        return where, *reader.read(part, missing[where])


def first(window: Window, readers: Sequence[SceneReader]) -> Mosaicked:
    """The first valid scene of the order. A scene below pixels that are all filled is never read."""
    values, valid = window.blank()
    for reader in readers:
        missing = window.wanted & ~valid
        if not missing.any():
            break
        where, fresh, usable = window.read(reader, missing)
        np.copyto(values[(slice(None), *where)], fresh, where=usable)
        valid[where] |= usable
    return values, valid


def _extreme(better: np.ufunc) -> Callable[[Window, Sequence[SceneReader]], Mosaicked]:
    def rule(window: Window, readers: Sequence[SceneReader]) -> Mosaicked:
        values, valid = window.blank()
        for reader in readers:
            where, fresh, usable = window.read(reader, window.wanted)
            so_far = values[(slice(None), *where)]
            better(so_far, fresh, out=so_far, where=usable & valid[where])
            np.copyto(so_far, fresh, where=usable & ~valid[where])
            valid[where] |= usable
        return values, valid

    return rule


def mean(window: Window, readers: Sequence[SceneReader]) -> Mosaicked:
    """Summed in float64 in the order of the scenes, which fixes the last bit."""
    total, count = np.zeros((window.bands, *window.wanted.shape)), np.zeros(window.wanted.shape, np.int32)
    for reader in readers:
        where, fresh, usable = window.read(reader, window.wanted)
        part = total[(slice(None), *where)]
        np.add(part, fresh, out=part, where=usable)
        count[where] += usable
    total /= np.maximum(count, 1)
    return _as(total, window.dtype), count > 0


def median(window: Window, readers: Sequence[SceneReader]) -> Mosaicked:
    """Of an even number of scenes, the mean of the middle two."""
    stack = time_stack(window, readers)
    valid = np.isfinite(stack).any(axis=(0, 1))
    stack.sort(axis=0)  # NaN, where a scene has nothing, goes to the end
    count = np.isfinite(stack).sum(axis=0, keepdims=True)
    low, high = (np.take_along_axis(stack, np.maximum(at, 0), axis=0)[0] for at in ((count - 1) // 2, count // 2))
    middle = np.where(valid, (low + high) / 2, 0)
    return _as(middle, window.dtype), valid


def time_stack(window: Window, readers: Sequence[SceneReader]) -> NDArray[np.floating[Any]]:
    """All scenes, (scenes, bands, rows, cols) in floats wide enough for the window's dtype, NaN without data."""
    dtype = np.result_type(window.dtype, np.float32)
    stack = np.full((len(readers), window.bands, *window.wanted.shape), np.nan, dtype)
    for layer, reader in zip(stack, readers, strict=True):
        where, fresh, usable = window.read(reader, window.wanted)
        np.copyto(layer[(slice(None), *where)], fresh, where=usable, casting="unsafe")
    return stack


def _as(values: NDArray[np.floating[Any]], dtype: str) -> NDArray[Any]:
    """Rounded half up where the pixels are integers."""
    return values.astype(dtype) if np.dtype(dtype).kind == "f" else np.floor(values + 0.5).astype(dtype)


RULES: dict[Reducer, Callable[[Window, Sequence[SceneReader]], Mosaicked]] = {
    "first": first,
    "highest": _extreme(np.maximum),
    "lowest": _extreme(np.minimum),
    "mean": mean,
    "median": median,
}
