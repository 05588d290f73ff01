"""The oracle itself: gdalwarp by ctypes does what the program does, and says why when it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from tests.support.gdalwarp import GdalError, gdal, gdalwarp


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.tif"
    profile = {"driver": "GTiff", "width": 40, "height": 30, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
    with rasterio.open(path, "w", transform=Affine(10, 0, 500_000, 0, -10, 5_000_000), nodata=0, **profile) as dataset:
        dataset.write(np.arange(1, 1201, dtype=np.uint16).reshape(1, 30, 40).astype(np.uint8) | 1)
    return path


def test_a_grid_of_its_own_is_copied(source: Path, tmp_path: Path) -> None:
    gdalwarp(["-te", "500100", "4999800", "500300", "4999900", "-r", "cubic"], [source], tmp_path / "out.tif")
    with rasterio.open(source) as before, rasterio.open(tmp_path / "out.tif") as after:
        assert after.shape == (10, 20)
        np.testing.assert_array_equal(after.read(1), before.read(1)[10:20, 10:30])


def test_options_reach_the_driver(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    gdalwarp(["-t_srs", "EPSG:3857", "-of", "COG", "-co", "COMPRESS=ZSTD", "-multi"], [source, source], out)
    with rasterio.open(out) as dataset:
        assert dataset.crs.to_epsg() == 3857
        assert dataset.compression.value == "ZSTD"
        assert dataset.read(1).any()


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["-nonsense"], "nonsense"),
        (["-cutline", "/nowhere.shp"], "nowhere.shp"),
        (["-ot", "UInt16", "-of", "COG", "-co", "COMPRESS=JPEG"], "JPEG"),
    ],
)
def test_what_goes_wrong_is_said(source: Path, tmp_path: Path, args: list[str], reason: str) -> None:
    with pytest.raises(GdalError, match=reason):
        gdalwarp(args, [source], tmp_path / "out.tif")


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(GdalError, match=r"missing\.tif"):
        gdalwarp([], [tmp_path / "missing.tif"], tmp_path / "out.tif")


def test_configuration_ends_with_the_call(source: Path, tmp_path: Path) -> None:
    gdalwarp(["--config", "CPL_DEBUG=OFF", "--config", "MADE_UP", "2"], [source], tmp_path / "out.tif")
    assert gdal.CPLGetGlobalConfigOption(b"MADE_UP", None) is None
