"""Where things lie: CRSs that can carry an image, the antimeridian, the poles, the size of a pixel elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from cutline.errors import UnsupportedCRS
from cutline.models.grid import Geobox
from cutline.placement import (
    box_of,
    crs_name,
    domain,
    image_crs,
    is_across_180,
    on_crs,
    pixel_size,
    reach,
    utm_zone,
    wrap_width,
)
from tests.support.plans import header_asset

ACCEPTED = {
    # what a user writes: what the plan calls it
    "EPSG:32633": "EPSG:32633",
    "epsg:32633": "EPSG:32633",
    "32633": "EPSG:32633",
    "OGC:CRS84": "OGC:CRS84",
    "ESRI:54009": "ESRI:54009",
    "EPSG:7405": "EPSG:27700",  # with heights: the horizontal part
    "EPSG:4979": "EPSG:4326",  # three-dimensional
    "EPSG:4326+5773": "EPSG:4326",
    CRS.from_epsg(2193).to_wkt(): "EPSG:2193",
}


@pytest.mark.parametrize("text", ACCEPTED, ids=lambda text: text[:20])
def test_what_can_carry_an_image(text: str) -> None:
    assert crs_name(image_crs(text)) == ACCEPTED[text]


REFUSED = {
    "EPSG:4978": "Geocentric",
    "EPSG:5773": "Vertical",
    'ENGCRS["plan",EDATUM["site"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],LENGTHUNIT["metre",1]]': "Engineering",
    'TIMECRS["t",TDATUM["d"],CS[TemporalCount,1],AXIS["t",future],TIMEUNIT["day",86400]]': "Temporal",
    'VERTCRS["depth",VDATUM["d"],CS[vertical,1],AXIS["d",down],LENGTHUNIT["metre",1]]': "Vertical",
    "EPSG:999999": "no coordinate reference system",
    "garbage": "no coordinate reference system",
    "": "no coordinate reference system",
    "IAU_2015:49910": "not a CRS of the earth",
    "+proj=longlat +a=3396190 +b=3376200": "not a CRS of the earth",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20])
def test_what_cannot(text: str) -> None:
    with pytest.raises(UnsupportedCRS, match=REFUSED[text]):
        image_crs(text)


def test_a_crs_without_a_code_travels_as_wkt() -> None:
    name = crs_name(image_crs("+proj=laea +lat_0=12 +lon_0=34"))
    assert name.startswith("PROJCRS[")
    assert crs_name(image_crs(name)) == name


WORLD = 2 * math.pi * 6378137

WIDTHS = {
    "EPSG:3857": WORLD,
    "EPSG:4326": 360.0,
    "EPSG:3395": WORLD,
    "EPSG:6933": 34735060.89,
    "ESRI:54009": 36080191.39,
    "EPSG:32660": 0.0,  # its own meridian is near: both sides meet
    "EPSG:32601": 0.0,
    "EPSG:3413": 0.0,
    "EPSG:3031": 0.0,
    "EPSG:2193": 0.0,
    "EPSG:3832": 0.0,  # a Mercator cut elsewhere
}


@pytest.mark.parametrize("crs", WIDTHS)
def test_how_far_apart_the_two_sides_of_the_antimeridian_are(crs: str) -> None:
    assert wrap_width(crs) == pytest.approx(WIDTHS[crs], rel=1e-8)


FIJI = shapely.MultiPolygon([shapely.box(177, -20, 180, -15), shapely.box(-180, -20, -178, -15)])


def test_which_areas_are_across_180() -> None:
    assert is_across_180(FIJI)
    assert not is_across_180(shapely.box(-180, -90, 180, 90))
    assert not is_across_180(shapely.box(170, 0, 180, 10))
    assert not is_across_180(shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(60, 0, 61, 1)]))


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:32660", "EPSG:3832", "EPSG:3395"])
def test_what_the_antimeridian_split_is_put_together(crs: str) -> None:
    whole = on_crs(FIJI, crs, 1e-6 * (wrap_width("EPSG:4326") if crs == "EPSG:4326" else 1e6), across_180=True)
    assert len(shapely.get_parts(shapely.union_all([shapely.buffer(whole, 1e-6)]))) == 1
    parts = [on_crs(part, crs, 1.0, across_180=False) for part in FIJI.geoms]
    assert whole.area == pytest.approx(sum(part.area for part in parts), rel=1e-3)


def test_apart_where_that_is_wanted() -> None:
    left, _, right, _ = on_crs(FIJI, "EPSG:3857", 1.0, across_180=False).bounds
    assert right - left == pytest.approx(WORLD)


# -- what a scene can reach --------------------------------------------------------------------------------------


def grid(crs: str, resolution: float, bounds: tuple[float, float, float, float]) -> Geobox:
    left, bottom, right, top = bounds
    return Geobox(
        crs=crs, resolution=(resolution, resolution), col=round(left / resolution), row=round(-top / resolution),
        shape=(round((top - bottom) / resolution), round((right - left) / resolution)),
    )  # fmt: skip


UTM_GRID = grid("EPSG:32633", 10, (500000, 5500000, 510000, 5510000))
UTM_AREA = shapely.box(15.0, 49.65, 15.14, 49.74)


def reached(footprint: BaseGeometry, area: BaseGeometry, geobox: Geobox) -> BaseGeometry:
    return reach(shapely.geometry.mapping(footprint), area, geobox, across_180=is_across_180(area))


WORLDS = {
    "the world": shapely.box(-180, -90, 180, 90),
    "a cap": shapely.box(-180, 40, 180, 90),
    "much of a hemisphere": shapely.box(-60, -20, 90, 80),
}


@pytest.mark.parametrize("name", WORLDS)
def test_a_scene_larger_than_the_crs_reaches_the_whole_area(name: str) -> None:
    wanted = on_crs(UTM_AREA, UTM_GRID.crs, 1.0, across_180=False)
    assert box_of(UTM_GRID, reached(WORLDS[name], UTM_AREA, UTM_GRID)) == box_of(UTM_GRID, wanted)


TOUCHES = {
    "an edge": shapely.box(15.14, 49.65, 16, 49.74),
    "a corner": shapely.box(15.14, 49.74, 16, 50),
    "nothing": shapely.box(30, 10, 31, 11),
}


@pytest.mark.parametrize("name", TOUCHES)
@pytest.mark.parametrize("area", [UTM_AREA, FIJI], ids=["here", "across 180"])
def test_what_only_touches_reaches_nothing(name: str, area: BaseGeometry) -> None:
    moved = shapely.affinity.translate(TOUCHES[name], area.bounds[2] - 15.14, area.bounds[3] - 49.74)
    assert reached(moved if name != "nothing" else TOUCHES[name], area, UTM_GRID).is_empty
    assert box_of(UTM_GRID, reached(TOUCHES["nothing"], area, UTM_GRID)) == (0, 0, 0, 0)


def test_a_footprint_that_overlaps_here_and_touches_there() -> None:
    overlaps = shapely.box(15.1, 49, 16, 49.7)
    both = shapely.union_all([overlaps, shapely.box(15.14, 49.65, 16, 49.74)])
    assert shapely.equals(reached(both, UTM_AREA, UTM_GRID), reached(overlaps, UTM_AREA, UTM_GRID))


def test_a_pole() -> None:
    geobox = grid("EPSG:3413", 1000, (-500000, -500000, 500000, 500000))
    cap = shapely.box(-180, 84, 180, 90)
    assert box_of(geobox, reached(shapely.box(-180, 80, 180, 90), cap, geobox)) == (0, 0, 1000, 1000)
    assert reached(shapely.box(-180, -90, 180, -60), cap, geobox).is_empty


def test_a_scene_on_either_side_of_the_antimeridian() -> None:
    geobox = grid("EPSG:4326", 0.125, (177, -20, 182, -15))
    east, west = shapely.box(-179, -18, -170, -16), shapely.box(178, -18, 179, -16)
    assert box_of(geobox, reached(east, FIJI, geobox)) == (6, 30, 26, 40)
    assert box_of(geobox, reached(west, FIJI, geobox)) == (6, 6, 26, 18)
    both = shapely.MultiPolygon([shapely.box(179, -18, 180, -16), shapely.box(-180, -18, -179, -16)])
    assert box_of(geobox, reached(both, FIJI, geobox)) == (6, 14, 26, 34)


# -- the size of a pixel -----------------------------------------------------------------------------------------


def test_in_its_own_crs_a_pixel_has_its_own_size() -> None:
    assert pixel_size(header_asset(transform=Affine(10, 0, 4e5, 0, -20, 5e6)), "EPSG:32633") == pytest.approx((10, 20))


@pytest.mark.parametrize("lat", [0.0, 45.0, -60.0])
def test_mercator_stretches_by_the_secant_of_latitude(lat: float) -> None:
    tenth = 1e-4
    asset = header_asset("EPSG:4326", Affine(tenth, 0, 10, 0, -tenth, lat + 50 * tenth), (100, 100))
    x, y = pixel_size(asset, "EPSG:3857")
    assert x == pytest.approx(tenth * math.radians(1) * 6378137, rel=1e-6)
    assert y == pytest.approx(x / math.cos(math.radians(lat)), rel=0.01)


def test_a_turned_pixel_keeps_its_area_and_proportions() -> None:
    turned = Affine.translation(5e5, 5e6) @ Affine.rotation(30) @ Affine.scale(10, -10)
    assert pixel_size(header_asset(transform=turned), "EPSG:32633") == pytest.approx((10, 10))


def test_in_feet() -> None:
    asset = header_asset("EPSG:32618", Affine(3, 0, 583000, 0, -3, 4507000), (100, 100))
    assert pixel_size(asset, "EPSG:2263") == pytest.approx((3 / 0.3048, 3 / 0.3048), rel=1e-3)


GEOSTATIONARY = "+proj=geos +h=35785831 +lon_0=0"
SINGULAR = {
    # crs, resolution, x, y, pixels a side, target
    "a corner of the central pixel is the pole": ("EPSG:3413", 1e3, -5e5, 5e5, 1000, "EPSG:4326"),
    "the central pixel holds the pole": ("EPSG:3413", 1e3, -500500, 500500, 1001, "EPSG:4326"),
    "the central column is at 180": ("EPSG:4326", 1, 90, 90, 180, "EPSG:3857"),
    "only its middle is on earth": (GEOSTATIONARY, 1e4, -55e5, 55e5, 1100, "EPSG:3857"),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_where_one_pixel_has_no_size_others_have(name: str) -> None:
    crs, resolution, x, y, pixels, target = SINGULAR[name]
    asset = header_asset(crs, Affine(resolution, 0, x, 0, -resolution, y), (pixels, pixels))
    degree = 111319
    metres = min(pixel_size(asset, target)) * (degree if target == "EPSG:4326" else 1)
    assert metres == pytest.approx(resolution * (degree if crs == "EPSG:4326" else 1), rel=0.7)


def test_an_asset_the_crs_cannot_hold_is_named_without_its_signature() -> None:
    asset = header_asset("EPSG:4326", Affine(1, 0, 100, 0, -1, -10), (4, 4), href="https://x.org/a.tif?sig=secret")
    with pytest.raises(UnsupportedCRS, match=r"https://x\.org/a\.tif lies outside") as refused:
        pixel_size(asset, "+proj=ortho +lat_0=90")
    assert "secret" not in refused.value.message


# -- the zone ----------------------------------------------------------------------------------------------------

ZONES = {
    # lon, lat: code
    (15.0, 50.0): 32633,
    (0.0, 10.0): 32631,
    (-0.1, 10.0): 32630,
    (5.999, 10.0): 32631,
    (6.0, 10.0): 32632,
    (180.0, 10.0): 32601,
    (-180.0, 10.0): 32601,
    (179.9, 10.0): 32660,
    (15.0, 0.0): 32633,
    (15.0, -0.1): 32733,
    (-70.0, -33.0): 32719,
    (15.0, 84.1): 32661,
    (15.0, 83.9): 32633,
    (15.0, -79.9): 32733,
    (15.0, -80.1): 32761,
    # Norway: zone 32 is wider, Svalbard: no zone 32, 34 and 36
    (5.3, 60.4): 32632,
    (2.9, 60.4): 32631,
    (5.3, 55.9): 32631,
    (5.3, 64.0): 32631,
    (8.0, 78.0): 32631,
    (16.0, 78.0): 32633,
    (20.9, 78.0): 32633,
    (21.0, 78.0): 32635,
    (35.0, 78.0): 32637,
    (42.0, 78.0): 32638,
}


@pytest.mark.parametrize(("place", "code"), ZONES.items())
def test_the_utm_zone_of_an_area(place: tuple[float, float], code: int) -> None:
    assert utm_zone(shapely.Point(place).buffer(1e-6)) == f"EPSG:{code}"


def test_the_zone_of_an_area_across_180_is_that_of_its_middle() -> None:
    assert utm_zone(FIJI) == "EPSG:32760"
    assert utm_zone(shapely.geometry.mapping(FIJI)) == "EPSG:32760"
    further_east = shapely.MultiPolygon([shapely.box(179, -20, 180, -15), shapely.box(-180, -20, -175, -15)])
    assert utm_zone(further_east) == "EPSG:32701"


# -- the domain --------------------------------------------------------------------------------------------------

INSIDE = {
    # crs: places inside, places outside
    "EPSG:3857": ([(0, 0), (179, 85), (-179, -85)], [(0, 89), (0, -89)]),
    "EPSG:4326": ([(0, 90), (180, -90)], []),
    "EPSG:32633": ([(15, 50), (31, 70), (4, 58), (15, -33)], [(70, 50), (-160, 10)]),
    "EPSG:32622": ([(-51, -20)], [(60, 0)]),  # Landsat's southern scenes are in northern zones
    "EPSG:32660": ([(177, 10), (-179, 10), (179, 10)], [(0, 10)]),
    "EPSG:32601": ([(-177, 10), (179, 10)], [(0, 10)]),
    "EPSG:3413": ([(0, 90), (100, 60)], [(0, -10)]),
    "EPSG:3031": ([(0, -90), (100, -60)], [(0, 10)]),
    "EPSG:3832": ([(178, 0), (-178, 0), (150, 80)], [(-30, 0)]),
    "EPSG:2193": ([(172, -41), (-176, -44)], [(0, 50)]),
}


@pytest.mark.parametrize("crs", INSIDE)
def test_the_domain_of_a_crs(crs: str) -> None:
    area = domain(crs)
    inside, outside = INSIDE[crs]
    assert all(shapely.intersects_xy(area, *place) for place in inside)
    assert not any(shapely.intersects_xy(area, *place) for place in outside)


@pytest.mark.parametrize("crs", INSIDE)
def test_all_of_the_domain_can_be_projected(crs: str) -> None:
    west, south, east, north = shapely.intersection(domain(crs), shapely.box(-180, -90, 180, 90)).bounds
    lon, lat = np.meshgrid(np.linspace(west, east, 37), np.linspace(south, north, 19))
    inside = shapely.intersects_xy(domain(crs), lon, lat)
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon[inside], lat[inside])
    assert np.isfinite(x).all() and np.isfinite(y).all()
    assert np.abs(x).max() < 5e7 and np.abs(y).max() < 5e7


def test_of_a_crs_of_ones_own_nobody_knows_the_domain() -> None:
    assert domain("+proj=laea +lat_0=12 +lon_0=34") is None
