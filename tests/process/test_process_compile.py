"""What a compiled process promises: dtypes, ranges, determinism, independence of pixels."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from cutline.errors import InternalError, InvalidProcess
from cutline.process import bands_graph, compile_graph, expression_graph, lower, named_graph, parse_graph
from cutline.process.bands import find_band
from cutline.process.operations import OPERATIONS

BANDS = ("red", "nir")


def process(graph, bands=BANDS, dtypes="uint16"):
    types = dtypes if isinstance(dtypes, dict) else dict.fromkeys(bands, dtypes)
    return compile_graph(lower(graph).graph, bands, types)


@pytest.mark.parametrize(
    ("text", "stored", "natural"),
    [
        ("nir / red", "uint8", "float32"),
        ("nir / red", "int16", "float32"),
        ("nir / red", "float32", "float32"),
        ("nir / red", "int32", "float64"),
        ("nir / red", "uint32", "float64"),
        ("nir / red", "float64", "float64"),
        ("nir > red", "float64", "uint8"),
        ("not (nir > 1 and red < 2)", "int16", "uint8"),
        ("max(nir, red)", "uint16", "float32"),
        ("where(nir > 1, nir, red)", "uint8", "float32"),
    ],
)
def test_dtypes(text, stored, natural):
    assert process(expression_graph(text), dtypes=stored).dtype == natural


def test_dtype_of_a_selection():
    assert process(bands_graph(()), dtypes={"red": "uint8", "nir": "uint16"}).dtype == "uint16"
    assert process(bands_graph(["red"]), dtypes={"red": "uint8", "nir": "uint16"}).dtype == "uint8"
    assert process(bands_graph(()), dtypes={"red": "int16", "nir": "uint16"}).dtype == "int32"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nir > red", (0.0, 1.0)),
        ("clip(nir / red, -1, 4)", (-1.0, 4.0)),
        ("clip(nir, 0, red)", None),
        ("sin(nir)", (-1.0, 1.0)),
        ("nir + red", None),
    ],
)
def test_value_ranges(text, expected):
    assert process(expression_graph(text)).value_range == expected


def test_value_range_of_ndvi():
    assert process(named_graph("ndvi")).value_range == (-1.0, 1.0)


def test_shared_steps_are_done_once():
    compiled = process(expression_graph("(nir - red) * (nir - red) + sqrt(nir - red)"))
    assert len(compiled.steps) == 4


def test_only_what_is_needed_is_read():
    assert process(expression_graph("nir * 2"), bands=("red", "green", "nir")).inputs == ("nir",)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_stack_decides_the_float_type(dtype):
    everything = "where(nir > 1, min(nir, red, 3), 2 ** clip(red, 0, 1)) + log10(abs(nir)) % 3 + (nir >= red)"
    compiled = process(expression_graph(everything))
    stack = np.ones((2, 3, 4), dtype)
    assert compiled(stack).dtype == dtype
    seen = []
    for step in compiled.steps:
        arguments = [np.ones((3, 4), dtype) if isinstance(a, int) else a for a in step.arguments]
        seen.append(step.function(*arguments, **dict(step.options)).dtype)
    assert set(seen) == {np.dtype(dtype)}


def test_the_input_is_not_touched():
    stack = np.arange(8.0).reshape(2, 2, 2)
    before = stack.copy()
    for graph in (bands_graph(()), expression_graph("abs(nir) + red"), named_graph("evi2")):
        found = process(graph)(stack)
        found[:] = -1
        np.testing.assert_array_equal(stack, before)


def test_a_stack_of_another_shape_is_our_mistake():
    with pytest.raises(InternalError):
        process(named_graph("ndvi"))(np.ones((3, 2, 2)))
    with pytest.raises(InternalError):
        process(named_graph("ndvi"))(np.ones((2, 2)))


def test_a_graph_that_was_not_lowered(graphs):
    document = {"load": graphs.load(), "s": graphs.result("save_result", format="COG")}
    with pytest.raises(InternalError):
        compile_graph(parse_graph(document), BANDS, dict.fromkeys(BANDS, "uint8"))


def test_constants_alone_are_no_image(graphs):
    nothing = {"process_graph": {"p": {"process_id": "pi", "result": True}}}
    graph = parse_graph({"load": graphs.load(), "a": graphs.result("apply", process=nothing)})
    with pytest.raises(InvalidProcess, match="uses no band"):
        process(graph)


def test_it_travels_to_workers():
    compiled = process(expression_graph("where(nir > red, nir ** 0.5, max(red, 2))"))
    stack = np.random.default_rng(3).uniform(0, 9, (2, 5, 5))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(compiled))(stack), compiled(stack))  # noqa: S301


POINTWISE = sorted(
    name
    for name, operation in OPERATIONS.items()
    if len([p for p in operation.defaults if p not in operation.options]) in {1, 2} and name != "constant"
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", POINTWISE)
def test_a_pixel_depends_on_no_other(name, dtype, graphs):
    """Bit for bit the same, whatever tile a pixel is computed in."""
    operation = OPERATIONS[name]
    operands = [p for p in operation.defaults if p not in operation.options]
    nodes = {
        band: {"process_id": "array_element", "arguments": {"data": {"from_parameter": "data"}, "label": band}}
        for band in BANDS
    }
    given = dict(zip(operands, ({"from_node": band} for band in BANDS), strict=False))
    nodes["only"] = {"process_id": name, "arguments": given, "result": True}
    reduced = graphs.result("reduce_dimension", dimension="bands", reducer={"process_graph": nodes})
    compiled = process(parse_graph({"load": graphs.load(), "r": reduced}))
    stack = np.random.default_rng(11).normal(0, 2, (len(compiled.inputs), 37, 41)).astype(dtype)
    stack[0, 5, :7] = np.nan
    whole = compiled(stack)
    for rows, cols in ((slice(3, 20), slice(7, 8)), (slice(5, 6), slice(2, 39)), (slice(9, 10), slice(9, 10))):
        np.testing.assert_array_equal(compiled(stack[:, rows, cols]), whole[:, rows, cols])


@pytest.mark.parametrize("reducer", ["mean", "median", "sd", "sum", "product"])
def test_nor_over_time(reducer, graphs):
    same = {
        "process_graph": {"c": {"process_id": "constant", "arguments": {"x": {"from_parameter": "x"}}, "result": True}}
    }
    reduced = graphs.result("reduce_dimension", "a", dimension="t", reducer=graphs.reducer(reducer))
    graph = parse_graph({"load": graphs.load(), "a": graphs.node("apply", process=same), "r": reduced})
    compiled = process(graph)
    stack = np.random.default_rng(5).normal(1, 0.3, (23, 2, 9, 11)).astype(np.float32)
    whole = compiled(stack)
    np.testing.assert_array_equal(compiled(stack[:, :, 4:5, 3:4]), whole[:, 4:5, 3:4])


@pytest.mark.parametrize(
    ("wanted", "available", "found"),
    [
        ("red", ("red",), "red"),
        ("RED", ("red",), "red"),
        ("Red Edge 071", ("rededge071",), "rededge071"),
        ("nir", ("red", "nir08"), "nir08"),
        ("nir", ("nir08", "nir"), "nir"),
        ("nir08", ("nir",), None),
        ("swir1", ("swir16",), "swir16"),
        ("swir16", ("SWIR1",), "SWIR1"),
        ("swir_2", ("swir22",), "swir22"),
        ("rededge", ("rededge071",), "rededge071"),
        ("rededge", ("rededge071", "rededge075"), None),
        ("rededge071", ("rededge",), "rededge"),
        ("rededge075", ("rededge",), None),
        ("lwir", ("lwir11", "lwir12"), None),
        ("lwir11", ("lwir",), "lwir"),
        ("b2", ("x", "y"), "y"),
        ("b3", ("x", "y"), None),
        ("B2", ("x", "y"), None),
        ("b1", ("x", "b1"), "b1"),
        ("gray", ("pan",), "pan"),
        ("red", ("Red", "RED"), None),
    ],
)
def test_band_names(wanted, available, found):
    assert find_band(wanted, available) == found


def test_aliases_of_the_caller(graphs):
    graph = parse_graph({"load": graphs.load(), "b": graphs.result("filter_bands", bands=["B04", "B8A"])})
    aliases = {"B04": "red", "B8A": "nir"}
    assert compile_graph(graph, BANDS, dict.fromkeys(BANDS, "uint16"), aliases).outputs == ("red", "nir")


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (named_graph("evi"), "The index EVI needs the band 'blue'; the imagery has red, nir."),
        (
            expression_graph("swir16/nir"),
            "The expression swir16/nir needs the band 'swir16'; the imagery has red, nir.",
        ),
        (bands_graph(["pan"]), "filter_bands needs the band 'pan'; the imagery has red, nir."),
        (
            bands_graph(["1", "2"]),
            "filter_bands needs the band '1'; the imagery has red, nir; by position, bands are b1, b2, b3.",
        ),
    ],
)
def test_a_missing_band_is_named_with_who_needs_it(graph, message):
    with pytest.raises(InvalidProcess) as caught:
        process(graph)
    assert caught.value.message == message
