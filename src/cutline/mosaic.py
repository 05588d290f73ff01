"""Overlapping scenes become one pixel: one function a rule, each reading no more than its rule needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutline.kernel.native import WANTED, WRITTEN
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

    def part(self, reader: SceneReader, missing: NDArray[np.bool_]) -> Slices | None:
        """The smallest part of the window that holds all of ``missing`` the scene can reach; None where it reaches
        none."""
        top, left, bottom, right = reader.box
        rows, cols = self.wanted.shape
        reach = np.s_[
            max(top - self.row, 0) : max(min(bottom - self.row, rows), 0),
            max(left - self.col, 0) : max(min(right - self.col, cols), 0),
        ]
        at_rows, at_cols = np.flatnonzero(missing[reach].any(axis=1)), np.flatnonzero(missing[reach].any(axis=0))
        if not at_rows.size:
            return None
        row, col = reach[0].start, reach[1].start
        return (
            slice(int(row + at_rows[0]), int(row + at_rows[-1] + 1)),
            slice(int(col + at_cols[0]), int(col + at_cols[-1] + 1)),
        )

    def at(self, part: Slices) -> Geobox:
        """Of a part of the window."""
        shape = part[0].stop - part[0].start, part[1].stop - part[1].start
        return self.geobox.window(self.row + part[0].start, self.col + part[1].start, shape)

    def read(self, readers: Iterable[SceneReader]) -> Iterator[tuple[int, Slices, NDArray[Any], NDArray[np.bool_]]]:
        """Of each scene that reaches what is wanted: its place in the order, the part of the window (a pair of slices)
        that it was read for, its values there, and where those are wanted and valid."""
        for index, reader in enumerate(readers):
            part = self.part(reader, self.wanted)
            if part is not None:
                yield index, part, *reader.read(self.at(part), self.wanted[part])


def first(window: Window, readers: Sequence[SceneReader]) -> Mosaicked:
    """The first valid scene of the order. A scene below pixels that are all filled is never read."""
    values = np.zeros((window.bands, *window.wanted.shape), window.dtype)
    state = window.wanted.astype(np.uint8)  # which is WANTED where it is true
    for index, reader in enumerate(readers):
        part = window.part(reader, state == WANTED if index else window.wanted)
        if part is not None:
            reader.read_into(window.at(part), values, state, (part[0].start, part[1].start))
    return values, state == WRITTEN


def _extreme(better: np.ufunc) -> Callable[[Window, Sequence[SceneReader]], Mosaicked]:
    def rule(window: Window, readers: Sequence[SceneReader]) -> Mosaicked:
        values, valid = window.blank()
        for _, where, fresh, usable in window.read(readers):
            so_far = values[(slice(None), *where)]
            better(so_far, fresh, out=so_far, where=usable & valid[where])
            np.copyto(so_far, fresh, where=usable & ~valid[where])
            valid[where] |= usable
        return values, valid

    return rule


def mean(window: Window, readers: Sequence[SceneReader]) -> Mosaicked:
    """Summed in float64 in the order of the scenes, which fixes the last bit."""
    total, count = np.zeros((window.bands, *window.wanted.shape)), np.zeros(window.wanted.shape, np.int32)
    for _, where, fresh, usable in window.read(readers):
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
    for layer, where, fresh, usable in window.read(readers):
        np.copyto(stack[(layer, slice(None), *where)], fresh, where=usable, casting="unsafe")
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
