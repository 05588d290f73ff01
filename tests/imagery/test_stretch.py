"""The stretch: percentiles of the valid pixels of the whole scene, in physical values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from rasters import UTM33, make_raster, masked, only, stack

from cutline.errors import InvalidScene
from cutline.imagery import with_stretch
from cutline.models.scene import Scene, Stretch

WHOLE = (0.0, 100.0)


def ends(scene: Scene, percentiles: tuple[float, float] = WHOLE) -> list[tuple[float, float]]:
    stretches = [band.stretch for band in with_stretch(scene, percentiles).bands]
    return [(stretch.low, stretch.high) for stretch in stretches if stretch]


def ramp(dtype: str = "uint16") -> np.ndarray:
    return np.arange(2400).reshape(1, 40, 60).astype(dtype)


def test_percentiles_in_physical_values(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", pixels=ramp(), scales=(0.5,), offsets=(-10.0,))
    ((low, high),) = ends(only(path), (2, 98))
    assert low == pytest.approx(0.5 * np.percentile(ramp(), 2) - 10)
    assert high == pytest.approx(0.5 * np.percentile(ramp(), 98) - 10)


def test_all_bands_must_equal_nodata(tmp_path: Path) -> None:
    pixels = np.concatenate([ramp() + 5, ramp() + 7])
    pixels[0, :20], pixels[:, 20:30] = 0, 0
    scene = only(make_raster(tmp_path / "a.tif", pixels=pixels, nodata=0))
    assert ends(scene) == [(0, 2404), (7, 2406)]


def test_float_nodata_nan_and_infinity(tmp_path: Path) -> None:
    for name, nodata in (("a", -9999.005859375), ("b", np.nan)):
        pixels = ramp("float32")
        pixels[0, 0, :3] = nodata, np.inf, np.nan
        assert ends(only(make_raster(tmp_path / f"{name}.tif", pixels=pixels, nodata=nodata))) == [(3, 2399)]


def test_alpha(tmp_path: Path) -> None:
    pixels = np.concatenate([ramp(), np.where(ramp() < 100, 0, 9).astype(np.uint16)])
    path = make_raster(tmp_path / "a.tif", pixels=pixels, colors=("gray", "alpha"), alpha="yes")
    assert ends(only(path)) == [(100, 2399)]


def test_an_internal_mask(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", pixels=ramp(), mask=np.where(ramp()[0] < 50, 0, 255).astype(np.uint8))
    assert ends(only(path)) == [(50, 2399)]


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:25833"])
def test_a_mask_of_another_resolution_and_extent(tmp_path: Path, crs: str) -> None:
    """Twice as fine, over the upper half only; its left half rules out."""
    mask = np.zeros((1, 40, 120), np.uint8)
    mask[:, :, :60] = 0b1000
    files = {
        "red": make_raster(tmp_path / "a.tif", pixels=ramp()),
        "qa": make_raster(tmp_path / "qa.tif", pixels=mask, crs=crs, transform=UTM33 @ Affine.scale(0.5)),
    }
    for request in (masked("qa", 8), masked("qa", bits=(3,))):
        assert ends(only(files, mask=request)) == [(30, 2399)]


def test_a_constant_band_does_not_divide_by_nothing(tmp_path: Path) -> None:
    scene = with_stretch(only(make_raster(tmp_path / "a.tif", pixels=stack(1))), (2, 98))
    assert scene.bands[0].stretch == Stretch(low=1.0, high=2.0)


def test_nothing_valid(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", pixels=np.zeros((1, 40, 60), np.uint8), nodata=0)
    with pytest.raises(InvalidScene, match="scene a: band b1 has no valid pixel"):
        with_stretch(only(path), (2, 98))


def test_a_large_scene_is_sampled_the_same_every_time(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).normal(1000, 100, (1, 2100, 3000)).astype(np.uint16)
    plain = only(make_raster(tmp_path / "a.tif", pixels=pixels))
    tiled = only(make_raster(tmp_path / "b.tif", pixels=pixels, tiled=True, blockxsize=256, blockysize=256))
    ((low, high),) = ends(plain, (2, 98))
    assert ends(plain, (2, 98)) == ends(plain, (2, 98)) == ends(tiled, (2, 98))
    assert low == pytest.approx(np.percentile(pixels, 2), abs=2)
    assert high == pytest.approx(np.percentile(pixels, 98), abs=2)
