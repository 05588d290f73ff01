"""Processes on cubes: bands in, bands out."""

from __future__ import annotations

import numpy as np
import pytest

from cutline.errors import InvalidProcess
from cutline.process import compile_graph, lower, parse_graph

STACK = {
    "blue": np.array([[1.0, 2.0, np.nan]]),
    "green": np.array([[10.0, 0.0, 5.0]]),
    "red": np.array([[3.0, 4.0, 0.0]]),
    "nir": np.array([[9.0, np.nan, 0.0]]),
}
NIR, RED, GREEN, BLUE = (STACK[name] for name in ("nir", "red", "green", "blue"))


def process(document, bands=tuple(STACK), dtype="uint16"):
    return compile_graph(lower(parse_graph(document)).graph, bands, dict.fromkeys(bands, dtype))


def run(document):
    compiled = process(document)
    return compiled.outputs, compiled(np.stack([STACK[name] for name in compiled.inputs]))


def refused(document, **options):
    with pytest.raises(InvalidProcess) as caught:
        process(document, **options)
    return caught.value


def ndvi():
    with np.errstate(all="ignore"):
        return (NIR - RED) / (NIR + RED)


def test_bands_are_chosen_and_ordered(graphs):
    document = {"load": graphs.load(), "b": graphs.result("filter_bands", bands=["red", "blue"])}
    names, found = run(document)
    assert names == ("red", "blue")
    np.testing.assert_array_equal(found, [RED, BLUE])
    compiled = process(document)
    assert compiled.selection
    assert compiled.dtype == "uint16"
    assert set(compiled.inputs) == {"red", "blue"}


def test_a_missing_band_is_named_with_what_needs_it_and_what_there_is(graphs):
    error = refused({"load": graphs.load(), "n": graphs.result("ndvi")}, bands=("red", "green"))
    assert error.message == "ndvi needs the band 'nir'; the imagery has red, green."
    assert error.pointer == "/process/n/arguments/nir"
    unnamed = refused({"load": graphs.load(), "n": graphs.result("ndvi")}, bands=("red", "green", "b3"))
    assert unnamed.message == (
        "ndvi needs the band 'nir'; the imagery has red, green, b3; name the bands with --band-names."
    )


def test_bands_twice(graphs):
    error = refused({"load": graphs.load(), "b": graphs.result("filter_bands", bands=["red", "b3"])})
    assert "'red' is there twice" in error.message


def test_wavelengths_and_nothing(graphs):
    assert (
        "wavelengths"
        in refused({"load": graphs.load(), "b": graphs.result("filter_bands", wavelengths=[[0.4, 0.5]])}).message
    )
    assert "names of bands" in refused({"load": graphs.load(), "b": graphs.result("filter_bands")}).message


def test_ndvi(graphs):
    names, found = run({"load": graphs.load(), "n": graphs.result("ndvi")})
    assert names == ("ndvi",)
    np.testing.assert_array_equal(found, [ndvi()])


def test_ndvi_as_one_more_band(graphs):
    names, found = run({"load": graphs.load(), "n": graphs.result("ndvi", target_band="vigour")})
    assert names == (*STACK, "vigour")
    np.testing.assert_array_equal(found, [BLUE, GREEN, RED, NIR, ndvi()])
    assert "twice" in refused({"load": graphs.load(), "n": graphs.result("ndvi", target_band="red")}).message


def test_ndvi_of_other_bands(graphs):
    _, found = run({"load": graphs.load(), "n": graphs.result("ndvi", nir="green", red="blue")})
    np.testing.assert_array_equal(found, [(GREEN - BLUE) / (GREEN + BLUE)])


def test_reducing_twice(graphs):
    document = {"load": graphs.load(), "n": graphs.node("ndvi"), "m": graphs.result("ndvi", "n")}
    assert refused(document).pointer == "/process/m"


@pytest.mark.parametrize("dimension", ["x", "y", 7, None])
def test_pixels_are_never_mixed(graphs, dimension):
    reduced = graphs.result("reduce_dimension", dimension=dimension, reducer=graphs.reducer("mean"))
    error = refused({"load": graphs.load(), "r": reduced})
    assert error.pointer == "/process/r/arguments/dimension"


def child(process, **arguments):
    return {"process_graph": {"c": {"process_id": process, "arguments": arguments, "result": True}}}


def parameter(name):
    return {"from_parameter": name}


def test_apply(graphs):
    scale = child("linear_scale_range", x=parameter("x"), inputMin=0, inputMax=10)
    names, found = run({"load": graphs.load(), "a": graphs.result("apply", process=scale)})
    assert names == tuple(STACK)
    np.testing.assert_array_equal(found, np.stack(list(STACK.values())) / 10)


def test_apply_knows_its_context(graphs):
    shift = child("add", x=parameter("x"), y=parameter("context"))
    _, found = run({"load": graphs.load(), "a": graphs.result("apply", process=shift, context=5)})
    np.testing.assert_array_equal(found[1], GREEN + 5)


def test_a_cube_is_no_number(graphs):
    add = {"process_id": "add", "arguments": {"x": {"from_node": "load"}, "y": 1}, "result": True}
    assert "apply or reduce_dimension" in refused({"load": graphs.load(), "add": add}).message


def test_array_element(graphs):
    for element in ({"label": "red"}, {"index": 2}):
        reducer = graphs.reducer("array_element", **element)
        _, found = run(
            {"load": graphs.load(), "r": graphs.result("reduce_dimension", dimension="bands", reducer=reducer)}
        )
        np.testing.assert_array_equal(found, [RED])


@pytest.mark.parametrize(
    "element", [{}, {"label": "red", "index": 1}, {"index": 4}, {"index": -1}, {"label": "swir16"}]
)
def test_array_elements_that_are_not_there(graphs, element):
    reducer = graphs.reducer("array_element", **element)
    document = {"load": graphs.load(), "r": graphs.result("reduce_dimension", dimension="bands", reducer=reducer)}
    assert "/process_graph/only/arguments" in refused(document).pointer


def test_array_element_over_time_depends_on_the_tile(graphs):
    reducer = graphs.reducer("array_element", index=0)
    document = {"load": graphs.load(), "r": graphs.result("reduce_dimension", dimension="t", reducer=reducer)}
    assert "over time" in refused(document).message


def test_bands_from_bands(graphs):
    nodes = {
        "red": {"process_id": "array_element", "arguments": {"data": parameter("data"), "label": "red"}},
        "twice": {"process_id": "multiply", "arguments": {"x": {"from_node": "red"}, "y": 2}},
        "both": {
            "process_id": "array_create",
            "arguments": {"data": [{"from_node": "red"}, {"from_node": "twice"}]},
            "result": True,
        },
    }
    computed = graphs.node("apply_dimension", dimension="bands", process={"process_graph": nodes})
    names = graphs.result("rename_labels", "a", dimension="bands", target=["once", "twice"])
    labels, found = run({"load": graphs.load(), "a": computed, "r": names})
    assert labels == ("once", "twice")
    np.testing.assert_array_equal(found, [RED, 2 * RED])


def test_apply_dimension_over_time(graphs):
    document = graphs.result("apply_dimension", dimension="t", process=child("array_concat", array1=[1], array2=[2]))
    assert "reduce_dimension" in refused({"load": graphs.load(), "a": document}).message


def test_arrays_do_not_explode(graphs):
    nodes = {"a0": {"process_id": "array_create", "arguments": {"data": parameter("data")}}}
    for i in range(1, 30):
        doubled = {"array1": {"from_node": f"a{i - 1}"}, "array2": {"from_node": f"a{i - 1}"}}
        nodes[f"a{i}"] = {"process_id": "array_concat", "arguments": doubled}
    nodes["a29"]["result"] = True
    document = graphs.result("apply_dimension", dimension="bands", process={"process_graph": nodes})
    assert "1000 elements" in refused({"load": graphs.load(), "a": document}).message


def test_programs_do_not_explode(graphs):
    document = {"n0": graphs.load(), "mask": graphs.node("ndvi", "n0", nir="b1", red="b2")}
    for i in range(1, 25):
        document[f"n{i}"] = graphs.node("mask", f"n{i - 1}", mask={"from_node": "mask"}, replacement=i)
    document["n24"]["result"] = True
    assert "20000 steps" in refused(document, bands=[f"band {i}" for i in range(1000)]).message


def test_nor_does_compiling_take_forever():
    """Numbers make no steps, but a thousand times a thousand times … of them would take all day."""
    inner = child("add", x=parameter("x"), y=1)
    for _ in range(6):
        inner = child("count", data=[1] * 50, condition=inner)
    document = {"load": {"process_id": "load_collection"}, "a": {"process_id": "apply", "result": True}}
    document["a"]["arguments"] = {"data": {"from_node": "load"}, "process": inner}
    assert "repetitions" in refused(document).message


def cubes(one, two, **arguments):
    given = {"cube1": {"from_node": one}, "cube2": {"from_node": two}, **arguments}
    return {"process_id": "merge_cubes", "arguments": given, "result": True}


def test_merging_bands(graphs):
    document = {
        "load": graphs.load(),
        "index": graphs.node("ndvi"),
        "named": graphs.node("add_dimension", "index", name="bands", label="vigour", type="bands"),
        "red": graphs.node("filter_bands", bands=["red"]),
        "both": cubes("red", "named"),
    }
    names, found = run(document)
    assert names == ("red", "vigour")
    np.testing.assert_array_equal(found, [RED, ndvi()])
    assert process(document).dtype == "float32"


def test_merging_what_overlaps(graphs):
    document = {"load": graphs.load(), "a": graphs.node("filter_bands", bands=["red", "green"])}
    document["b"] = graphs.node("filter_bands", bands=["red", "blue"])
    assert "overlap_resolver" in refused(document | {"m": cubes("a", "b")}).message
    add = child("add", x=parameter("x"), y=parameter("y"))
    names, found = run(document | {"m": cubes("a", "b", overlap_resolver=add)})
    assert names == ("red", "green", "blue")
    np.testing.assert_array_equal(found, [2 * RED, GREEN, BLUE])


def test_merging_with_a_cube_without_bands(graphs):
    times = child("multiply", x=parameter("x"), y=parameter("y"))
    document = {
        "load": graphs.load(),
        "n": graphs.node("ndvi"),
        "rg": graphs.node("filter_bands", bands=["red", "green"]),
    }
    for one, two in (("rg", "n"), ("n", "rg")):
        names, found = run(document | {"m": cubes(one, two, overlap_resolver=times)})
        assert names == ("red", "green")
        np.testing.assert_array_equal(found, [RED * ndvi(), GREEN * ndvi()])


def masked(graphs, **arguments):
    greater = child("gt", x=parameter("x"), y=3)
    return {
        "load": graphs.load(),
        "rg": graphs.node("filter_bands", bands=["red", "green"]),
        "nir": graphs.node("reduce_dimension", dimension="bands", reducer=graphs.reducer("array_element", label="nir")),
        "high": graphs.node("apply", "nir", process=greater),
        "mask": graphs.result("mask", "rg", mask={"from_node": "high"}, **arguments),
    }


def test_mask(graphs):
    """nir is 9, no data, 0: only the first is masked; a mask without data masks nothing."""
    _, found = run(masked(graphs))
    np.testing.assert_array_equal(found, [[[np.nan, 4, 0]], [[np.nan, 0, 5]]])
    _, found = run(masked(graphs, replacement=-1))
    np.testing.assert_array_equal(found, [[[-1, 4, 0]], [[-1, 0, 5]]])
    assert process(masked(graphs)).dtype == "uint16"
    assert not process(masked(graphs)).selection


def test_a_mask_of_other_bands(graphs):
    document = masked(graphs)
    document["mask"]["arguments"]["mask"] = {"from_node": "load"}
    assert refused(document).pointer == "/process/mask/arguments/mask"


def test_dimensions(graphs):
    one = {"load": graphs.load(), "red": graphs.node("filter_bands", bands=["red"])}
    dropped = one | {"d": graphs.result("drop_dimension", "red", name="bands")}
    np.testing.assert_array_equal(run(dropped)[1], [RED])
    assert "one band" in refused({"load": graphs.load(), "d": graphs.result("drop_dimension", name="bands")}).message
    again = graphs.result("add_dimension", "red", name="bands", label="x", type="bands")
    assert "bands already" in refused(one | {"a": again}).message
    time = graphs.result("add_dimension", "red", name="t", label="x", type="temporal")
    assert "'bands'" in refused(one | {"a": time}).message


def test_renaming(graphs):
    rename = graphs.result("rename_labels", dimension="bands", target=["r", "n"], source=["red", "nir"])
    document = {"load": graphs.load(), "r": rename}
    assert run(document)[0] == ("blue", "green", "r", "n")
    assert process(document).selection
    rename = graphs.result("rename_labels", dimension="bands", target=["red"], source=["blue"])
    assert "twice" in refused({"load": graphs.load(), "r": rename}).message
    rename = graphs.result("rename_labels", dimension="bands", target=["a"], source=["blue", "red"])
    assert "each old one" in refused({"load": graphs.load(), "r": rename}).message


def test_time_that_is_left(graphs):
    reduced = graphs.node("reduce_dimension", dimension="t", reducer=graphs.reducer("sd"))
    document = {"load": graphs.load(), "r": reduced, "m": graphs.result("mask", mask={"from_node": "r"})}
    assert "Time is left" in refused(document).message


def test_over_time_before_the_bands(graphs):
    """The greatest NDVI of three dates, of which one has no data."""
    greatest = graphs.result("reduce_dimension", "n", dimension="t", reducer=graphs.reducer("max"))
    compiled = process({"load": graphs.load(), "n": graphs.node("ndvi"), "r": greatest})
    assert compiled.temporal
    nir, red = np.array([[[[2.0]], [[5.0]], [[np.nan]]], [[[1.0]], [[1.0]], [[1.0]]]])
    stack = np.stack([{"nir": nir, "red": red}[name] for name in compiled.inputs], axis=1)
    assert compiled(stack)[0, 0, 0] == pytest.approx(4 / 6)
    assert np.isnan(compiled(stack[:0])).all()
