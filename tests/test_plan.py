"""What a plan decides where the request leaves it open, what it warns of, and what it refuses."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

import pytest
import shapely
from affine import Affine

from cutline.errors import CutlineError, InvalidProcess, InvalidRequest, InvalidScene, TooLarge, UnsupportedCRS
from cutline.models.grid import Geobox
from cutline.models.plan import ExportPlan
from cutline.models.request import ProcessNode
from cutline.models.scene import Band, Stretch
from cutline.process import bands_graph, expression_graph, named_graph
from tests.support.plans import area_of, header_asset, header_scene, plan_of
from tests.support.scenes import RGBN

AREA = area_of(402000, 5592000, 408000, 5598000)
UTM32_EAST = {"crs": "EPSG:32632", "transform": Affine(10, 0, 823000, 0, -10, 5606000)}
DEGREES = {"crs": "EPSG:4326", "transform": Affine(0.0001, 0, 13.6, 0, -0.0001, 50.6)}


def test_a_plan_is_the_same_after_a_journey() -> None:
    dated = header_scene(datetime=dt.datetime(2024, 5, 1, tzinfo=dt.UTC), cloud_cover=3.5, nodata=0, validity="nodata")
    for plan in (
        plan_of(dated, aoi=AREA),
        plan_of(dated, header_scene("b", stretch=Stretch(low=3, high=90)), process=bands_graph(("red",))),
        plan_of(dated, dtype="int16", scale=1e-4, offset=0.5, process=named_graph("ndvi")),
    ):
        assert ExportPlan.model_validate_json(plan.model_dump_json()) == plan


def test_nan_travels_too() -> None:
    plan = plan_of(header_scene(nodata=math.nan, dtype="float32", validity="nodata"))
    assert math.isnan(plan.cog.nodata or 0)
    text = plan.model_dump_json()
    json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
    again = ExportPlan.model_validate_json(text)
    assert again.model_dump_json() == text
    assert math.isnan(again.cog.nodata or 0)
    assert math.isnan(again.scenes[0].assets["image"].nodata or 0)


# -- the grid ----------------------------------------------------------------------------------------------------

IN_BOTH = area_of(825000, 5602000, 826000, 5603000, crs="EPSG:32632")

GRIDS: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str, float]] = {
    # scenes, request, CRS, resolution
    "the scenes' own": ([{}], {}, "EPSG:32633", 10),
    "of all scenes": ([{}, {}], {}, "EPSG:32633", 10),
    "the zone, where they differ": ([{}, UTM32_EAST], {}, "EPSG:32633", 10),
    "the zone of the area": ([UTM32_EAST, DEGREES], {"aoi": IN_BOTH}, "EPSG:32633", 7),
    "what was asked for": ([{}], {"crs": "EPSG:3857", "resolution": 25}, "EPSG:3857", 25),
    "native in another zone": ([{}], {"crs": "EPSG:32632"}, "EPSG:32632", 10),
    "native in Mercator": ([{}], {"crs": "EPSG:3857"}, "EPSG:3857", 15),
    "native in degrees": ([{}], {"crs": "EPSG:4326"}, "EPSG:4326", 0.000089),
    "degrees in metres": ([DEGREES], {"crs": "EPSG:32633"}, "EPSG:32633", 7),
    "the finest": ([{}, {"transform": Affine(2.5, 0, 400000, 0, -2.5, 5600000)}], {}, "EPSG:32633", 2.5),
    "not square": ([{"transform": Affine(30, 0, 400000, 0, -13.37, 5600000)}], {}, "EPSG:32633", 13.37),
}


@pytest.mark.parametrize("name", GRIDS)
def test_the_grid(name: str) -> None:
    scenes, request, crs, resolution = GRIDS[name]
    plan = plan_of(*(header_scene(str(at), **scene) for at, scene in enumerate(scenes)), **request)
    assert plan.geobox.crs == crs
    assert plan.geobox.resolution == pytest.approx((resolution, resolution))
    assert plan.geobox.anchor == (0, 0)


def test_only_the_bands_that_are_used_count() -> None:
    assets = {
        "fine": header_asset(count=1, transform=Affine(5, 0, 400000, 0, -5, 5600000), href="/fine.tif"),
        "coarse": header_asset(count=1, transform=Affine(20, 0, 400000, 0, -20, 5600000), href="/coarse.tif"),
    }
    bands = tuple(Band(name=name, asset=name, index=1, dtype="uint16") for name in assets)
    scene = header_scene(assets=assets).model_copy(update={"bands": bands})
    assert plan_of(scene, bands=("coarse",)).geobox.resolution == (20, 20)
    assert plan_of(scene, bands=("coarse", "fine")).geobox.resolution == (5, 5)


def test_a_given_grid_is_taken_as_it_is() -> None:
    given = Geobox(crs="EPSG:32633", resolution=(7, 3), anchor=(0.5, 0.25), col=57500, row=-1866000, shape=(777, 555))
    plan = plan_of(geobox=given)
    assert plan.geobox == given
    assert any("beyond the grid" in warning for warning in plan.warnings)
    assert not plan_of(geobox=given, aoi=area_of(402600, 5596000, 403000, 5597000)).warnings


def test_the_default_area_is_where_the_scenes_are() -> None:
    plan = plan_of(header_scene("a"), header_scene("b", transform=Affine(10, 0, 420000, 0, -10, 5600000)))
    left, _, right, top = plan.geobox.bounds
    assert left == pytest.approx(400000, abs=20) and right == pytest.approx(430000, abs=3000)
    assert top == pytest.approx(5600000, abs=20)
    cutline = shapely.from_wkb(plan.cutline)
    assert shapely.area(cutline) == pytest.approx(2e8, rel=0.005)
    assert shapely.covers(cutline, shapely.box(400000, 5590000, 410000, 5600000))  # a pixel more, never less


# -- warnings ----------------------------------------------------------------------------------------------------

WARNINGS: dict[str, tuple[dict[str, Any], str | None]] = {
    "nothing": ({"aoi": AREA}, None),
    "as fine as the scenes": ({"aoi": AREA, "resolution": 10.0}, None),
    "coarser": ({"aoi": AREA, "resolution": 40.0}, None),
    "rounded by us": ({"aoi": AREA, "crs": "EPSG:3857"}, None),
    "finer": ({"aoi": AREA, "resolution": 4.0}, "finer than the scenes' 10"),
    "a part uncovered": ({"aoi": area_of(405000, 5592000, 415000, 5598000)}, "cover 50.0% of the area"),
    "a sliver uncovered": ({"aoi": area_of(402000, 5592000, 410001, 5598000)}, None),
    "beyond the CRS": ({"aoi": area_of(-1800000, 5595000, 404000, 5596000), "crs": "EPSG:32635"}, "distorted"),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_what_it_warns_of(name: str) -> None:
    request, expected = WARNINGS[name]
    warnings = plan_of(**request).warnings
    if expected is None:
        assert not warnings
    else:
        assert any(expected in warning for warning in warnings), warnings


def test_of_a_world_taken_whole_mercator_gets_what_it_can_hold() -> None:
    world = header_scene(crs="EPSG:4326", transform=Affine(1, 0, -180, 0, -1, 90), shape=(180, 360))
    plan = plan_of(world, crs="EPSG:3857")
    assert any("latitude -85" in warning for warning in plan.warnings)
    left, bottom, right, top = plan.geobox.bounds
    assert top - bottom == pytest.approx(right - left, rel=0.02)


# -- refusals ----------------------------------------------------------------------------------------------------

SPREAD = {"sd": {"process_id": "sd", "arguments": {"data": {"from_parameter": "data"}}, "result": True}}
TIME = {
    "load": ProcessNode(process_id="load_collection", arguments={"id": "scenes"}),
    "time": ProcessNode(
        process_id="reduce_dimension",
        arguments={"data": {"from_node": "load"}, "dimension": "t", "reducer": {"process_graph": SPREAD}},
        result=True,
    ),
}
ELSEWHERE = Geobox(crs="EPSG:32633", resolution=(9, 9), col=0, row=0, shape=(9, 9))
ONE_BYTE = {"dtype": "uint8", "bands": ("red",)}

REFUSALS: dict[str, tuple[dict[str, Any], type[CutlineError], str, str | None]] = {
    # request: error, words, pointer
    "no scene here": ({"aoi": area_of(6e5, 5592e3, 601e3, 5593e3)}, InvalidRequest, "no scene touches", "/aoi"),
    "between centres": (
        {"aoi": area_of(405001, 5595001, 405003, 5595003)}, InvalidRequest, "no pixel centre", "/output/resolution"
    ),
    "beside the grid": ({"geobox": ELSEWHERE}, InvalidRequest, "does not touch the grid", "/output/geobox"),
    "nodata too large": ({"nodata": 70000.0}, InvalidRequest, "a whole number from 0 to 65,535", "/output/nodata"),
    "nodata below zero": ({"nodata": -1.0}, InvalidRequest, "nodata -1", "/output/nodata"),
    "half a nodata": ({"nodata": 0.5}, InvalidRequest, "nodata 0.5", "/output/nodata"),
    "NaN in integers": ({"nodata": math.nan}, InvalidRequest, "nodata nan", "/output/nodata"),
    "nodata beyond float32": ({"nodata": 1e300, "dtype": "float32"}, InvalidRequest, "nodata 1e.300", "/output/nodata"),
    "lossy nodata": ({**ONE_BYTE, "nodata": 0.0, "profile": "jpeg"}, InvalidRequest, "fray", "/output/nodata"),
    "dtype of a profile": ({"profile": "jpeg", "bands": ("red",)}, InvalidRequest, "holds uint8", "/output/profile"),
    "bands of a profile": ({"profile": "webp", "dtype": "uint8"}, InvalidRequest, "3 bands, not 4", "/output/profile"),
    "packed floats": ({"scale": 0.1, "dtype": "float32"}, InvalidRequest, "into integers", "/output/dtype"),
    "packed index": ({"scale": 0.1, "process": named_graph("ndvi")}, InvalidRequest, "into integers", "/output/dtype"),
    "two reductions over time": ({"process": TIME, "mosaic": "mean"}, InvalidProcess, "leave one", "/mosaic"),
    "a missing band": (
        {"bands": ("red", "swir16")}, InvalidProcess, "red, green, blue, nir", "/process/bands/arguments/bands/1"
    ),
    "a CRS for elsewhere": ({"aoi": AREA, "crs": "EPSG:32601"}, UnsupportedCRS, "not meant for", "/output/crs"),
    "a CRS of Mars": ({"aoi": AREA, "crs": "IAU_2015:49910"}, UnsupportedCRS, "not a CRS of the earth", "/output/crs"),
    "no CRS": ({"aoi": AREA, "crs": "garbage"}, UnsupportedCRS, "garbage", "/output/crs"),
    "too fine": ({"aoi": AREA, "resolution": 1e-3}, TooLarge, "coarser", "/output/resolution"),
    "endlessly fine": ({"aoi": AREA, "resolution": 1e-300}, TooLarge, r"^.{3,7}e\+\d+ x", "/output/resolution"),
    "finer than numbers": ({"aoi": AREA, "resolution": 1e-310}, TooLarge, "no file can hold", "/output/resolution"),
    "endlessly coarse": ({"resolution": 1e300}, InvalidRequest, "cover holds no pixel", "/output/resolution"),
    "an area for which the scenes' CRS has no place": (
        {"aoi": area_of(103, -1, 104, 0, crs="EPSG:4326")}, UnsupportedCRS, "are in it: choose a --crs", "/aoi"
    ),
    "no datetime": ({"mosaic": "newest"}, InvalidRequest, "no datetime", "/mosaic"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_what_it_refuses(name: str) -> None:
    request, error, words, pointer = REFUSALS[name]
    with pytest.raises(error, match=words) as refused:
        plan_of(header_scene(), header_scene("b"), **request)
    assert refused.value.pointer == pointer


def test_scenes_without_a_common_band_are_refused() -> None:
    with pytest.raises(InvalidScene, match="name the bands alike") as refused:
        plan_of(header_scene(), header_scene("b", bands=("b1", "b2")))
    assert refused.value.pointer == "/source/scenes/1"


def test_more_tiles_than_a_plan_can_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutline.plan.MAX_TILES", 3)
    with pytest.raises(TooLarge, match="4 tiles of 512"):
        plan_of(edge=512)


# -- what a pixel is ---------------------------------------------------------------------------------------------

INDEX = {"process": named_graph("ndvi")}
TRUTH = {"process": expression_graph("nir > red")}
SCALED = {"scale": 0.01, "offset": -1}
BY_BAND = {
    "bands": tuple(Band(name=n, asset="image", index=i, dtype="uint16", scale=i / 10) for i, n in enumerate(RGBN, 1))
}

PIXELS: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    # scenes, request: dtype in the mosaic, stored or computed, dtype in the file, nodata or mask, overviews
    "as it is": ([{}], {}, "uint16 stored uint16 mask average"),
    "some bands": ([{}], {"bands": ("nir", "red")}, "uint16 stored uint16 mask average"),
    "with nodata": ([{}], {"nodata": 0.0}, "uint16 stored uint16 0 average"),
    "floats": ([{"dtype": "float32"}], {}, "float32 stored float32 nan average"),
    "doubles": ([{"dtype": "float64"}], {}, "float64 stored float64 nan average"),
    "floats with nodata": ([{"dtype": "float32"}], {"nodata": -9999.0}, "float32 stored float32 -9999 average"),
    "nearest": ([{}], {"resampling": "nearest"}, "uint16 stored uint16 mask nearest"),
    "mode": ([{}], {"resampling": "mode"}, "uint16 stored uint16 mask nearest"),
    "another dtype": ([{}], {"dtype": "uint8"}, "uint16 stored uint8 mask average"),
    "two dtypes": ([{}, {"dtype": "int16"}], {}, "int32 stored int32 mask average"),
    "bytes and floats": ([{"dtype": "uint8"}, {"dtype": "float32"}], {}, "float32 stored float32 nan average"),
    "scaled alike": ([SCALED, SCALED], {}, "uint16 stored uint16 mask average"),
    "bands scaled differently": ([BY_BAND], {}, "float32 computed float32 nan average"),
    "one of these": ([BY_BAND], {"bands": ("nir",)}, "uint16 stored uint16 mask average"),
    "scaled, with an index": ([SCALED], INDEX, "float32 computed float32 nan average"),
    "scaled differently": ([SCALED, {"scale": 0.02}], {}, "float32 computed float32 nan average"),
    "an offset in one of them": ([{}, {"offset": -1000}], {}, "float32 computed float32 nan average"),
    "an index": ([{}], INDEX, "float32 computed float32 nan average"),
    "an index of bytes": ([{"dtype": "uint8"}], INDEX, "float32 computed float32 nan average"),
    "an index of 32 bits": ([{"dtype": "int32"}], INDEX, "float64 computed float64 nan average"),
    "an index packed": ([{}], {**INDEX, "dtype": "int16", "scale": 1e-4}, "float32 computed int16 mask average"),
    "bands packed": ([{}], {"dtype": "int16", "offset": -5.0, "nodata": -1.0}, "float32 computed int16 -1 average"),
    "yes or no": ([{}], TRUTH, "float32 computed uint8 mask nearest"),
    "stretched": ([{"stretch": Stretch(low=0, high=9)}], {}, "float32 computed uint8 mask average"),
    "jpeg": ([{"dtype": "uint8"}], {"profile": "jpeg", "bands": ("red",)}, "uint8 stored uint8 mask average"),
    "time": ([{}, {}], {"process": TIME}, "float32 computed float32 nan average"),
}


@pytest.mark.parametrize("name", PIXELS)
def test_what_a_pixel_is(name: str) -> None:
    scenes, request, expected = PIXELS[name]
    plan = plan_of(*(header_scene(str(at), **scene) for at, scene in enumerate(scenes)), **request)
    cog = plan.cog
    assert (cog.nodata is None) == cog.masked
    empty = "mask" if cog.nodata is None else f"{cog.nodata:g}"
    inside = f"{plan.dtype} {'stored' if plan.stored else 'computed'}"
    assert f"{inside} {cog.dtype} {empty} {cog.overview}" == expected
    assert plan.reducer == ("time" if name == "time" else "first")


SCALES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], tuple[bool, float, float]]] = {
    # scenes, request: packed, scale and offset that the file tells readers
    "none": ([{}], {}, (False, 1, 0)),
    "the scenes' own": ([SCALED, SCALED], {}, (False, 0.01, -1)),
    "the scenes differ": ([SCALED, {}], {}, (False, 1, 0)),
    "used up by an index": ([SCALED], INDEX, (False, 1, 0)),
    "packed": ([{}], {**INDEX, "dtype": "int16", "scale": 1e-4}, (True, 1e-4, 0)),
    "packed with an offset": ([SCALED], {"dtype": "int16", "scale": 2.0, "offset": -5.0}, (True, 2, -5)),
    "an offset alone": ([SCALED], {"dtype": "int16", "offset": -5.0}, (True, 1, -5)),
}


@pytest.mark.parametrize("name", SCALES)
def test_how_stored_numbers_become_values(name: str) -> None:
    scenes, request, expected = SCALES[name]
    plan = plan_of(*(header_scene(str(at), **scene) for at, scene in enumerate(scenes)), **request)
    assert (plan.packed, plan.cog.scale, plan.cog.offset) == expected


def test_many_bands_are_planar() -> None:
    names = tuple(f"b{at}" for at in range(1, 10))
    assert plan_of(header_scene(bands=names)).cog.planar
    assert not plan_of(header_scene(bands=names), bands=names[:8]).cog.planar
