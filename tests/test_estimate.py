"""What an estimate promises: exact figures against brute force, a bound that no file exceeds, sane intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from rasterio.features import rasterize

from cutline.estimate import Estimate, estimate
from cutline.export import export
from cutline.grid import Tiling
from cutline.process import named_graph
from tests.support.plans import area_of, header_scene, plan_of
from tests.support.scenes import make_request, write_scene

CIRCLE = shapely.geometry.mapping(shapely.MultiPolygon([shapely.Point(13.65, 50.5).buffer(0.04)]))


def of(workers: int = 2, edge: int | None = None, **request: Any) -> Estimate:
    return estimate(plan_of(header_scene(), edge=edge, **{"aoi": CIRCLE, **request}), workers)


def test_pixels_and_tiles_are_exact() -> None:
    plan = plan_of(header_scene(), aoi=CIRCLE, resolution=3.0, edge=512)
    told = estimate(plan, 2)
    area = shapely.from_wkb(plan.cutline)
    drawn = rasterize([area], plan.geobox.shape, transform=plan.geobox.transform) > 0
    assert (told.rows, told.cols) == plan.geobox.shape
    assert told.pixels == drawn.sum()
    tiling = Tiling(plan.geobox.shape, 512)
    touched = [drawn[512 * row : 512 * (row + 1), 512 * col : 512 * (col + 1)].any() for row, col in tiling]
    assert told.tiles == sum(touched)
    assert told.raw_bytes == told.pixels * 4 * 2
    assert (told.bands, told.dtype, told.crs, told.resolution) == (4, "uint16", "EPSG:32633", (3.0, 3.0))
    assert told.warnings == plan.warnings != ()


NOISE: dict[str, tuple[str, dict[str, Any]]] = {
    "deflate": ("uint16", {}),
    "zstd": ("uint16", {"profile": "zstd"}),
    "none": ("uint8", {"profile": "none"}),
    "lerc": ("float32", {"profile": "lerc"}),
    "jpeg": ("uint8", {"profile": "jpeg"}),
    "webp": ("uint8", {"profile": "webp"}),
    "nodata": ("int16", {"nodata": -1.0}),
    "an index": ("uint8", {"process": named_graph("ndvi")}),
}


@pytest.mark.parametrize("name", NOISE)
def test_no_file_is_larger_than_the_bound(tmp_path: Path, name: str) -> None:
    """Of noise, which no codec makes smaller."""
    dtype, output = NOISE[name]
    pixels = np.random.default_rng(1).integers(0, 256, (3, 700, 600)).astype(dtype)
    if dtype == "float32":
        pixels = np.random.default_rng(1).random((3, 700, 600), np.float32) * 1e30
    names = ("red", "nir", "green") if "process" in output else ("red", "green", "blue")
    scene = write_scene(tmp_path / "noise.tif", pixels, names=names)
    done = export(make_request(scene, **output), tmp_path / "out.tif", workers=1)
    told = estimate(done.plan, 1)
    assert done.receipt.nbytes <= told.bytes_max <= 5 * max(done.receipt.nbytes, told.raw_bytes)


def test_more_pixels_never_lower_the_bound() -> None:
    bounds = [of(resolution=resolution, edge=512).bytes_max for resolution in (80, 40, 20, 10, 5, 2.5)]
    assert bounds == sorted(bounds)
    radii = [0.005, 0.01, 0.02, 0.04]
    areas = [shapely.geometry.mapping(shapely.MultiPolygon([shapely.Point(13.65, 50.5).buffer(r)])) for r in radii]
    bounds = [of(aoi=area, resolution=5.0, edge=512).bytes_max for area in areas]
    assert bounds == sorted(bounds)


def test_more_bands_or_wider_ones_raise_the_bound() -> None:
    names = ("red", "green", "blue", "nir")
    by_bands = [of(bands=names[:count]).bytes_max for count in (1, 2, 3, 4)]
    by_dtype = [of(dtype=dtype).bytes_max for dtype in ("uint8", "uint16", "int32", "float64")]
    assert by_bands == sorted(set(by_bands)) and by_dtype == sorted(set(by_dtype))


@pytest.mark.parametrize("workers", [1, 2, 64])
@pytest.mark.parametrize("resolution", [100.0, 10.0, 1.0])
def test_intervals_are_intervals(workers: int, resolution: float) -> None:
    told = of(workers, resolution=resolution)
    assert 0 < told.seconds.low < told.seconds.high
    assert 0 < told.aws_cost_usd.low < told.aws_cost_usd.high


def test_more_work_takes_longer_and_costs_more_and_workers_help() -> None:
    coarse, fine = of(resolution=10.0), of(resolution=1.0)
    assert coarse.seconds.low < fine.seconds.low and coarse.seconds.high < fine.seconds.high
    assert coarse.aws_cost_usd.low < fine.aws_cost_usd.low and coarse.aws_cost_usd.high < fine.aws_cost_usd.high
    assert of(8, resolution=1.0).seconds.low < fine.seconds.low
    assert of(8, resolution=1.0).aws_cost_usd == fine.aws_cost_usd


def test_scenes_that_overlap_can_take_longer() -> None:
    area = area_of(401000, 5591000, 409000, 5599000)
    one = estimate(plan_of(header_scene(), aoi=area), 1)
    three = estimate(plan_of(*(header_scene(name) for name in "abc"), aoi=area), 1)
    assert three.seconds.low == one.seconds.low
    assert three.seconds.high > 2 * one.seconds.high - 5
    assert three.bytes_max - one.bytes_max < 100  # two more names among the tags


def test_metadata_counts_towards_the_size() -> None:
    """Two thousand scene names, with quotes that GDAL writes as &quot;."""
    plan = plan_of()
    names = [f'"scene" {number:05}' for number in range(2000)]
    many = plan.model_copy(update={"scenes": tuple(plan.scenes[0].model_copy(update={"id": name}) for name in names)})
    written = " ".join(names).replace('"', "&quot;")
    assert estimate(many, 1).bytes_max - estimate(plan, 1).bytes_max >= len(written) - len(plan.scenes[0].id)
