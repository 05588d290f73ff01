"""The sample scenes are what the other tests and the demo take them for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.warp import transform_bounds
from rasterio.windows import from_bounds

from cutline.aoi import read_aoi
from demo.scenes import DemoFiles, make_scenes

SIZE = 640


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    return make_scenes(tmp_path_factory.mktemp("scenes"), size=SIZE)


def test_scenes_lie_in_two_zones_and_overlap(files: DemoFiles) -> None:
    footprints = []
    for path, epsg in zip(files.scenes, (32632, 32633), strict=True):
        with rasterio.open(path) as scene:
            assert scene.crs.to_epsg() == epsg
            assert (scene.count, scene.dtypes[0], scene.shape, scene.nodata) == (4, "uint16", (SIZE, SIZE), 0)
            assert scene.descriptions == ("blue", "green", "red", "nir")
            assert scene.overviews(1)
            footprints.append(shapely.box(*transform_bounds(scene.crs, "EPSG:4326", *scene.bounds)))
    assert footprints[0].intersection(footprints[1]).area > 0.2 * footprints[0].area


def test_every_pixel_is_wholly_data_or_wholly_nodata(files: DemoFiles) -> None:
    for scene_path, mask_path in zip(files.scenes, files.masks, strict=True):
        with rasterio.open(scene_path) as scene, rasterio.open(mask_path) as mask:
            data, classes = scene.read(), mask.read(1)
        assert ((data == 0).all(0) == (data == 0).any(0)).all()
        assert ((classes == 0) == (data[0] == 0)).all()
        assert 0.03 < (classes == 0).mean() < 0.25
        assert set(np.unique(classes)) <= {0, 3, 4, 5, 6, 8, 9}
        assert {3, 4, 5, 6, 9} <= set(np.unique(classes))


def test_plants_and_water_look_like_it_in_the_near_infrared(files: DemoFiles) -> None:
    with rasterio.open(files.scenes[0]) as scene, rasterio.open(files.masks[0]) as mask:
        _, _, red, nir = scene.read().astype(float)
        classes = mask.read(1)
    ndvi = (nir - red) / np.maximum(nir + red, 1)
    assert np.median(ndvi[classes == 4]) > 0.6
    assert np.median(ndvi[classes == 5]) < 0.4
    assert np.median(ndvi[classes == 6]) < 0


def test_both_scenes_show_the_same_ground(files: DemoFiles) -> None:
    """Through GDAL's warper, the second scene agrees with the first wherever both are clear."""
    with rasterio.open(files.scenes[0]) as first, rasterio.open(files.masks[0]) as first_mask:
        window = from_bounds(*_overlap(files), transform=first.transform).round()
        a, a_classes = first.read(window=window).astype(float), first_mask.read(1, window=window)
        grid = {
            "crs": first.crs,
            "transform": first.window_transform(window),
            "height": a.shape[1],
            "width": a.shape[2],
        }
    with rasterio.open(files.scenes[1]) as second, rasterio.open(files.masks[1]) as second_mask:
        with rasterio.vrt.WarpedVRT(second, resampling=rasterio.enums.Resampling.bilinear, **grid) as warped:
            b = warped.read().astype(float)
        with rasterio.vrt.WarpedVRT(second_mask, **grid) as warped:
            b_classes = warped.read(1)
    clear = np.isin(a_classes, (4, 5, 6)) & np.isin(b_classes, (4, 5, 6))
    assert clear.sum() > 10_000
    for band in range(4):
        assert np.corrcoef(a[band][clear], b[band][clear])[0, 1] > 0.9


def test_the_same_arguments_give_the_same_pixels(files: DemoFiles, tmp_path: Path) -> None:
    again = make_scenes(tmp_path, size=SIZE)
    for before, after in zip(files.scenes, again.scenes, strict=True):
        with rasterio.open(before) as one, rasterio.open(after) as other:
            assert one.checksum(4) == other.checksum(4)


def test_items_describe_their_assets(files: DemoFiles) -> None:
    for path in files.items:
        item = json.loads(path.read_text())
        assert item["stac_version"] == "1.1.0"
        assert [band["eo:common_name"] for band in item["assets"]["data"]["bands"]] == ["blue", "green", "red", "nir"]
        assert 0 < item["properties"]["eo:cloud_cover"] < 60
        for asset in item["assets"].values():
            assert (path.parent / asset["href"]).exists()
        swath = shapely.from_geojson(json.dumps(item["geometry"]))
        assert swath.is_valid
        assert swath.exterior.is_ccw
        assert swath.bounds == pytest.approx(item["bbox"])


def test_the_area_of_interest_has_a_hole_and_needs_both_scenes(files: DemoFiles) -> None:
    found = read_aoi(files.aoi)
    (area,) = found.geometry.geoms
    swaths = [shapely.from_geojson(json.dumps(json.loads(path.read_text())["geometry"])) for path in files.items]
    assert found.report.crs == "EPSG:4326"
    assert len(area.interiors) == 1
    assert not any(swath.contains(area) for swath in swaths)
    assert shapely.union_all(swaths).contains(area)


def _overlap(files: DemoFiles) -> tuple[float, float, float, float]:
    with rasterio.open(files.scenes[0]) as first, rasterio.open(files.scenes[1]) as second:
        left, bottom, right, top = transform_bounds(second.crs, first.crs, *second.bounds)
        bounds = first.bounds
    return max(left, bounds.left), max(bottom, bounds.bottom), min(right, bounds.right), min(top, bounds.top)
