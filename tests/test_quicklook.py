"""Quick-looks, drawn from the beginning of a COG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from cutline.quicklook import drawn, quicklook, stretch, visible_bands

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def read(png: bytes) -> NDArray[Any]:
    """(4, rows, cols)"""
    with MemoryFile(png) as memory, memory.open(driver="PNG") as picture:
        pixels: NDArray[Any] = picture.read()
    return pixels


def cog(path: Path, values: NDArray[Any], valid: NDArray[np.bool_], names: tuple[str, ...]) -> bytes:
    """By GDAL, which lays a COG out as we do: the smallest overview first."""
    tiff = path / "plain.tif"
    bands, rows, cols = values.shape
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(tiff, "w", driver="GTiff", count=bands, height=rows, width=cols, dtype=values.dtype) as file,
    ):
        file.write(values)
        file.write_mask(valid)
        file.descriptions = names
    with rasterio.open(tiff) as file:
        rasterio.shutil.copy(file, path / "cog.tif", driver="COG", blocksize=512, overview_resampling="nearest")
    return (path / "cog.tif").read_bytes()


def test_the_beginning_of_a_file_is_enough(tmp_path: Path) -> None:
    rows, cols = np.mgrid[:1600, :1200]
    values = np.stack([rows % 251, cols % 241, (rows + cols) % 239]).astype(np.uint8)
    valid = cols < 600
    whole = cog(tmp_path, values, valid, ("red", "green", "blue"))
    pixels = read(quicklook(whole))
    assert pixels.shape == (4, 400, 300)
    assert (pixels[3, :, :149] == 255).all() and (pixels[3, :, 151:] == 0).all()
    assert pixels[:3, :, 151:].max() == 0, "nothing of what is masked shows"
    assert (read(quicklook(whole[: len(whole) // 3])) == pixels).all()


def test_a_file_without_overviews_is_drawn_as_it_is(tmp_path: Path) -> None:
    values = np.linspace(-1, 1, 300 * 200, dtype=np.float32).reshape(1, 300, 200)
    pixels = read(quicklook(cog(tmp_path, values, np.ones((300, 200), np.bool_), ("ndvi",))))
    assert pixels.shape == (4, 300, 200)
    red, green, blue, alpha = pixels
    assert (red[0, 0], green[0, 0], blue[0, 0]) == (165, 0, 38)
    assert (red[-1, -1], green[-1, -1], blue[-1, -1]) == (0, 104, 55)
    assert alpha.min() == 255


@pytest.mark.parametrize(("name", "grey"), [("nir", True), ("ndvi", False), (None, False)])
def test_a_band_of_a_sensor_is_grey_and_what_was_computed_is_coloured(name: str | None, grey: bool) -> None:
    values = np.linspace(0, 1, 100, dtype=np.float32).reshape(1, 10, 10)
    picture = drawn(values, np.ones((10, 10), np.bool_), (name,))
    assert (picture[..., 0] == picture[..., 1]).all() == grey


def test_what_is_no_number_does_not_show() -> None:
    values = np.full((1, 2, 2), 0.5, np.float32)
    values[0, 0, 0] = np.nan
    assert drawn(values, np.ones((2, 2), np.bool_), ("x",))[..., 3].tolist() == [[0, 255], [255, 255]]


def test_which_bands_are_shown() -> None:
    assert visible_bands(("nir", "blue", "green", "red")) == [4, 3, 2]
    assert visible_bands(("a", "b", "c", "d")) == [1, 2, 3]
    assert visible_bands(("a", "b")) == [1]


@pytest.mark.parametrize(("values", "ends"), [([], (0, 1)), ([5, 5], (5, 6)), (range(101), (2, 98))])
def test_stretch(values: Any, ends: tuple[float, float]) -> None:
    assert stretch(np.array(values, np.float32)) == ends
