"""One request from words and a graph: what each may say, and what becomes of it when both speak."""

from __future__ import annotations

import math
from typing import Any

import pytest
import shapely

from cutline.errors import CutlineError, InvalidGeometry, InvalidProcess, InvalidRequest
from cutline.models.grid import Geobox
from cutline.models.request import ExportRequest, MaskRequest, OutputRequest, ProcessGraph, SceneRequest
from cutline.process import parse_graph
from cutline.request import Wanted, build_request

SCENE = (SceneRequest(href="a.tif"),)
SQUARE = {"type": "Polygon", "coordinates": [[[13.0, 50.0], [14.0, 50.0], [14.0, 51.0], [13.0, 51.0], [13.0, 50.0]]]}
CHECKED = shapely.geometry.mapping(shapely.MultiPolygon([shapely.geometry.shape(SQUARE)]))
GRID = Geobox(crs="EPSG:32633", resolution=(10, 10), col=0, row=0, shape=(9, 9))


def graph(*nodes: tuple[str, dict[str, Any]], **loading: Any) -> ProcessGraph:
    """load_collection and then one node after the other."""
    steps: dict[str, Any] = {"n0": {"process_id": "load_collection", "arguments": {"id": "x", **loading}}}
    for number, (process, arguments) in enumerate(nodes, 1):
        data = {"data": {"from_node": f"n{number - 1}"}}
        steps[f"n{number}"] = {"process_id": process, "arguments": {**data, **arguments}}
    steps[f"n{len(nodes)}"]["result"] = True
    return parse_graph(steps)


def save(**options: Any) -> tuple[str, dict[str, Any]]:
    return "save_result", {"format": "COG", "options": options}


def area_graph(area: dict[str, Any]) -> ProcessGraph:
    return graph(("filter_spatial", {"geometries": area}))


def built(**words: Any) -> ExportRequest:
    return build_request(Wanted(**{"scenes": SCENE, **words}))


def test_nothing_said_means_the_bands_as_they_are() -> None:
    request = built()
    assert [node.process_id for node in request.process.values()] == ["load_collection"]
    assert request.output == OutputRequest()
    assert (request.aoi, request.mosaic, request.source.temporal) == (None, "first", None)


WORDS: dict[str, tuple[dict[str, Any], Any]] = {
    # field: words for it, what the request has
    "crs": ({"crs": "EPSG:3857"}, "EPSG:3857"),
    "resolution": ({"resolution": 20.0}, 20.0),
    "resampling": ({"resampling": "cubic"}, "cubic"),
    "profile": ({"profile": "zstd"}, "zstd"),
    "level": ({"level": 9}, 9),
    "dtype": ({"dtype": "int16"}, "int16"),
    "scale": ({"scale": 0.5}, 0.5),
    "offset": ({"offset": -1.0}, -1.0),
    "nodata": ({"nodata": 0.0}, 0.0),
    "geobox": ({"like": GRID}, GRID),
}


@pytest.mark.parametrize("field", WORDS)
def test_words_become_fields_of_the_output(field: str) -> None:
    words, expected = WORDS[field]
    assert getattr(built(**words).output, field) == expected


def test_words_about_the_source() -> None:
    mask = MaskRequest(asset="scl", values=(3,))
    request = built(band_names=["a", "b"], mask=mask, stretch=(2.0, 98.0), temporal=("2024-01-01", None))
    source = request.source
    assert (source.scenes, source.band_names, source.mask) == (SCENE, ("a", "b"), mask)
    assert (source.stretch, source.temporal) == ((2.0, 98.0), ("2024-01-01", None))


RESAMPLED = ("resample_spatial", {"projection": 3857, "resolution": 20, "method": "cubic"})
MEAN = {"m": {"process_id": "mean", "arguments": {"data": {"from_parameter": "data"}}, "result": True}}
OVER_TIME = ("reduce_dimension", {"dimension": "t", "reducer": {"process_graph": MEAN}})
HALF_A_YEAR = ("2024-01-01T00:00:00Z", "2024-07-01T00:00:00Z")
INTERVAL = {"temporal_extent": list(HALF_A_YEAR)}
ELSEWHERE = shapely.geometry.mapping(shapely.MultiPolygon([shapely.box(0, 0, 1, 1)]))

BOTH: dict[str, tuple[ProcessGraph, dict[str, Any], dict[str, Any]]] = {
    # graph, words that agree with it, words that do not
    "crs": (graph(RESAMPLED), {"crs": "EPSG:3857"}, {"crs": "EPSG:32633"}),
    "resolution": (graph(RESAMPLED), {"resolution": 20.0}, {"resolution": 10.0}),
    "resampling": (graph(RESAMPLED), {"resampling": "cubic"}, {"resampling": "nearest"}),
    "profile": (graph(save(profile="zstd")), {"profile": "zstd"}, {"profile": "jpeg"}),
    "level": (graph(save(level=9)), {"level": 9}, {"level": 6}),
    "dtype": (graph(save(dtype="int16")), {"dtype": "int16"}, {"dtype": "uint8"}),
    "scale": (graph(save(scale=2)), {"scale": 2.0}, {"scale": 1.0}),
    "offset": (graph(save(offset=2)), {"offset": 2.0}, {"offset": 1.0}),
    "nodata": (graph(save(nodata=2)), {"nodata": 2.0}, {"nodata": 0.0}),
    "NaN": (graph(save(nodata="nan")), {"nodata": math.nan}, {"nodata": 0.0}),
    "mosaic": (graph(OVER_TIME), {"mosaic": "mean"}, {"mosaic": "first"}),
    "temporal": (graph(**INTERVAL), {"temporal": HALF_A_YEAR}, {"temporal": ("2020-01-01", None)}),
    "aoi": (area_graph(SQUARE), {"aoi": CHECKED}, {"aoi": ELSEWHERE}),
}  # fmt: skip


@pytest.mark.parametrize("name", BOTH)
def test_a_graph_says_it_alone_or_with_the_same_words(name: str) -> None:
    given, same, other = BOTH[name]
    alone, together = built(graph=given), built(graph=given, **same)
    assert alone.model_dump_json() == together.model_dump_json()
    assert alone.model_dump_json() != built(graph=graph()).model_dump_json()
    with pytest.raises(InvalidProcess, match=f"its own {next(iter(other))}"):
        built(graph=given, **other)


REFUSED: dict[str, tuple[dict[str, Any], type[CutlineError], str, str | None]] = {
    "no scene": ({"scenes": ()}, InvalidRequest, "no scene", "/source/scenes"),
    "bands and an index": ({"bands": ["red"], "process": "ndvi"}, InvalidRequest, "--bands and --process", "/process"),
    "two short forms": ({"expression": "red+1", "process": "ndvi"}, InvalidRequest, "choose one", "/process"),
    "a graph and an expression": ({"graph": graph(), "expression": "red"}, InvalidRequest, "choose one", "/process"),
    "a grid and a CRS": ({"like": GRID, "crs": "EPSG:3857"}, InvalidRequest, "--like already", "/output"),
    "a grid and a resolution": ({"like": GRID, "resolution": 3.0}, InvalidRequest, "--like already", "/output"),
    "a grid and a graph's": ({"like": GRID, "graph": graph(RESAMPLED)}, InvalidRequest, "--like already", "/output"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_contradicts_itself(name: str) -> None:
    words, error, message, pointer = REFUSED[name]
    with pytest.raises(error, match=message) as refused:
        built(**words)
    assert refused.value.pointer == pointer


def test_scenes_of_the_graph() -> None:
    stac = parse_graph(
        {"load": {"process_id": "load_stac", "arguments": {"url": "https://x.org/i.json"}, "result": True}}
    )
    request = build_request(Wanted(graph=stac))
    assert [scene.href for scene in request.source.scenes] == ["https://x.org/i.json"]
    with pytest.raises(InvalidProcess, match="its own scenes"):
        built(graph=stac)


def test_what_places_and_stores_is_no_longer_in_the_graph() -> None:
    request = built(
        graph=graph(RESAMPLED, ("ndvi", {}), ("filter_spatial", {"geometries": SQUARE}), save(profile="zstd"))
    )
    assert [node.process_id for node in request.process.values()] == ["load_collection", "ndvi"]


# -- areas in graphs ---------------------------------------------------------------------------------------------


def test_an_area_of_a_graph_is_a_checked_multipolygon() -> None:
    assert built(graph=area_graph(SQUARE)).aoi == CHECKED
    clockwise = {"type": "Polygon", "coordinates": [SQUARE["coordinates"][0][::-1]]}
    assert shapely.equals(shapely.geometry.shape(built(graph=area_graph(clockwise)).aoi), shapely.box(13, 50, 14, 51))


FAULTY = {
    "a bow tie": ([[13, 50], [14, 51], [14, 50], [13, 51], [13, 50]], "crosses itself"),
    "open": ([[13, 50], [14, 50], [14, 51], [13, 51]], "does not end where it began"),
    "latitude 95": ([[13, 50], [14, 50], [14, 95], [13, 50]], "95"),
    "metres": ([[400000, 5600000], [400100, 5600000], [400100, 5600100], [400000, 5600000]], "."),
    "flat": ([[13, 50], [14, 50], [15, 50], [13, 50]], "."),
    "three points": ([[13, 50], [14, 50], [13, 50]], "."),
    "text": ([["13", "50"], ["14", "50"], ["14", "51"], ["13", "50"]], "."),
    "nothing": ([], "."),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_area_in_a_graph_is_refused(name: str) -> None:
    ring, message = FAULTY[name]
    with pytest.raises(InvalidGeometry, match=message) as refused:
        built(graph=area_graph({"type": "Polygon", "coordinates": [ring]}))
    assert refused.value.pointer == "/process/n1/arguments/geometries"


def test_an_area_of_a_graph_across_180() -> None:
    over = {"type": "Polygon", "coordinates": [[[179, -20], [181, -20], [181, -18], [179, -18], [179, -20]]]}
    box = ("filter_bbox", {"extent": {"west": 179, "south": -20, "east": -179, "north": -18}})
    expected = shapely.union_all([shapely.box(179, -20, 180, -18), shapely.box(-180, -20, -179, -18)])
    for given in (area_graph(over), graph(box)):
        area = shapely.geometry.shape(built(graph=given).aoi)
        assert shapely.equals(area, expected) and area.geom_type == "MultiPolygon"
