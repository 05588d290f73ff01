"""Every level of every kind of file holds the pixels it should, and both validators agree that it is a COG."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from cutline.cog import tiff
from cutline.cog.profile import PROFILES, check_profile
from cutline.cog.pyramid import Raster, reduced
from cutline.cog.validate import validate
from cutline.errors import InvalidRequest
from cutline.grid import level_shapes
from tests.cog.building import build, halved, make_raster, make_spec, read
from tests.support.cogcheck import assert_valid_cog

NAN = float("nan")
DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
ONE_BLOCK = (200, 300)
SMALL = (530, 600)
"""2 x 2 tiles of one block, the right ones empty, and an overview"""
ODD = (1301, 1407)
"""Three levels, of which none halves exactly"""

Kind = tuple[str, str, int, float | None]
"""Profile, dtype, bands, nodata"""


def _kinds() -> list[Kind]:
    """All that check_profile takes, with a mask or nodata, as the planner chooses them."""
    kinds = []
    for profile, dtype, bands in product(PROFILES, DTYPES, (1, 3, 4, 10)):
        for nodata in (NAN, -9999.0) if dtype.startswith("float") else (None, 7.0):
            try:
                check_profile(profile, dtype, bands, nodata)
            except InvalidRequest:
                continue
            kinds.append((profile, dtype, bands, nodata))
    return kinds


@pytest.mark.parametrize("kind", _kinds()[::3], ids=str)
def test_one_block_of_every_kind(tmp_path: Path, kind: Kind) -> None:
    _assert_good(tmp_path, kind, ONE_BLOCK)


@pytest.mark.parametrize("kind", _kinds()[::7], ids=str)  # 3 and 7 share no factor with the lists above
def test_tiles_and_overviews(tmp_path: Path, kind: Kind) -> None:
    _assert_good(tmp_path, kind, SMALL)


@pytest.mark.parametrize(
    ("kind", "edge"),
    [
        (("jpeg", "uint8", 3, None), 512),
        (("jpeg", "uint8", 1, None), 1024),
        (("webp", "uint8", 3, None), 1024),
        (("zstd", "float32", 1, NAN), 512),
        (("deflate", "uint16", 4, None), 2048),
    ],
    ids=str,
)
def test_any_grid_and_any_tile(tmp_path: Path, kind: Kind, edge: int) -> None:
    _assert_good(tmp_path, kind, ODD, edge)


def test_planes_of_several_blocks(tmp_path: Path) -> None:
    _assert_good(tmp_path, ("zstd", "int16", 9, 0.0), SMALL, 1024)


def _assert_good(folder: Path, kind: Kind, shape: tuple[int, int], edge: int = 512) -> None:
    spec = make_spec(*kind)
    built = build(folder, spec, make_raster(spec, shape), edge)
    _assert_levels(built.path, built.raster, spec)
    assert_valid_cog(built.path)
    found = validate(built.path)
    assert found.valid and found.levels == tuple(level_shapes(shape))
    assert built.receipt.nbytes == built.path.stat().st_size
    assert built.receipt.shape == shape
    assert sorted(built.path.parent.iterdir()) == [built.path, *folder.glob("work")]


def _assert_levels(path: Path, raster: Raster, spec) -> None:
    """Each level against the one below it as it should be, before any codec had it."""
    values, valid = raster.values, raster.valid
    for level, shape in enumerate(level_shapes(raster.valid.shape)):
        if level:
            mean = halved(values, valid)
            values, valid = mean.filled(0), ~mean.mask[0]
            if spec.nodata is not None:
                values[values == spec.nodata] += 1
        found, found_valid = read(path, level)
        assert found.dtype == spec.dtype and found.shape[1:] == shape
        np.testing.assert_array_equal(found_valid, valid)
        _assert_close(found[:, valid], values[:, valid], spec)


def _assert_close(found: np.ndarray, expected: np.ndarray, spec) -> None:
    if PROFILES[spec.profile].lossy:
        error = np.square(found.astype("f8") - expected).mean()
        assert 10 * np.log10(255**2 / error) > 36  # dB; below 30 one begins to see it
    elif spec.profile == "lerc" and found.dtype.kind == "f":
        # The bound, and the rounding of float32 at 3000.
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=0.001)
    elif found.dtype == np.float64:
        np.testing.assert_allclose(found, expected, rtol=1e-13)  # sums in another order
    else:
        np.testing.assert_array_equal(found, expected)


GREY, RGB, YCBCR = 1, 2, 6  # PhotometricInterpretation
SPARSE = make_spec("deflate", "float32", 2, NAN)


def test_an_empty_block_takes_no_byte_and_reads_as_nodata(tmp_path: Path) -> None:
    built = build(tmp_path, SPARSE, make_raster(SPARSE, ODD), 512)
    found = validate(built.path)
    assert built.receipt.sparse_tiles == 3  # the right column
    assert found.sparse_blocks >= 3
    values, valid = read(built.path)
    assert np.isnan(values[:, :, 1126:]).all() and not valid[:, 1126:].any()
    with rasterio.open(built.path) as file:
        assert file.get_tag_item("BLOCK_OFFSET_2_0", "TIFF", bidx=1) is None


def test_black_is_not_empty(tmp_path: Path) -> None:
    """GDAL leaves out blocks of zeros; a mask says that they are data."""
    for profile in ("jpeg", "webp", "lerc", "deflate"):
        spec = make_spec(profile, "uint8", 3)
        raster = make_raster(spec, SMALL)
        raster.values[:, :512, :512] = 0  # beside a tile that is not black, and may bring other tables
        raster.valid[:] = True
        built = build(tmp_path, spec, raster)
        values, valid = read(built.path)
        assert valid.all() and not values[:, :512, :512].any()
        assert_valid_cog(built.path)


def test_a_file_without_any_data(tmp_path: Path) -> None:
    for kind in (("jpeg", "uint8", 3, None), ("deflate", "float32", 1, NAN), ("lerc", "int16", 1, 0.0)):
        spec = make_spec(*kind)
        raster = make_raster(spec, SMALL)
        raster.valid[:] = False
        built = build(tmp_path, spec, raster)
        assert built.receipt.sparse_tiles == 4
        assert not read(built.path)[1].any()
        assert_valid_cog(built.path)
        assert validate(built.path).valid


def test_bands_that_miss_different_pixels(tmp_path: Path) -> None:
    """A pixel lacks one band (0 / 0): its overview is the mean of what there is, band by band."""
    for profile, nodata in (("deflate", NAN), ("deflate", -9999.0), ("lerc", NAN)):
        spec = make_spec(profile, "float32", 3, nodata)
        raster = make_raster(spec, SMALL)
        raster.values[0, 300:401:3, 200:301:2] = nodata
        raster.values[1:, 351:380, 251:280] = nodata
        built = build(tmp_path, spec, raster)
        empty = np.isnan(raster.values) if np.isnan(nodata) else raster.values == nodata
        expected = halved(raster.values, ~empty)
        found, valid = read(built.path, 1)
        np.testing.assert_array_equal(valid, ~expected.mask.all(axis=0))
        np.testing.assert_array_equal(np.isnan(found) if np.isnan(nodata) else found == nodata, expected.mask)
        np.testing.assert_allclose(found[~expected.mask], expected.compressed(), rtol=1e-6, atol=0.001)


@pytest.mark.parametrize(("dtype", "nodata"), [("int16", 0.0), ("float32", 0.0), ("uint8", 255.0)])
def test_a_mean_that_equals_nodata_steps_aside(dtype: str, nodata: float) -> None:
    spec = make_spec("deflate", dtype, 1, nodata)
    pairs = {"int16": (-5, 5), "float32": (-5, 5), "uint8": (255, 255)}
    values = np.array([[pairs[dtype]] * 2], dtype)
    once = reduced(Raster(values, np.ones((2, 2), np.bool_)), make_spec("deflate", dtype, 1, nodata, masked=False))
    assert once.valid.all()
    if dtype != "uint8":
        assert once.values[0, 0, 0] != 0 and abs(once.values[0, 0, 0]) <= 1
    else:
        assert once.values[0, 0, 0] == 254
    assert spec.nodata == nodata


def test_what_describes_the_file_is_in_it(tmp_path: Path) -> None:
    spec = make_spec("deflate", "int16", 3, -1.0, scale=0.0001, offset=-0.1)
    built = build(tmp_path, spec, make_raster(spec, SMALL))
    with rasterio.open(built.path) as file:
        assert file.crs.to_epsg() == 32633
        assert file.transform == built.plan.geobox.transform
        assert file.descriptions == spec.bands
        assert set(file.scales) == {0.0001} and set(file.offsets) == {-0.1}
        assert file.nodata == -1
        assert file.tags()["TIFFTAG_SOFTWARE"] == "cutline test"
        known = file.read(2, masked=True).compressed().astype("f8")
        tags = file.tags(2)
        assert float(tags["STATISTICS_MEAN"]) == pytest.approx(known.mean(), rel=1e-12)
        assert float(tags["STATISTICS_STDDEV"]) == pytest.approx(known.std(), rel=1e-9)
        assert float(tags["STATISTICS_MINIMUM"]) == known.min()
        assert float(tags["STATISTICS_MAXIMUM"]) == known.max()
        assert float(tags["STATISTICS_VALID_PERCENT"]) == pytest.approx(100 * known.size / file.read(2).size, rel=1e-3)


def test_colours_are_what_the_bands_are_called(tmp_path: Path) -> None:
    for names, profile, expected, extra in (
        (("red", "green", "blue"), "jpeg", YCBCR, 0),
        (("red", "green", "blue", "nir"), "deflate", RGB, 1),
        (("nir", "red", "green"), "jpeg", GREY, 2),
        (("nir", "red", "green"), "webp", GREY, 2),
    ):
        spec = make_spec(profile, bands=len(names)).model_copy(update={"bands": names})
        built = build(tmp_path, spec, make_raster(spec, ONE_BLOCK))
        for image in tiff.read_directories(built.path.read_bytes())[::2]:  # the others are masks
            assert image[tiff.PHOTOMETRIC].number() == expected
            assert len(image[tiff.EXTRA_SAMPLES].numbers()) == extra if extra else tiff.EXTRA_SAMPLES not in image
        with rasterio.open(built.path) as file:
            assert file.count == len(names) and ColorInterp.alpha not in file.colorinterp
        _assert_levels(built.path, built.raster, spec)
