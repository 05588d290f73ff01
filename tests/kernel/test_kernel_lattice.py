"""Coordinates between lattice nodes err by less than 1/4096 source pixel, wherever the window begins."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from cutline.grid import covering
from cutline.kernel.lattice import TOLERANCE, patches, to_source
from cutline.models.grid import Geobox

SOURCES = {
    # name: (source crs, transform, (rows, cols), output crs, resolution, world of the source)
    "utm to web mercator": ("EPSG:32633", Affine(10, 0, 4e5, 0, -10, 5.6e6), (600, 700), "EPSG:3857", 15.0, 0.0),
    "100 m utm to degrees": ("EPSG:32633", Affine(100, 0, 3e5, 0, -100, 5.9e6), (900, 900), "EPSG:4326", 0.001, 0.0),
    "degrees to polar": ("EPSG:4326", Affine(0.5, 0, -180, 0, -0.5, 90), (60, 720), "EPSG:3413", 40000.0, 360.0),
    "over the antimeridian": ("EPSG:4326", Affine(0.01, 0, 178, 0, -0.01, -15), (300, 400), "EPSG:3832", 900.0, 360.0),
    "turned": ("EPSG:32633", Affine(7, 7, 4e5, 7, -7, 5.6e6), (400, 400), "EPSG:32632", 9.0, 0.0),
    "New Zealand": ("EPSG:2193", Affine(5, 0, 1.6e6, 0, -5, 5.2e6), (500, 500), "EPSG:3857", 6.0, 0.0),
}


def setting(name: str):
    crs, transform, shape, out, resolution, world = SOURCES[name]
    edge = np.linspace(0, 1, 50)
    cols = np.concatenate([edge, edge, 0 * edge, 0 * edge + 1]) * shape[1]
    rows = np.concatenate([0 * edge, 0 * edge + 1, edge, edge]) * shape[0]
    x, y = Transformer.from_crs(crs, out, always_xy=True).transform(*(transform @ (cols, rows)))
    geobox = covering((x.min(), y.min(), x.max(), y.max()), out, (resolution, resolution))
    return geobox, to_source(out, crs, transform, shape, world), shape


def coordinates(found: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(2, rows, cols) of x and y at pixel centres as the loops interpolate them; NaN where no patch is."""
    made = np.full((2, *shape), np.nan)
    for patch in found:
        step = int(patch["step"])
        at = (np.arange(step) + 0.5) / step
        for axis, name in enumerate(("x", "y")):
            a, b, c, d = patch[name]
            values = np.outer(1 - at, (1 - at) * a + at * b) + np.outer(at, (1 - at) * c + at * d)
            row, col = int(patch["row"]), int(patch["col"])
            rows = slice(max(row, 0), min(row + step, shape[0]))
            cols = slice(max(col, 0), min(col + step, shape[1]))
            if rows.start >= rows.stop or cols.start >= cols.stop:  # a quarter beyond the window
                continue
            made[axis, rows, cols] = values[rows.start - row : rows.stop - row, cols.start - col : cols.stop - col]
    return made


@pytest.mark.parametrize("name", SOURCES)
def test_interpolated_coordinates_are_exact_enough_and_cover_the_source(name: str) -> None:
    geobox, forward, shape = setting(name)
    made = coordinates(patches(geobox, forward, shape), geobox.shape)
    rows, cols = np.mgrid[: geobox.shape[0], : geobox.shape[1]] + 0.5
    x, y = forward(*(geobox.transform @ (cols, rows)))
    inside = (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
    assert inside.sum() > 10_000
    assert np.isfinite(made[:, inside]).all()
    assert np.abs(made[0] - x)[inside].max() <= 2 * TOLERANCE  # both terms of a bend may add up
    assert np.abs(made[1] - y)[inside].max() <= 2 * TOLERANCE


@settings(deadline=None, max_examples=10)
@given(st.sampled_from(sorted(SOURCES)), st.floats(0, 0.8), st.floats(0, 0.8), st.integers(1, 130), st.integers(1, 130))
def test_a_window_sees_the_coordinates_of_the_whole(name: str, down: float, right: float, rows: int, cols: int) -> None:
    geobox, forward, shape = setting(name)
    row, col = int(geobox.shape[0] * down), int(geobox.shape[1] * right)
    rows, cols = min(rows, geobox.shape[0] - row), min(cols, geobox.shape[1] - col)
    around = geobox.window(max(row - 50, 0), max(col - 50, 0), (rows + 100, cols + 100))
    part = geobox.window(row, col, (rows, cols))
    offset = part.row - around.row, part.col - around.col
    wide = coordinates(patches(around, forward, shape), around.shape)
    narrow = coordinates(patches(part, forward, shape), part.shape)
    np.testing.assert_array_equal(narrow, wide[:, offset[0] : offset[0] + rows, offset[1] : offset[1] + cols])


def test_a_bent_cell_is_quartered_and_nothing_else() -> None:
    geobox = Geobox(crs="EPSG:32633", resolution=(10.0, 10.0), col=0, row=0, shape=(160, 160))

    def bent(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u, v = x / 10, -y / 10
        return u + 0.01 * np.maximum(u - 130, 0) ** 2, v

    found = patches(geobox, bent, (1000, 1000))
    steps = dict(zip(*np.unique(found["step"], return_counts=True), strict=True))
    assert set(steps) > {16}
    assert found["col"][found["step"] < 16].min() >= 112
    assert (found["step"].astype(int) ** 2).sum() == 160 * 160
