"""Lines in the landscape: a river that meanders, roads between villages, and how far a pixel is from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demo.noise import Floats, chance, fraction

Segments = npt.NDArray[np.float32]
"""(n, 4): x and y of the start, x and y of the end"""

VILLAGE_SPACING = 4600.0


def distance(x: Floats, y: Floats, segments: Segments, reach: float) -> Floats:
    """Metres to the nearest of the segments, at most ``reach``: what lies further away costs nothing."""
    nearest = np.full(x.shape, reach**2, dtype=np.float32)
    for x0, y0, x1, y1 in _near(x, y, segments, reach):
        dx, dy = x1 - x0, y1 - y0
        px, py = x - x0, y - y0
        along = np.clip((px * dx + py * dy) / (dx * dx + dy * dy), 0, 1)
        px -= along * dx
        py -= along * dy
        np.minimum(nearest, px * px + py * py, out=nearest)
    return np.sqrt(nearest)


def river(reach: float) -> Segments:
    """A sine-generated curve (Langbein and Leopold, 1966): the heading swings, so bends double back on themselves.

    It is grown from the origin both ways, so a larger landscape has the same river in its middle.
    """
    step = 60.0
    count = int(2.2 * reach / step)
    along = step * np.arange(-count, count + 1)
    swing = 1.1 + 0.55 * np.sin(along / 3900.0 + 0.6)
    phase = along / 520.0 + 1.5 * np.sin(along / 2100.0) + 0.7 * np.sin(along / 870.0 + 2.0)
    heading = 0.15 + swing * np.sin(phase) + 0.35 * np.sin(along / 5300.0)
    x = np.cumsum(step * np.cos(heading))
    y = np.cumsum(step * np.sin(heading))
    return _segments(x - x[count], y - y[count] - 900.0)


def motorway(reach: float) -> Segments:
    """Long, gentle curves from south to north."""
    y = np.arange(-reach, reach, 400.0)
    x = 2600.0 + 1500.0 * np.sin(y / 7300.0) + 420.0 * np.sin(y / 2900.0 + 1.0)
    return _segments(x, y)


@dataclass(frozen=True)
class Villages:
    """Villages on a jittered lattice, each joined by a road to its eastern and its northern neighbour."""

    x: Floats
    y: Floats
    radius: Floats
    roads: Segments

    @classmethod
    def around(cls, reach: float) -> Villages:
        half = int(reach / VILLAGE_SPACING) + 2
        row, col = np.mgrid[-half : half + 1, -half : half + 1]
        luck = chance(col, row, 77)
        x = (VILLAGE_SPACING * (col + 0.7 * (fraction(luck, 0) - 0.5))).astype(np.float32)
        y = (VILLAGE_SPACING * (row + 0.7 * (fraction(luck, 1) - 0.5))).astype(np.float32)
        size = fraction(luck, 2)
        radius = np.where(size < 0.2, 90, 170 + 620 * size**3).astype(np.float32)
        east = _bent(x[:, :-1], y[:, :-1], x[:, 1:], y[:, 1:])
        north = _bent(x[:-1], y[:-1], x[1:], y[1:])
        return cls(x.ravel(), y.ravel(), radius.ravel(), np.concatenate([east, north]))

    def near(self, x: Floats, y: Floats) -> list[tuple[float, float, float]]:
        """(x, y, radius) of the villages that may touch a block."""
        reach = 1.5 * self.radius
        touch = (self.x > x.min() - reach) & (self.x < x.max() + reach)
        touch &= (self.y > y.min() - reach) & (self.y < y.max() + reach)
        return [(float(self.x[i]), float(self.y[i]), float(self.radius[i])) for i in np.flatnonzero(touch)]


def _bent(x0: Floats, y0: Floats, x1: Floats, y1: Floats) -> Segments:
    """Roads from each (x0, y0) to each (x1, y1), bowed to one side by chance."""
    x0, y0, x1, y1 = (values.ravel()[:, None] for values in (x0, y0, x1, y1))
    t = np.linspace(0, 1, 9)[None, :]
    bow = 0.5 * (fraction(chance(x0.astype(np.int32), y1.astype(np.int32), 5)) - 0.5)
    aside = bow * np.sin(np.pi * t) + 0.03 * np.sin(3 * np.pi * t)
    x = x0 + t * (x1 - x0) - aside * (y1 - y0)
    y = y0 + t * (y1 - y0) + aside * (x1 - x0)
    return np.concatenate([_segments(*line) for line in zip(x, y, strict=True)])


def _segments(x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> Segments:
    return np.stack([x[:-1], y[:-1], x[1:], y[1:]], axis=1).astype(np.float32)


def _near(x: Floats, y: Floats, segments: Segments, reach: float) -> Segments:
    left, right = np.minimum(segments[:, 0], segments[:, 2]), np.maximum(segments[:, 0], segments[:, 2])
    bottom, top = np.minimum(segments[:, 1], segments[:, 3]), np.maximum(segments[:, 1], segments[:, 3])
    touch = (right > x.min() - reach) & (left < x.max() + reach) & (top > y.min() - reach) & (bottom < y.max() + reach)
    return segments[touch]
