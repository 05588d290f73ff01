"""Where exports lie, end to end: grids taken over, chosen, shared between zones, and across the antimeridian."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.enums import Interleaving

from tests.support.cli import cutline, exported, write_aoi
from tests.support.scenes import UTM33, read, texture, write_scene

SHAPE = (4, 60, 70)
EXACT = ("--resampling", "nearest")
PIXELS = texture(SHAPE, "uint16").astype("f8")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("scene") / "scene.tif", texture(SHAPE, "uint16"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.tif"


def test_like_another_file(tmp_path: Path, scene: Path, out: Path) -> None:
    """A grid that is no multiple of anything, wider than the scene."""
    grid = Affine(20, 0, 399963, 0, -20, 5600017)
    other = write_scene(tmp_path / "other.tif", np.zeros((1, 37, 45), "uint8"), transform=grid)
    exported("--scene", scene, "--like", other, *EXACT, "-o", out)
    with rasterio.open(out) as file:
        assert (file.shape, file.transform, file.crs) == ((37, 45), grid, "EPSG:32633")
    values, valid = read(out)
    rows, cols = (np.arange(size) + 0.5 for size in (37, 45))
    col, _ = ~UTM33 @ (grid @ (cols, 0 * cols))
    _, row = ~UTM33 @ (grid @ (0 * rows, rows))
    inside = np.ix_((row >= 0) & (row < SHAPE[1]), (col >= 0) & (col < SHAPE[2]))
    assert valid[inside].all()
    assert valid.sum() == valid[inside].size
    at = np.ix_(row[inside[0][:, 0]].astype(int), col[inside[1][0]].astype(int))
    np.testing.assert_array_equal(values[:, *inside], PIXELS[:, *at])


def test_without_an_area_the_scene_comes_out_as_it_is(scene: Path, out: Path) -> None:
    done = exported("--scene", scene, "-o", out)
    assert (done["crs"], done["resolution"], done["pixels"]) == ("EPSG:32633", [10, 10], 60 * 70)
    with rasterio.open(out) as file:
        assert (file.transform, file.shape) == (UTM33, SHAPE[1:])
        np.testing.assert_array_equal(file.read(), PIXELS)
    assert done["warnings"] == []


def test_scenes_of_two_zones_meet_in_the_zone_of_the_area(tmp_path: Path, out: Path) -> None:
    west = write_scene(tmp_path / "west.tif", texture((1, 60, 60)), transform=Affine(10, 0, 215000, 0, -10, 5600000))
    east = write_scene(
        tmp_path / "east.tif", texture((1, 60, 60)), crs="EPSG:32632", transform=Affine(10, 0, 780000, 0, -10, 5600000)
    )
    done = exported("--scene", west, "--scene", east, "-o", out)
    assert done["crs"] in ("EPSG:32632", "EPSG:32633")
    assert done["resolution"] == [10, 10]


def test_tiles_outside_the_area_and_beside_the_scenes_take_no_space(tmp_path: Path, out: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", texture((1, 400, 400)))
    area = write_aoi(tmp_path / "area.json", (400000, 5600000), (400010, 5600000), (410240, 5589760), (410230, 5589760))
    done = exported("--scene", scene, "--aoi", area, "--tile-size", 512, "-o", out)
    assert (done["tiles"], done["sparse_tiles"]) == (1, 3)
    assert "cover" in done["warnings"][0]
    with rasterio.open(out) as file:
        assert file.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1)
        assert file.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1) is None
    assert out.stat().st_size < 60_000
    assert cutline("validate", out).code == 0


def test_many_bands_are_kept_apart(tmp_path: Path, out: Path) -> None:
    pixels = texture((12, 30, 40), "int16")
    scene = write_scene(tmp_path / "cube.tif", pixels)
    done = exported("--scene", scene, "-o", out)
    assert done["bands"] == [f"c{number}" for number in range(1, 13)]
    with rasterio.open(out) as file:
        assert file.interleaving is Interleaving.band
        np.testing.assert_array_equal(file.read(), pixels)


def test_a_float_elevation_model_with_holes(tmp_path: Path, out: Path) -> None:
    heights = texture((1, 40, 40), "float32")
    heights[0, 10:20, 10:20] = np.nan
    scene = write_scene(tmp_path / "dem.tif", heights, nodata=np.nan, names=("height",))
    for profile in ("deflate", "zstd", "lerc"):
        done = exported("--scene", scene, "--profile", profile, *EXACT, "-o", out)
        assert done["dtype"] == "float32"
        values, valid = read(out)
        np.testing.assert_array_equal(valid, ~np.isnan(heights[0]))
        tolerance = 0.0011 if profile == "lerc" else 0
        np.testing.assert_allclose(values[0], heights[0], rtol=0, atol=tolerance)
    integers = exported("--scene", scene, "--dtype", "int16", *EXACT, "-o", out)
    assert integers["dtype"] == "int16"
    values, valid = read(out)
    np.testing.assert_array_equal(valid, ~np.isnan(heights[0]))
    np.testing.assert_array_equal(values[0][valid], np.floor(heights[0] + 0.5)[valid])


# The antimeridian: two scenes that meet at 180 degrees, Fiji's latitude.

FIJI = Affine(100, 0, 0, 0, -100, 8150000)


@pytest.fixture(scope="module")
def fiji(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    folder = tmp_path_factory.mktemp("fiji")
    west = write_scene(
        folder / "zone60.tif", np.full((1, 200, 200), 60, "uint8"), crs="EPSG:32760",
        transform=FIJI @ Affine.translation(8025, 0),
    )  # fmt: skip
    east = write_scene(
        folder / "zone1.tif", np.full((1, 200, 200), 1, "uint8"), crs="EPSG:32701",
        transform=FIJI @ Affine.translation(1775, 0),
    )  # fmt: skip
    area = folder / "area.geojson"
    area.write_text(json.dumps(shapely.geometry.mapping(shapely.box(179.95, -16.85, 180.05, -16.75))))
    return west, east, area


@pytest.mark.parametrize(
    ("crs", "resolution"), [("EPSG:3857", 100), ("EPSG:4326", 0.001), ("EPSG:32760", 100), ("EPSG:32660", 100)]
)
def test_an_area_across_the_antimeridian_is_one_piece(
    tmp_path: Path, fiji: tuple[Path, Path, Path], out: Path, crs: str, resolution: float
) -> None:
    west, east, area = fiji
    done = exported(
        "--scene", west, "--scene", east, "--aoi", area, "--crs", crs, "--resolution", resolution, *EXACT, "-o", out
    )  # fmt: skip
    rows, cols = done["shape"]
    assert 90 < rows < 125
    assert 90 < cols < 125
    values, valid = read(out)
    assert valid.sum() > 0.97 * done["pixels"]
    first_half, second_half = values[0, :, : cols // 2 - 3], values[0, :, cols // 2 + 3 :]
    assert set(np.unique(first_half[valid[:, : cols // 2 - 3]])) == {60}
    assert set(np.unique(second_half[valid[:, cols // 2 + 3 :]])) <= {60, 1}
    assert (second_half == 1).sum() > 0.4 * second_half.size
    item = json.loads(out.with_suffix(".json").read_text())
    assert item["bbox"][0] > item["bbox"][2]
    assert item["geometry"]["type"] == "MultiPolygon"
    assert cutline("validate", out).code == 0
