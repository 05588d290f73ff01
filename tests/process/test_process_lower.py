"""Nodes that place, mosaic and store become fields; contradictions are refused."""

from __future__ import annotations

import pytest

from cutline.errors import InvalidProcess
from cutline.process import compile_graph, lower, parse_graph

BOX = {"west": 10.0, "south": 50.0, "east": 11.0, "north": 51.0}
BOX_RING = [[10.0, 50.0], [11.0, 50.0], [11.0, 51.0], [10.0, 51.0], [10.0, 50.0]]
INSIDE = {"type": "Polygon", "coordinates": [[[10.2, 50.2], [10.8, 50.2], [10.5, 50.8], [10.2, 50.2]]]}
ELSEWHERE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}


def lowered(document):
    return lower(parse_graph(document))


def refused(document):
    with pytest.raises(InvalidProcess) as caught:
        lowered(document)
    return caught.value


def processes(graph):
    return [node.process_id for node in graph.values()]


def test_everything_at_once(graphs):
    """A graph as openEO clients write them."""
    found = lowered(
        {
            "load": graphs.load(spatial_extent=BOX, temporal_extent=["2024-01-01", "2024-06-01"], bands=["nir", "red"]),
            "mosaic": graphs.node("reduce_dimension", dimension="t", reducer=graphs.reducer("median")),
            "ndvi": graphs.node("ndvi", "mosaic"),
            "grid": graphs.node("resample_spatial", "ndvi", projection=32632, resolution=20, method="bilinear"),
            "cut": graphs.node("mask_polygon", "grid", mask=INSIDE),
            "save": graphs.result(
                "save_result", "cut", format="GTiff", options={"compression": "ZSTD", "nodata": -9999}
            ),
        }
    )
    assert list(found.graph) == ["scenes", "ndvi"]
    assert found.graph["scenes"].arguments == {"id": "scenes", "bands": ["nir", "red"]}
    assert found.graph["ndvi"].arguments["data"] == {"from_node": "scenes"}
    assert found.graph["ndvi"].result
    assert found.aoi == INSIDE
    assert found.temporal == ("2024-01-01", "2024-06-01")
    assert (found.crs, found.resolution, found.resampling) == ("EPSG:32632", 20.0, "bilinear")
    assert (found.mosaic, found.profile, found.nodata) == ("median", "zstd", -9999.0)


def test_lowering_twice_changes_nothing(graphs):
    once = lowered(
        {"load": graphs.load(), "n": graphs.node("ndvi"), "s": graphs.result("save_result", "n", format="COG")}
    )
    assert lower(once.graph).graph == once.graph


def test_a_graph_that_only_loads_is_the_identity(graphs):
    graph = lowered({"load": graphs.load(), "save": graphs.result("save_result", format="COG")}).graph
    assert processes(graph) == ["load_collection"]
    assert compile_graph(graph, ["a", "b"], {"a": "int16", "b": "int16"}).selection


def test_nodes_that_nothing_needs_are_left_out(graphs):
    assert len(lowered({"load": graphs.load(), "x": graphs.node("ndvi"), "n": graphs.result("ndvi")}).graph) == 2


def test_a_node_of_the_users_may_be_called_scenes(graphs):
    graph = lowered({"load": graphs.load(), "scenes": graphs.result("ndvi")}).graph
    assert processes(graph) == ["load_collection", "ndvi"]
    assert sum(node.result for node in graph.values()) == 1


def test_stac_items(graphs):
    item = {"process_id": "load_stac", "arguments": {"url": "https://example.com/item.json"}, "result": True}
    assert lowered({"load": item}).hrefs == ("https://example.com/item.json",)


class TestAreas:
    def test_box(self, graphs):
        document = {"load": graphs.load(), "box": graphs.result("filter_bbox", extent=BOX)}
        assert lowered(document).aoi == {"type": "Polygon", "coordinates": [BOX_RING]}

    def test_across_the_antimeridian(self, graphs):
        extent = {"west": 179.0, "south": 0.0, "east": -179.0, "north": 1.0}
        aoi = lowered({"load": {**graphs.load(spatial_extent=extent), "result": True}}).aoi
        west, east = (polygon[0] for polygon in aoi["coordinates"])
        assert {lon for lon, _ in west} == {179.0, 180.0}
        assert {lon for lon, _ in east} == {-180.0, -179.0}

    def test_projected_box_keeps_its_curved_edges(self, graphs):
        extent = {"west": 300_000, "south": 5_500_000, "east": 700_000, "north": 5_600_000, "crs": 32632}
        ring = lowered({"load": {**graphs.load(spatial_extent=extent), "result": True}}).aoi["coordinates"][0]
        south = [lat for lon, lat in ring if 8.99 < lon < 9.01]
        assert len(ring) > 100
        assert min(south) > ring[0][1] + 0.03  # the middle of the southern edge is further north than its ends

    def test_features_are_joined(self, graphs):
        features = [{"type": "Feature", "properties": {}, "geometry": area} for area in (INSIDE, ELSEWHERE)]
        collection = {"type": "FeatureCollection", "features": features}
        aoi = lowered({"load": graphs.load(), "f": graphs.result("filter_spatial", geometries=collection)}).aoi
        assert aoi == {"type": "MultiPolygon", "coordinates": [INSIDE["coordinates"], ELSEWHERE["coordinates"]]}

    def test_the_inner_one_of_two(self, graphs):
        for first, second in ((BOX, INSIDE), (INSIDE, BOX)):
            document = {"load": graphs.load(spatial_extent=first)}
            process, name = ("filter_bbox", "extent") if second is BOX else ("mask_polygon", "mask")
            assert lowered(document | {"cut": graphs.result(process, **{name: second})}).aoi == INSIDE

    def test_two_that_differ(self, graphs):
        document = {"load": graphs.load(spatial_extent=BOX), "cut": graphs.result("mask_polygon", mask=ELSEWHERE)}
        error = refused(document)
        assert "areas of interest" in error.message
        assert error.pointer == "/process/cut"

    @pytest.mark.parametrize(
        "extent",
        [
            {"type": "Point", "coordinates": [0, 0]},
            {**BOX, "north": 40.0},
            {**BOX, "crs": "nonsense"},
            {**BOX, "west": "10"},
            {"type": "FeatureCollection", "features": []},
            {"type": "FeatureCollection"},
            {"west": 1},
            None,
            7,
        ],
    )
    def test_what_is_no_area(self, graphs, extent):
        error = refused({"load": graphs.load(), "box": graphs.result("filter_bbox", extent=extent)})
        assert error.pointer.startswith("/process/box/arguments/extent")

    @pytest.mark.parametrize(("parameter", "value"), [("inside", True), ("replacement", 0)])
    def test_mask_polygon_as_something_else(self, graphs, parameter, value):
        error = refused({"load": graphs.load(), "m": graphs.result("mask_polygon", mask=INSIDE, **{parameter: value})})
        assert error.pointer == f"/process/m/arguments/{parameter}"


class TestTime:
    def test_filter(self, graphs):
        document = {"load": graphs.load(), "t": graphs.result("filter_temporal", extent=["2024-01-01T00:00:00Z", None])}
        assert lowered(document).temporal == ("2024-01-01T00:00:00Z", None)

    def test_two_that_differ(self, graphs):
        document = {
            "load": graphs.load(temporal_extent=["2024-01-01", "2024-02-01"]),
            "t": graphs.result("filter_temporal", extent=["2024-01-01", "2024-03-01"]),
        }
        assert "intervals" in refused(document).message

    def test_two_branches(self, graphs):
        document = {
            "load": graphs.load(),
            "a": graphs.node("filter_temporal", extent=["2023-01-01", "2024-01-01"]),
            "m": graphs.result("mask", "load", mask={"from_node": "a"}),
        }
        assert refused(document).pointer == "/process/m"

    @pytest.mark.parametrize(
        "extent", [["2024-02-01", "2024-01-01"], ["yesterday", None], ["2024-01-01"], "2024", [1, 2]]
    )
    def test_what_is_no_interval(self, graphs, extent):
        assert (
            "/arguments/extent"
            in refused({"load": graphs.load(), "t": graphs.result("filter_temporal", extent=extent)}).pointer
        )


class TestMosaic:
    @pytest.mark.parametrize(
        ("process", "rule"),
        [("first", "first"), ("mean", "mean"), ("median", "median"), ("max", "highest"), ("min", "lowest")],
    )
    def test_rules(self, graphs, process, rule):
        reduced = graphs.result("reduce_dimension", dimension="t", reducer=graphs.reducer(process))
        found = lowered({"load": graphs.load(), "r": reduced})
        assert found.mosaic == rule
        assert processes(found.graph) == ["load_collection"]

    def test_bands_may_be_chosen_first(self, graphs):
        reduced = graphs.result("reduce_dimension", "b", dimension="t", reducer=graphs.reducer("max"))
        found = lowered({"load": graphs.load(), "b": graphs.node("filter_bands", bands=["red"]), "r": reduced})
        assert found.mosaic == "highest"
        assert processes(found.graph) == ["load_collection", "filter_bands"]

    @pytest.mark.parametrize("process", ["sd", "last", "count"])
    def test_other_reductions_stay(self, graphs, process):
        reduced = graphs.result("reduce_dimension", dimension="t", reducer=graphs.reducer(process))
        found = lowered({"load": graphs.load(), "r": reduced})
        assert found.mosaic is None
        assert compile_graph(found.graph, ["red"], {"red": "uint8"}).temporal

    def test_no_data_that_counts_stays(self, graphs):
        reducer = graphs.reducer("max", ignore_nodata=False)
        reduced = graphs.result("reduce_dimension", dimension="t", reducer=reducer)
        assert lowered({"load": graphs.load(), "r": reduced}).mosaic is None

    def test_of_something_computed_stays(self, graphs):
        reduced = graphs.result("reduce_dimension", "n", dimension="t", reducer=graphs.reducer("max"))
        found = lowered({"load": graphs.load(), "n": graphs.node("ndvi"), "r": reduced})
        assert found.mosaic is None
        assert processes(found.graph) == ["load_collection", "ndvi", "reduce_dimension"]

    def test_two_rules(self, graphs):
        low, high = (
            graphs.node("reduce_dimension", dimension="t", reducer=graphs.reducer(process))
            for process in ("min", "max")
        )
        document = {"load": graphs.load(), "low": low, "high": high}
        document["both"] = graphs.result("mask", "high", mask={"from_node": "low"})
        error = refused(document)
        assert "mosaic rules" in error.message
        assert error.pointer == "/process/both"

    def test_no_time_is_left(self, graphs):
        first = graphs.node("reduce_dimension", dimension="t", reducer=graphs.reducer("max"))
        document = {"load": graphs.load(), "a": first}
        document["b"] = graphs.result("reduce_dimension", "a", dimension="t", reducer=graphs.reducer("sd"))
        assert refused(document).pointer == "/process/b"


class TestGrid:
    @pytest.mark.parametrize(
        ("arguments", "parameter"),
        [
            ({"method": "lanczos"}, "method"),
            ({"align": "lower-left"}, "align"),
            ({"resolution": [10, 20]}, "resolution"),
            ({"resolution": -1}, "resolution"),
            ({"projection": 1.5}, "projection"),
            ({"rotation": 30}, "rotation"),
        ],
    )
    def test_refused(self, graphs, arguments, parameter):
        error = refused({"load": graphs.load(), "g": graphs.result("resample_spatial", **arguments)})
        assert error.pointer == f"/process/g/arguments/{parameter}"

    def test_nothing_said_nothing_set(self, graphs):
        found = lowered({"load": graphs.load(), "g": graphs.result("resample_spatial", resolution=0)})
        assert (found.crs, found.resolution, found.resampling) == (None, None, "nearest")

    def test_two_that_differ(self, graphs):
        document = {"load": graphs.load(), "a": graphs.node("resample_spatial", resolution=10)}
        document["b"] = graphs.result("resample_spatial", "a", resolution=20)
        assert "resolution" in refused(document).message


class TestSaving:
    def test_options(self, graphs):
        options = {"profile": "lerc", "level": 9, "dtype": "Int16", "scale": 0.0001, "offset": 0, "nodata": "NaN"}
        found = lowered({"load": graphs.load(), "s": graphs.result("save_result", format="cog", options=options)})
        assert (found.profile, found.level, found.dtype) == ("lerc", 9, "int16")
        assert (found.scale, found.offset) == (0.0001, 0.0)
        assert found.nodata != found.nodata

    @pytest.mark.parametrize(
        "options",
        [
            {"tiled": True},
            {"profile": "lzw"},
            {"dtype": "complex64"},
            {"nodata": "none"},
            {"scale": 0},
            {"level": 1.5},
            {"level": True},
        ],
    )
    def test_options_refused(self, graphs, options):
        error = refused({"load": graphs.load(), "s": graphs.result("save_result", format="COG", options=options)})
        assert error.pointer == f"/process/s/arguments/options/{next(iter(options))}"

    def test_formats_refused(self, graphs):
        error = refused({"load": graphs.load(), "s": graphs.result("save_result", format="netCDF")})
        assert error.pointer == "/process/s/arguments/format"

    def test_saved_but_not_the_result(self, graphs):
        document = {"load": graphs.load(), "s": graphs.node("save_result", format="COG"), "n": graphs.result("ndvi")}
        assert refused(document).pointer == "/process/s"


class TestLoading:
    def test_several_loads_of_the_same_scenes(self, graphs):
        found = lowered(
            {
                "a": graphs.load(bands=["nir"]),
                "b": graphs.load(bands=["red"]),
                "m": {
                    "process_id": "merge_cubes",
                    "arguments": {"cube1": {"from_node": "a"}, "cube2": {"from_node": "b"}},
                    "result": True,
                },
            }
        )
        assert sorted(processes(found.graph)) == ["filter_bands", "filter_bands", "load_collection", "merge_cubes"]
        process = compile_graph(found.graph, ["red", "nir", "blue"], dict.fromkeys(["red", "nir", "blue"], "uint8"))
        assert process.outputs == ("nir", "red")

    def test_of_different_areas(self, graphs):
        document = {"a": graphs.load(spatial_extent=BOX), "b": graphs.load()}
        document["m"] = graphs.result("mask", "a", mask={"from_node": "b"})
        assert refused(document).pointer == "/process/m"

    def test_of_different_items(self):
        def item(name):
            return {"process_id": "load_stac", "arguments": {"url": f"https://example.com/{name}.json"}}

        arguments = {"cube1": {"from_node": "a"}, "cube2": {"from_node": "b"}}
        merged = {"process_id": "merge_cubes", "arguments": arguments, "result": True}
        assert "STAC items" in refused({"a": item("a"), "b": item("b"), "m": merged}).message

    def test_properties(self, graphs):
        load = graphs.load(properties={"eo:cloud_cover": {"process_graph": graphs.reducer("max")["process_graph"]}})
        assert "properties" in str(refused_anyhow({"load": {**load, "result": True}}).pointer)

    def test_a_graph_without(self):
        assert "load_collection" in refused({"p": {"process_id": "pi", "result": True}}).message


def refused_anyhow(document):
    """By parsing or by lowering."""
    with pytest.raises(InvalidProcess) as caught:
        lower(parse_graph(document))
    return caught.value
