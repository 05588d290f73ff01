"""Quick-looks show what is there, and nothing where nothing is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from cutline.quicklook import COLOURS
from demo.quicklook import quicklook

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def _cog(path: Path, values: np.ndarray, nodata: float, names: list[str]) -> Path:
    count, rows, cols = values.shape
    profile = {"driver": "COG", "width": cols, "height": rows, "count": count, "dtype": values.dtype, "nodata": nodata}
    with rasterio.open(path, "w", crs="EPSG:3857", transform=Affine(10, 0, 0, 0, -10, 0), **profile) as target:
        target.write(values)
        target.descriptions = names
    return path


def _picture(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        return source.read()


def test_bands_are_drawn_by_name_and_nodata_is_transparent(tmp_path: Path) -> None:
    values = np.full((4, 600, 900), 300, np.uint16)
    values[2, :, 450:] = 3000  # red, in the east
    values[:, :300] = 0
    quicklook(_cog(tmp_path / "a.tif", values, 0, ["blue", "green", "red", "nir"]), tmp_path / "a.png", max_size=300)
    picture = _picture(tmp_path / "a.png")
    assert picture.shape == (4, 200, 300)
    assert (picture[3, :99] == 0).all()
    assert (picture[3, 101:] == 255).all()
    assert picture[:, 150, 250].tolist() == [255, 0, 0, 255]
    assert picture[:, 150, 50].tolist() == [0, 0, 0, 255]


def test_one_band_is_drawn_by_the_ramp_with_a_legend(tmp_path: Path) -> None:
    values = np.tile(np.linspace(-0.2, 0.9, 1000, dtype=np.float32), (1, 800, 1))
    values[:, 400:] = np.nan
    quicklook(_cog(tmp_path / "n.tif", values, np.nan, ["ndvi"]), tmp_path / "n.png")
    picture = _picture(tmp_path / "n.png")
    assert picture[:3, 100, 2].tolist() == COLOURS[0].tolist()
    assert picture[:3, 100, -2].tolist() == COLOURS[-1].tolist()
    assert picture[3, 500, 900] == 0
    assert picture[3, 780, 100] == 255  # the legend


def test_an_empty_export_is_drawn_all_the_same(tmp_path: Path) -> None:
    values = np.full((1, 64, 64), np.nan, np.float32)
    quicklook(_cog(tmp_path / "e.tif", values, np.nan, ["ndvi"]), tmp_path / "e.png")
    assert (_picture(tmp_path / "e.png")[3] == 0).all()
