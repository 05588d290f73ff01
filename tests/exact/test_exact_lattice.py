"""Coordinates err by at most 1/4096 source pixel, on any part of the globe and beyond what a projection can hold.

The sources' pixels hold their own place, in float64, so bilinear pixels of the output are the coordinates it used.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, note
from hypothesis import strategies as st

from cutline.grid import covering
from cutline.kernel import Image, resample
from cutline.models.grid import Geobox
from tests.support.cases import PAIRS, Case, cases, drawn, opened, places
from tests.support.reference import decided, exact_coordinates, holding
from tests.support.scenes import write_scene

MOST = {
    pair: 900.0 if pair == "arctic to degrees" else 0.02 if here.pixel < 1 else 2500.0 for pair, here in PAIRS.items()
}
"""Sides of source pixels at which a source still lies within its projection (and not at the pole, in degrees)"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cases")


@st.composite
def of_any_grain(draw: st.DrawFn) -> Case:
    pair = draw(st.sampled_from(tuple(PAIRS)))
    return draw(
        cases(
            pairs=(pair,), methods=("bilinear",), dtypes=("float64",), gaps=("none",), picture="places",
            grains=(1.0, MOST[pair] / PAIRS[pair].pixel),
        )
    )  # fmt: skip


@drawn(60)
@given(of_any_grain())
def test_near_a_source(folder: Path, case: Case) -> None:
    note(f"grid {case.geobox}, source of {case.shape} pixels")
    with opened(case.scene(folder)) as source:
        check(source, case.geobox)


def check(source: Image, geobox: Geobox) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values, valid = resample(source, [1, 2], geobox, "bilinear", np.ones(geobox.shape, np.bool_))
    rows, cols = source.asset.shape
    x, y = exact_coordinates(source.asset, geobox)
    wrong = (valid != holding(np.ones((rows, cols), bool), (x, y))) & decided((x, y))
    missed = [(int(row), int(col), float(x[row, col]), float(y[row, col])) for row, col in np.argwhere(wrong)]
    assert not missed, f"{len(missed)} pixels found wrongly or not at all; row, col, x, y: {missed[:3]}"
    # Beyond the outermost centres a sample stands for itself.
    with np.errstate(invalid="ignore"):
        inner = valid & (x > 0.5) & (x < cols - 0.5) & (y > 0.5) & (y < rows - 0.5)
    error = np.abs(values - np.stack([x, y]))[:, inner].max(initial=0)
    assert error <= 1 / 4096, f"{error * 4096:.3f} times as much as allowed"


class World(NamedTuple):
    """A source as large as a continent or the earth, and bounds that its output CRS cannot fill."""

    source: str
    transform: Affine
    shape: tuple[int, int]
    target: str
    bounds: tuple[float, float, float, float]


DEGREES = Affine(1, 0, -180, 0, -1, 90)
ARCTIC = Affine(25e3, 0, -3.85e6, 0, -25e3, 5.85e6)
WORLDS = {
    "globe to web mercator": World("EPSG:4326", DEGREES, (180, 360), "EPSG:3857", (-2.5e7, -3e7, 2.5e7, 3e7)),
    "globe from 0 to 360": World(
        "EPSG:4326", Affine(1, 0, 0, 0, -1, 90), (180, 360), "EPSG:3857", (-2.5e7, -3e7, 2.5e7, 3e7)
    ),
    "globe on itself and beyond": World("EPSG:4326", DEGREES, (180, 360), "EPSG:4326", (-250, -100, 250, 100)),
    "globe to the arctic": World("EPSG:4326", DEGREES, (180, 360), "EPSG:3413", (-3e7, -3e7, 3e7, 3e7)),
    "globe to the antarctic": World("EPSG:4326", DEGREES, (180, 360), "EPSG:3031", (-4e6, -4e6, 4e6, 4e6)),
    "globe to equal areas": World("EPSG:4326", DEGREES, (180, 360), "EPSG:3035", (-1.5e7, -1.5e7, 2e7, 2e7)),
    "globe to utm": World("EPSG:4326", DEGREES, (180, 360), "EPSG:32633", (-2e7, -2e7, 2e7, 2e7)),
    "a cap to the arctic": World(
        "EPSG:4326", Affine(1, 0, -180, 0, -0.05, 90), (40, 360), "EPSG:3413", (-4e5, -4e5, 4e5, 4e5)
    ),
    "arctic to degrees": World("EPSG:3413", ARCTIC, (400, 300), "EPSG:4326", (-180, 30, 200, 95)),
    "arctic to utm": World("EPSG:3413", ARCTIC, (400, 300), "EPSG:32633", (-2e6, 5e6, 2e6, 1.4e7)),
    "utm to degrees": World(
        "EPSG:32633", Affine(1000, 0, 3e5, 0, -1000, 6e6), (400, 400), "EPSG:4326", (-190, -95, 190, 95)
    ),
    "utm to a far zone": World(
        "EPSG:32633", Affine(1000, 0, 3e5, 0, -1000, 6e6), (400, 400), "EPSG:32643", (-5e6, 4e6, 0, 9e6)
    ),
    "New Zealand to all degrees": World(
        "EPSG:2193", Affine(2e3, 0, 1.1e6, 0, -2e3, 6.2e6), (400, 400), "EPSG:4326", (-10, -95, 370, 95)
    ),
}


@drawn(60)
@given(st.sampled_from(sorted(WORLDS)), st.floats(40, 120), st.floats(0, 1), st.floats(0, 1))
def test_around_the_globe(folder: Path, name: str, cols: float, right: float, down: float) -> None:
    """Where the poles, the seam of the world and the ends of projections are; beyond them is nowhere."""
    world = WORLDS[name]
    size = (world.bounds[2] - world.bounds[0]) / cols
    geobox = covering(world.bounds, world.target, (size, size), (right * size, down * size))
    note(f"grid {geobox}")
    path = write_scene(folder / "world.tif", places(world.shape), crs=world.source, transform=world.transform)
    with opened(path) as source:
        check(source, geobox)


@pytest.mark.parametrize("name", ["degrees to the arctic", "arctic to degrees"])
def test_a_cap_that_a_patch_goes_around(folder: Path, name: str) -> None:
    """The corners of the patch at the pole all lie beyond the same side of the source; its middle does not."""
    if name == "degrees to the arctic":  # a quarter of a degree around the pole; patches of 80 km
        crs, transform, shape = "EPSG:4326", Affine(1, 0, -180, 0, -0.05, 90), (5, 360)
        geobox = Geobox(crs="EPSG:3413", resolution=(5e3, 5e3), anchor=(4e4, 4e4), col=-40, row=-40, shape=(80, 80))
    else:  # 20 km around the pole; patches of 1.6 degrees
        crs, transform, shape = "EPSG:3413", Affine(1e3, 0, -2e4, 0, -1e3, 2e4), (40, 40)
        geobox = Geobox(crs="EPSG:4326", resolution=(1.0, 0.1), col=-180, row=-900, shape=(20, 360))
    with opened(write_scene(folder / "cap.tif", places(shape), crs=crs, transform=transform)) as source:
        check(source, geobox)
