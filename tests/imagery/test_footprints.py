"""A footprint holds the centre of every pixel, wherever on Earth they lie, and not much more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.vrt import WarpedVRT
from rasters import UTM33, make_raster, only
from shapely.geometry import shape

from cutline.errors import InvalidScene
from cutline.imagery import reading

ROTATED = Affine.translation(4e5, 5.6e6) @ Affine.rotation(30) @ Affine.scale(10, -10)

PLACES = {
    # name: (crs, transform, (rows, cols), how much larger than the pixels it may be)
    "utm": ("EPSG:32633", UTM33, (400, 600), 1.01),
    "south-up": ("EPSG:32633", Affine(10, 0, 4e5, 0, 10, 5.6e6), (400, 600), 1.01),
    "rotated": ("EPSG:32633", ROTATED, (400, 600), 1.01),
    "sheared": ("EPSG:32633", Affine(10, 3, 4e5, 1, -10, 5.6e6), (400, 600), 1.01),
    "a continent": ("EPSG:3035", Affine(1e3, 0, 2.4e6, 0, -1e3, 5.5e6), (4500, 5000), 1.02),
    "antimeridian": ("EPSG:32660", Affine(100, 0, 6.5e5, 0, -100, 5.8e6), (2000, 3000), 1.02),
    "antimeridian in degrees": ("EPSG:4326", Affine(0.1, 0, 175, 0, -0.1, 10), (100, 100), 1.01),
    "from 0 to 360": ("EPSG:4326", Affine(1, 0, 0, 0, -1, 90), (180, 360), 1.01),
    "the world": ("EPSG:4326", Affine(1, 0, -180, 0, -1, 90), (180, 360), 1.01),
    "the world, centred on the poles": ("EPSG:4326", Affine(1, 0, -180, 0, -1, 90.5), (181, 360), 1.01),
    "web mercator": ("EPSG:3857", Affine(2**14, 0, -20037508.34, 0, -(2**14), 20037508.34), (2446, 2446), 1.02),
    "north pole": ("EPSG:3995", Affine(1e4, 0, -2e6, 0, -1e4, 2e6), (400, 400), 1.1),
    "south pole, off centre": ("EPSG:3031", Affine(1e4, 0, -5e5, 0, -1e4, 2e6), (400, 400), 1.2),
    "beside the pole": ("EPSG:3995", Affine(1e3, 0, 500, 0, -1e3, 1e5), (200, 200), 30.0),
    "sinusoidal globe": (
        "+proj=sinu +R=6371007.181 +units=m", Affine(5e4, 0, -20015109.354, 0, -5e4, 10007554.677), (400, 800), 1.7,
    ),
    "full disk": ("+proj=geos +h=35786023 +lon_0=0 +units=m", Affine(5e4, 0, -5.5e6, 0, -5e4, 5.5e6), (220, 220), 4.0),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_every_pixel_centre_is_inside(tmp_path: Path, place: str) -> None:
    crs, transform, (rows, cols), most = PLACES[place]
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "height": rows, "width": cols, "count": 1, "dtype": "uint8", "sparse_ok": True}
    with rasterio.open(path, "w", **profile, crs=crs, transform=transform):
        pass
    footprint = shape(only(path).footprint)
    assert footprint.is_valid
    west, south, east, north = footprint.bounds
    assert -180 <= west < east <= 180
    assert -90 <= south < north <= 90

    row, col = np.meshgrid(np.linspace(0, rows - 1, 150).round(), np.linspace(0, cols - 1, 150).round())
    row[:, 0], col[0] = 0, 0  # the outermost pixels are where it can fail
    x, y = transform @ (col.ravel() + 0.5, row.ravel() + 0.5)
    lon, lat = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform(x, y)
    on_earth = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) <= 90)
    lon = (lon + 180) % 360 - 180
    inside = shapely.contains_xy(footprint.buffer(1e-9), lon[on_earth], lat[on_earth])
    assert inside.all()

    pixels = shapely.MultiPoint(np.column_stack([lon, lat])[on_earth])
    if most < 1.1 and "antimeridian" not in place:
        assert footprint.area <= pixels.convex_hull.area * most * 1.02


def test_the_antimeridian_splits(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", crs="EPSG:32660", transform=Affine(1e4, 0, 4e5, 0, -1e4, 5.8e6))
    footprint = shape(only(path).footprint)
    west, east = sorted(footprint.geoms, key=lambda part: part.bounds[0])
    assert west.bounds[0] == -180
    assert east.bounds[2] == 180
    assert footprint.area < 60 * 10


def test_assets_of_different_extent_join(tmp_path: Path) -> None:
    files = {
        "red": make_raster(tmp_path / "a.tif"),
        "nir": make_raster(tmp_path / "b.tif", transform=UTM33 @ Affine.translation(30, 0)),
    }
    alone, both = only(files["red"]), only(files)
    assert shape(both.footprint).area == pytest.approx(1.5 * shape(alone.footprint).area, rel=1e-3)


def test_off_earth(tmp_path: Path) -> None:
    crs = "+proj=geos +h=35786023 +lon_0=0 +units=m"
    with pytest.raises(InvalidScene, match="no part of it lies where"):
        only(make_raster(tmp_path / "a.tif", crs=crs, transform=Affine(10, 0, 9e6, 0, -10, 9e6)))


@pytest.mark.parametrize("place", ["utm", "south-up", "rotated", "sheared"])
def test_any_affine_is_read_where_it_says(tmp_path: Path, place: str) -> None:
    """What the renderer relies on: GDAL warps through the full affine, so nothing needs to be refused."""
    crs, transform, _, _ = PLACES[place]
    pixels = np.zeros((1, 40, 60), np.uint8)
    pixels[0, 25, 42] = 200
    asset = only(make_raster(tmp_path / "a.tif", pixels=pixels, crs=crs, transform=transform)).assets["image"]
    x, y = transform @ (42.5, 25.5)
    with (
        reading(asset) as dataset,
        WarpedVRT(dataset, crs=crs, transform=Affine(1, 0, x - 2, 0, -1, y + 2), width=4, height=4) as warped,
    ):
        assert (warped.read(1) == 200).all()
