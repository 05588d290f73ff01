"""Into which tiles a plan cuts its grid, and in which order it takes scenes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine

from cutline.cog.profile import raw_bytes
from cutline.estimate import estimate
from cutline.grid import Cutline, Tiling
from cutline.models.grid import Geobox
from cutline.models.plan import CogSpec
from cutline.models.scene import Scene
from cutline.placement import box_of, reach
from cutline.plan import tile_edge
from tests.support.plans import area_of, header_scene, plan_of

EDGES = {
    # what: (bands, dtype, profile, pixels a side), edge
    "small": ((1, "uint8", "deflate", 600), 1024),
    "eight of 1024": ((1, "uint8", "deflate", 3000), 1024),
    "eight of 2048": ((1, "uint8", "deflate", 6000), 2048),
    "large": ((1, "uint8", "deflate", 100_000), 4096),
    "256 MiB": ((8, "uint16", "deflate", 100_000), 4096),
    "over 256 MiB": ((9, "uint16", "deflate", 100_000), 2048),
    "hyperspectral": ((224, "int16", "deflate", 100_000), 512),
    "more than fits": ((4000, "float64", "deflate", 100_000), 512),
    "lossy": ((3, "uint8", "jpeg", 100_000), 8192),
    "lossy and small": ((3, "uint8", "webp", 3000), 1024),
}


@pytest.mark.parametrize("name", EDGES)
def test_the_edge_of_a_tile(name: str) -> None:
    (bands, dtype, profile, pixels), expected = EDGES[name]
    names = tuple(map(str, range(bands)))
    spec = CogSpec(
        bands=names, dtype=dtype, profile=profile, nodata=None, masked=True, planar=bands > 8, overview="average"
    )  # type: ignore[arg-type]
    geobox = Geobox(crs="EPSG:32633", resolution=(1, 1), col=0, row=0, shape=(pixels, pixels))
    edge = tile_edge(spec, geobox)
    assert edge == expected
    assert edge == 512 or raw_bytes(spec, edge * edge) <= 256 << 20


RNG = np.random.default_rng(3)


def scattered(count: int) -> list[Scene]:
    """Scenes of 300 x 300 here and there, of two zones."""
    made = []
    for at in range(count):
        x, y = RNG.integers(0, 6000, 2).tolist()
        zone = {"transform": Affine(10, 0, 400000 + 10 * x, 0, -10, 5600000 - 10 * y)}
        if at % 3 == 0:
            zone = {"crs": "EPSG:32632", "transform": Affine(10, 0, 830000 + 10 * x, 0, -10, 5600000 - 10 * y)}
        made.append(header_scene(str(at), shape=(300, 300), **zone))
    return made


def star(x: float, y: float, radius: float) -> dict[str, Any]:
    angles = np.arange(14) * 2 * np.pi / 14
    radii = radius * np.tile([1, 0.3], 7)
    ring = shapely.Polygon(np.column_stack([x + radii * np.cos(angles), y + radii * np.sin(angles)]))
    geometry: dict[str, Any] = shapely.geometry.mapping(shapely.MultiPolygon([ring]))
    return geometry


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:3857"])
def test_the_tiles_are_all_that_have_something_to_do_and_no_more(crs: str) -> None:
    scenes = scattered(12)
    plan = plan_of(*scenes, aoi=star(14.1, 50.2, 0.35), crs=crs, resolution=20.0, edge=512)
    geobox, area = plan.geobox, shapely.geometry.shape(plan.area)
    mask = Cutline(shapely.from_wkb(plan.cutline), geobox).mask(0, 0, geobox.shape)
    placed = [reach(scene.footprint, area, geobox, across_180=False) for scene in scenes]
    reaches = [Cutline(where, geobox) for where in placed]
    planned = {(tile.row, tile.col): tile.scenes for tile in plan.tiles}
    assert list(planned) == sorted(planned) and len(planned) == len(plan.tiles)
    for row, col in Tiling(geobox.shape, 512):
        top, left = 512 * row, 512 * col
        inside = mask[top : top + 512, left : left + 512]
        needed = {at for at, each in enumerate(reaches) if (inside & each.mask(top, left, inside.shape)).any()}
        square = shapely.box(*geobox.window(top, left, inside.shape).bounds)
        near = {at for at, where in enumerate(placed) if shapely.distance(square, where) < 60}
        assert needed <= set(planned.get((row, col), ())) <= near
        assert list(planned.get((row, col), ())) == (sorted(near) if inside.any() else [])
    assert plan.pixels == mask.sum()


def test_across_180_both_sides_are_planned() -> None:
    east = header_scene("east", crs="EPSG:32601", transform=Affine(100, 0, 166100, 0, -100, 1110000), shape=(500, 500))
    west = header_scene("west", crs="EPSG:32660", transform=Affine(100, 0, 783900, 0, -100, 1110000), shape=(500, 500))
    area = shapely.MultiPolygon([shapely.box(179.7, 9.7, 180, 9.9), shapely.box(-180, 9.7, -179.7, 9.9)])
    plan = plan_of(east, west, aoi=shapely.geometry.mapping(area), crs="EPSG:4326", resolution=0.001, edge=512)
    assert plan.across_180
    assert plan.geobox.shape == (200, 600)
    assert plan.geobox.bounds[2] == pytest.approx(180.3)
    assert {at for tile in plan.tiles for at in tile.scenes} == {0, 1}
    boxes = [box_of(plan.geobox, reach(scene.footprint, area, plan.geobox, across_180=True)) for scene in plan.scenes]
    assert boxes[0][3] > 590 and boxes[1][1] < 10


def test_ten_thousand_tiles() -> None:
    """What a plan holds grows with the tiles alone, by some hundred bytes each."""
    scenes = [
        header_scene(
            str(at),
            shape=(10980, 10980),
            transform=Affine(10, 0, 3e5 + 1e5 * (at % 4), 0, -10, 5.5e6 - 1e5 * (at // 4)),
        )
        for at in range(16)
    ]
    plan = plan_of(*scenes, aoi=area_of(310000, 5110000, 690000, 5490000), resolution=7.4, edge=512)
    assert len(plan.tiles) == 101 * 101
    assert len(plan.model_dump_json()) < 2_000_000
    assert estimate(plan, 2).tiles == len(plan.tiles)
    assert len({tile.key for tile in plan.tiles}) == len(plan.tiles)


def test_the_order_of_scenes_is_that_of_the_mosaic() -> None:
    scenes = [
        header_scene("old", datetime=dt.datetime(2020, 1, 1, tzinfo=dt.UTC), cloud_cover=5),
        header_scene("new", datetime=dt.datetime(2024, 1, 1, tzinfo=dt.UTC), cloud_cover=50),
    ]
    orders = {
        rule: [scene.id for scene in plan_of(*scenes, mosaic=rule).scenes]
        for rule in ("first", "newest", "oldest", "least-cloud", "mean")
    }
    assert orders["newest"] == ["new", "old"]
    assert all(orders[rule] == ["old", "new"] for rule in ("first", "oldest", "least-cloud", "mean"))
    assert [scene.id for scene in plan_of(*scenes, temporal=("2023-01-01", None)).scenes] == ["new"]
