"""Pixels are what GDAL's exact warper gives, and what the book says where GDAL means something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, note
from hypothesis import strategies as st

from cutline.kernel import Image
from tests.support.cases import GAPS, PAIRS, Case, cases, drawn, image, resampled
from tests.support.gdalwarp import gdalwarp
from tests.support.reference import (
    NEAR_ONE,
    decided,
    exact_coordinates,
    holding,
    mean,
    most_frequent,
    nearest,
)

GDAL_GAPS = tuple(gaps for gaps in GAPS if gaps != "bands apart")
"""Where bands differ in their gaps, GDAL's validity is another"""
GDAL_PAIRS = tuple(pair for pair in PAIRS if pair != "web mercator before 180 to degrees")
"""GDAL does not look for a point beyond 180 degrees on the other side of a projected source"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cases")


@drawn(60)
@given(cases(pairs=GDAL_PAIRS, methods=("nearest", "bilinear", "cubic"), gaps=GDAL_GAPS, edge=100))
def test_pixels_are_gdals(folder: Path, case: Case) -> None:
    with image(case, folder) as source:
        values, valid = resampled(source, case)
    note(f"grid {case.geobox}, source of {case.shape} pixels, scale {source.scale}")
    expected, expected_valid = by_gdal(case, source, folder)
    sure = decided(exact_coordinates(source.asset, case.geobox))
    assert_same_validity(valid, expected_valid, sure)
    for band in (0, 1):
        assert_alike(case, band, values, expected[band], valid & sure)


def by_gdal(case: Case, source: Image, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    left, bottom, right, top = case.geobox.bounds
    rows, cols = case.geobox.shape
    # Left to itself, GDAL takes the widening of the kernel from the window it happens to work on.
    x_scale, y_scale = (1.0 if ratio >= NEAR_ONE else ratio for ratio in source.scale)
    gdalwarp(
        ["-et", "0", "-r", {"nearest": "near"}.get(case.method, case.method), "-t_srs", case.geobox.crs, "-dstalpha",
         "-overwrite", "-wo", f"XSCALE={x_scale!r}", "-wo", f"YSCALE={y_scale!r}", "-wo", "UNIFIED_SRC_NODATA=YES",
         "-te", *map(repr, (left, bottom, right, top)), "-ts", str(cols), str(rows)],
        [source.asset.href], folder / "gdal.tif",
    )  # fmt: skip
    with rasterio.open(folder / "gdal.tif") as file:
        *values, alpha = file.read()
    return np.array(values), alpha > 0


def assert_same_validity(valid: np.ndarray, expected: np.ndarray, where: np.ndarray) -> None:
    wrong = (valid != expected) & where
    assert not wrong.any(), f"{wrong.sum()} pixels, the first at {np.argwhere(wrong)[0]}"
    assert valid.any()


def assert_alike(case: Case, band: int, values: np.ndarray, expected: np.ndarray, where: np.ndarray) -> None:
    """nearest, mode: equal. Others: integers within a count, floats within 3e-5 of the values' range."""
    held = case.pixels[band][case.holds_data[band]].astype(float)
    allowed = 0.0 if case.method in {"nearest", "mode"} else 3e-5 * np.ptp(held) if case.dtype[0] == "f" else 1.0
    differs = np.where(where, np.abs(values[band].astype(float) - expected.astype(float)), 0)
    worst = np.unravel_index(differs.argmax(), differs.shape)
    assert differs[worst] <= allowed, (
        f"band {band + 1}: {(differs > allowed).sum()} pixels, most at {worst}: "
        f"{values[band][worst]} for {expected[worst]}, at most {allowed:g} allowed"
    )


by_the_book = st.one_of(
    cases(methods=("average",), edge=60),
    cases(methods=("mode",), picture="classes", edge=60),
    cases(methods=("nearest", "bilinear", "cubic"), gaps=("bands apart",), edge=60),
    cases(pairs=sorted(set(PAIRS) - set(GDAL_PAIRS)), edge=60),
)


@drawn(50)
@given(by_the_book, st.booleans())
def test_pixels_are_as_the_book_says(folder: Path, case: Case, every_band: bool) -> None:
    """Where GDAL means something else: average and mode, whose boxes it draws along the output's pixels; gaps that
    differ from band to band; and where it finds nothing."""
    with image(case, folder, every_band=every_band) as source:
        values, valid = resampled(source, case)
    note(f"grid {case.geobox}, source of {case.shape} pixels, scale {source.scale}")
    at = exact_coordinates(source.asset, case.geobox)
    sure = decided(at)
    known = case.holds_data
    if every_band:
        known = np.broadcast_to(known.all(axis=0), known.shape)
    assert_same_validity(valid, holding(known.any(axis=0), at), sure)
    for band in (0, 1):
        own = holding(known[band], at)
        gap = valid & ~own & sure
        assert (values[band][gap] == source.asset.nodata).all()
        assert_alike(case, band, values, *by_book(case, source, band, known[band], own & sure))


def by_book(
    case: Case, source: Image, band: int, valid: np.ndarray, where: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Values, and which of them may be compared: of as many points of those ``where`` as can be waited for."""
    pixels, scale = case.pixels[band], source.scale
    chosen = np.flatnonzero(where)
    chosen = np.random.default_rng(case.seed).permutation(chosen)[:500]
    x, y = (axis.ravel()[chosen] for axis in exact_coordinates(source.asset, case.geobox))
    sure = np.ones(chosen.shape, bool)
    if case.method == "nearest":
        value = nearest(pixels, (x, y))
    elif case.method == "mode":
        value, sure = most_frequent(pixels, valid, (x, y), scale)
    else:
        value, strain = mean(case.method, pixels, valid, (x, y), scale)
        sure = strain < 3
        if pixels.dtype.kind != "f":
            limits = np.iinfo(pixels.dtype)
            value = np.clip(np.floor(value + 0.5), limits.min, limits.max)
    expected, compared = np.zeros(where.shape), np.zeros(where.shape, bool)
    expected.ravel()[chosen], compared.ravel()[chosen] = value, sure
    return expected, compared
