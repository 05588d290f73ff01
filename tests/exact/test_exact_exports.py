"""Whole exports: tiles and AOIs leave no trace in a pixel, overviews of the source or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, note
from hypothesis import strategies as st

from cutline.export import export
from cutline.models.grid import Geobox
from cutline.placement import choose_overview
from tests.support.cases import PAIRS, Case, cases, drawn, image, opened, resampled
from tests.support.plans import area_of
from tests.support.scenes import make_request, read


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cases")


@drawn(8)
@given(cases(picture="noise", scales=(1.5, 5.0), edge=620))
def test_an_export_by_tiles_is_the_scene_resampled_at_once(folder: Path, case: Case) -> None:
    """On its own grid (--like), beyond 180 degrees too."""
    note(f"grid {case.geobox}, source of {case.shape} pixels")
    request = make_request(case.scene(folder), geobox=case.geobox, resampling=case.method)
    export(request, folder / "out.tif", edge=512, workers=1)
    values, valid = read(folder / "out.tif")
    with image(case, folder, every_band=False) as source:
        expected, expected_valid = resampled(source, case)
    lost = np.argwhere(valid != expected_valid)
    assert not lost.size, f"{len(lost)} pixels from {lost.min(axis=0)} to {lost.max(axis=0)}"
    assert values[:, valid].tobytes() == expected[:, valid].tobytes()


PLAIN = tuple(pair for pair in PAIRS if "180" not in pair)
OVERVIEWED = ("bilinear", "cubic", "average")
"""Methods that may start from an overview"""
shares = st.floats(0, 1)
boxes = st.tuples(shares, shares, shares, shares)


def inner(geobox: Geobox, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """left, bottom, right, top of a box of at least half of the grid's width and height, so that any two overlap."""
    left, bottom, right, top = geobox.bounds
    width, height = (right - left) / 4, (top - bottom) / 4
    return left + box[0] * width, bottom + box[1] * height, right - box[2] * width, top - box[3] * height


@drawn(15)
@given(
    cases(
        pairs=PLAIN, picture="noise", scales=(0.2, 0.9), edge=300, methods=OVERVIEWED, gaps=("none", "speckles", "mask")
    ),
    boxes,
    boxes,
)
def test_where_two_areas_overlap_they_agree(folder: Path, case: Case, one: tuple, other: tuple) -> None:
    """Each by its own window of the file, and of the overview that fits the resolution."""
    crs, size = case.geobox.crs, case.geobox.resolution[0]
    scene = case.scene(folder, overviews=(2, 3, 4))
    with opened(scene) as source:
        note(f"overview {choose_overview(source.asset, case.geobox)} of {source.asset.overviews}")
    made = []
    for number, box in enumerate((one, other)):
        bounds = inner(case.geobox, box)
        note(f"area {bounds} of {crs}, resolution {size!r}")
        request = make_request(scene, aoi=area_of(*bounds, crs=crs), crs=crs, resolution=size, resampling=case.method)
        out = folder / f"{number}.tif"
        made.append((bounds, export(request, out, workers=1).plan.geobox, *read(out)))
    (bounds, geobox, values, valid), (other_bounds, other_geobox, other_values, other_valid) = made
    # Pixels that both areas hold beyond doubt, by their place in the lattice that the two share.
    left, bottom, right, top = shapely.box(*bounds).intersection(shapely.box(*other_bounds)).bounds
    rows = range(int(np.ceil(-top / size)) + 1, int(np.floor(-bottom / size)) - 1)
    cols = range(int(np.ceil(left / size)) + 1, int(np.floor(right / size)) - 1)
    here, there = (
        np.s_[rows.start - grid.row : rows.stop - grid.row, cols.start - grid.col : cols.stop - grid.col]
        for grid in (geobox, other_geobox)
    )
    np.testing.assert_array_equal(valid[here], other_valid[there])
    both = valid[here]
    assert both.any()
    assert values[:, *here][:, both].tobytes() == other_values[:, *there][:, both].tobytes()
