"""Whatever short form a request was written in, its problem points to that, not to the graph that it became."""

from __future__ import annotations

from typing import Any

import pytest

from cutline.errors import CutlineError, InvalidRequest
from cutline.models.api import ExportBody
from cutline.process import compile_graph, parse_graph, place_of
from cutline.service.sources import request_of, told_of
from tests.support.api import SQUARE

SCENES = {"scenes": ["s3://scenes/a.tif"]}
BANDS = ("blue", "green", "red")
"""What the scenes have"""
BOW = {"type": "Polygon", "coordinates": [[[13, 50], [14, 51], [14, 50], [13, 51], [13, 50]]]}


def pointer_of(body: dict[str, Any], *, bands: tuple[str, ...] = BANDS) -> str | None:
    """Of what is wrong with a request for scenes that have these ``bands``, up to where pixels would be read."""
    asked = ExportBody.model_validate({"source": SCENES, **body})
    with pytest.raises(CutlineError) as refused, told_of(asked):
        request = request_of(asked, ("s3://scenes",))
        compile_graph(request.process, bands, dict.fromkeys(bands, "uint16"))
    return refused.value.pointer


def meant(pointer: str, body: dict[str, Any]) -> str | None:
    """What an error in the engine's request at ``pointer`` is told as."""
    with pytest.raises(InvalidRequest) as refused, told_of(ExportBody.model_validate({"source": SCENES, **body})):
        raise InvalidRequest("wrong", pointer=pointer)
    return refused.value.pointer


def graph(*nodes: tuple[str, dict[str, Any]], loader: str = "load", **loading: Any) -> dict[str, Any]:
    """load_collection, and one node after the other, each named as its process."""
    process = "load_stac" if "url" in loading else "load_collection"
    steps: dict[str, Any] = {loader: {"process_id": process, "arguments": loading or {"id": "x"}}}
    last = loader
    for process, arguments in nodes:
        steps[process] = {"process_id": process, "arguments": {"data": {"from_node": last}, **arguments}}
        last = process
    steps[last]["result"] = True
    return steps


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"bands": ["nirx"]}, "/bands/0"),
        ({"bands": ["red", "green", "nirx"]}, "/bands/2"),
        ({"bands": ["red", "red"]}, "/bands"),
        ({"process": "ndvi"}, "/process"),
        ({"process": "evi"}, "/process"),
        ({"process": "nonsense"}, "/process"),
        ({"expression": "(nir - red) / (nir + red)"}, "/expression"),
        ({"expression": "red +"}, "/expression"),
        ({"color": "shine RGB 2"}, "/color"),
        ({"bands": ["red"], "color": "gamma RGB 1.1"}, "/color"),
        ({"bands": ["red", "green", "nirx"], "color": "gamma RGB 1.1"}, "/bands/2"),
        ({"expression": "red + green", "color": "gamma RGB 1.1"}, "/color"),
        ({"process": graph(("filter_bands", {"bands": ["red"]})), "color": "gamma RGB 1.1"}, "/color"),
    ],
)
def test_short_forms(body: dict[str, Any], pointer: str) -> None:
    assert pointer_of(body) == pointer


def test_scenes_without_a_common_band_are_what_is_wrong() -> None:
    assert pointer_of({}, bands=()) == "/source/scenes"


@pytest.mark.parametrize(
    ("process", "pointer"),
    [
        (graph(("filter_bands", {"bands": ["red", "nirx"]})), "/process/filter_bands/arguments/bands/1"),
        (graph(id="x", bands=["nirx"]), "/process/load/arguments/bands/0"),
        (graph(("ndvi", {}), loader="a/b~c", id="x", bands=["nirx"]), "/process/a~1b~0c/arguments/bands/0"),
        ({"process_graph": graph(id="x", bands=["nirx"])}, "/process/process_graph/load/arguments/bands/0"),
        (
            {"process": {"process_graph": graph(("nope", {}))}},
            "/process/process/process_graph/nope",
        ),
    ],
)
def test_graphs_in_the_names_of_their_authors(process: dict[str, Any], pointer: str) -> None:
    assert pointer_of({"process": process}) == pointer


def test_a_node_that_gave_its_name_away_is_found_again() -> None:
    asked = graph(("filter_bands", {"bands": ["nirx"]}))
    asked = {"scenes": asked["filter_bands"], "load": asked["load"]}  # "scenes" is what lowering calls the loader
    assert pointer_of({"process": asked}) == "/process/scenes/arguments/bands/0"


RESAMPLED = graph(("resample_spatial", {"resolution": 10, "projection": 3857, "method": "cubic"}))
SAVED = graph(("save_result", {"format": "COG", "options": {"compression": "jpeg", "datatype": "int16"}}))
MEAN = {
    "process_graph": {"m": {"process_id": "mean", "arguments": {"data": {"from_parameter": "data"}}, "result": True}}
}
REDUCED = graph(("reduce_dimension", {"dimension": "t", "reducer": MEAN}))
TIMED = graph(("filter_temporal", {"extent": ["2024-06-01", "2024-07-01"]}))
WITHIN = graph(("filter_spatial", {"geometries": SQUARE}))


@pytest.mark.parametrize(
    ("place", "process", "pointer"),
    [
        ("/output/resolution", RESAMPLED, "/process/resample_spatial/arguments/resolution"),
        ("/output/crs", RESAMPLED, "/process/resample_spatial/arguments/projection"),
        ("/output/resampling", RESAMPLED, "/process/resample_spatial/arguments/method"),
        ("/output/profile", SAVED, "/process/save_result/arguments/options/compression"),
        ("/output/dtype", SAVED, "/process/save_result/arguments/options/datatype"),
        ("/output/dtype", {"process_graph": SAVED}, "/process/process_graph/save_result/arguments/options/datatype"),
        ("/output/nodata", SAVED, "/output/nodata"),
        ("/mosaic", REDUCED, "/process/reduce_dimension/arguments/reducer"),
        ("/source/temporal", TIMED, "/process/filter_temporal/arguments/extent"),
        ("/aoi", WITHIN, "/process/filter_spatial/arguments/geometries"),
        ("/aoi", TIMED, None),
    ],
)
def test_what_a_graph_says_of_the_request_is_in_the_graph(
    place: str, process: dict[str, Any], pointer: str | None
) -> None:
    assert meant(place, {"process": process}) == pointer


def test_a_field_that_is_written_is_where_it_is_written() -> None:
    assert meant("/output/resolution", {"process": RESAMPLED, "output": {"resolution": 10}}) == "/output/resolution"
    assert meant("/output/resolution", {}) == "/output/resolution"  # where one may write it
    assert meant("/output/geobox", {"output": {"like": "s3://scenes/a.tif"}}) == "/output/like"
    assert meant("/source/temporal", {"source": SCENES | {"datetime": "2024-06-01/.."}}) == "/source/datetime"
    assert meant("/source/scenes/3", {}) == "/source/scenes/3"
    assert meant("/aoi", {"aoi_href": "s3://inbox/anna/aois/a.geojson"}) == "/aoi_href"
    search = {"source": {"stac": {"url": "https://stac.example.org"}}}
    assert meant("/source/scenes/3", search) == meant("/process/scenes", search) == "/source/stac"


def test_scenes_that_a_graph_loads_are_in_the_graph() -> None:
    asked = {"source": {}, "process": graph(url="s3://other/item.json")}
    assert pointer_of(asked) == "/process/load/arguments/url"


def test_an_area_in_a_graph_is_blamed_for_its_own_faults() -> None:
    asked = {"process": graph(("filter_spatial", {"geometries": BOW})), "aoi": SQUARE}
    assert pointer_of(asked) == "/process/filter_spatial/arguments/geometries"


@pytest.mark.parametrize(
    ("more", "process", "pointer"),
    [
        ({"output": {"crs": "EPSG:32633"}}, RESAMPLED, "/output/crs"),
        ({"mosaic": "first"}, REDUCED, "/mosaic"),
        ({"source": SCENES | {"datetime": "2020-01-01/2020-02-01"}}, TIMED, "/source/datetime"),
        ({}, graph(url="s3://scenes/item.json"), "/source/scenes"),
    ],
)
def test_a_contradiction_is_shown_in_the_body(more: dict[str, Any], process: dict[str, Any], pointer: str) -> None:
    assert pointer_of({"process": process, **more}) == pointer


def test_told_again_it_is_the_same_place() -> None:
    """Resolving, checking and planning each translate, one inside the other."""
    asked = {"process": {"process_graph": SAVED}}
    once = meant("/output/dtype", asked)
    assert once is not None and meant(once, asked) == once
    assert meant("/bands/2", {"bands": ["red"]}) == "/bands/2"


def test_a_graph_that_says_nothing_has_no_place() -> None:
    parsed = parse_graph(graph())
    assert {place_of(parsed, field) for field in ("aoi", "temporal", "crs", "dtype", "mosaic", "scenes")} == {None}
