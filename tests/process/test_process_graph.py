"""What is refused before a pixel is read, and where the pointer points."""

from __future__ import annotations

import pytest

from cutline.errors import InvalidProcess
from cutline.process import parse_graph


def refused(document):
    with pytest.raises(InvalidProcess) as caught:
        parse_graph(document)
    return caught.value


def test_wrappers_are_opened(graphs):
    plain = {"load": graphs.load(), "ndvi": graphs.result("ndvi")}
    parsed = parse_graph(plain)
    assert parse_graph({"process_graph": plain, "summary": "an index"}) == parsed
    assert parse_graph({"title": "a job", "process": {"process_graph": plain}}) == parsed
    assert parse_graph(parsed) == parsed


def test_a_node_may_be_called_process(graphs):
    assert list(parse_graph({"process": {**graphs.load(), "result": True}})) == ["process"]


def test_an_unknown_process_is_named_with_what_was_meant(graphs):
    error = refused({"load": graphs.load(), "x/y": graphs.result("filter_band")})
    assert "'filter_band'" in error.message
    assert "filter_bands" in error.message
    assert error.pointer == "/process/x~1y"


def test_a_process_of_openeo_that_is_left_out_says_why(graphs):
    assert "neighbouring" in refused({"load": graphs.load(), "k": graphs.result("apply_kernel")}).message
    assert "foreign code" in refused({"load": graphs.load(), "u": graphs.result("run_udf")}).message


def test_unknown_processes_inside_graphs_are_found(graphs):
    error = refused(
        {"load": graphs.load(), "r": graphs.result("reduce_dimension", dimension="t", reducer=graphs.reducer("maxx"))}
    )
    assert error.pointer == "/process/r/arguments/reducer/process_graph/only"


def test_parameters_are_known_and_complete(graphs):
    error = refused({"load": graphs.load(), "n": graphs.result("ndvi", near="nir")})
    assert error.pointer == "/process/n/arguments/near"
    assert "'near'" in error.message
    assert "reducer" in refused({"load": graphs.load(), "r": graphs.result("reduce_dimension", dimension="t")}).message


def test_references_lead_somewhere(graphs):
    error = refused({"load": graphs.load(), "n": graphs.result("ndvi", "lead")})
    assert error.pointer == "/process/n/arguments/data"
    error = refused({"load": graphs.load(), "n": graphs.result("ndvi", nir={"from_parameter": "band"})})
    assert error.pointer == "/process/n/arguments/nir"


def test_parameters_of_a_child_are_not_those_of_its_parent(graphs):
    child = {
        "process_graph": {"a": {"process_id": "sqrt", "arguments": {"x": {"from_parameter": "data"}}, "result": True}}
    }
    assert "'data'" in refused({"load": graphs.load(), "a": graphs.result("apply", process=child)}).message


@pytest.mark.parametrize(
    ("process", "arguments"),
    [
        ("ndvi", {"data": {"from_parameter": "x"}}),
        ("load_collection", {}),
        ("save_result", {"data": {"from_parameter": "x"}, "format": "COG"}),
    ],
)
def test_cubes_stay_outside(graphs, process, arguments):
    child = {"process_graph": {"c": {"process_id": process, "arguments": arguments, "result": True}}}
    error = refused({"load": graphs.load(), "a": graphs.result("apply", process=child)})
    assert error.message == f"{process} works on data cubes; this graph is for pixels."


@pytest.mark.parametrize("reducer", [None, True, "max", {}, {"process_graph": []}, {"from_node": "load"}, [1]])
def test_where_a_graph_belongs(graphs, reducer):
    error = refused(
        {"load": graphs.load(), "r": graphs.result("reduce_dimension", dimension="t", reducer=reducer)},
    )
    assert error.pointer == "/process/r/arguments/reducer"


@pytest.mark.parametrize("condition", [1, 0, "x", [True]])
def test_a_condition_is_a_graph_or_a_truth_value(graphs, condition):
    reducer = graphs.reducer("count", condition=condition)
    error = refused(
        {"load": graphs.load(), "r": graphs.result("reduce_dimension", dimension="t", reducer=reducer)},
    )
    assert error.pointer.endswith("/only/arguments/condition")


@pytest.mark.parametrize("results", [0, 2])
def test_exactly_one_result(graphs, results):
    document = {"load": graphs.load(), "a": graphs.node("ndvi"), "b": graphs.node("ndvi")}
    for name in ("a", "b")[:results]:
        document[name]["result"] = True
    assert "result" in refused(document).message


def test_cycles(graphs):
    assert "cycle" in refused({"me": graphs.result("ndvi", "me")}).message
    a, b = graphs.node("ndvi", "b"), graphs.result("ndvi", "a")
    assert "cycle" in refused({"load": graphs.load(), "a": a, "b": b}).message


@pytest.mark.parametrize("document", [None, [], 7, "ndvi", {}, {"a": 1}, {"a": {}}, {"": {"process_id": "pi"}}])
def test_what_is_no_graph(document):
    assert refused(document).pointer is not None


def test_unknown_fields_of_a_node(graphs):
    error = refused({"load": {**graphs.load(), "result": True, "results": True}})
    assert error.pointer == "/process/load/results"


def test_namespaces_are_not_guessed(graphs):
    assert (
        refused({"load": {**graphs.load(), "result": True, "namespace": "backend"}}).pointer
        == "/process/load/namespace"
    )


def test_ten_thousand_nodes(graphs):
    document = {"n0": graphs.load()}
    document |= {f"n{i}": graphs.node("ndvi", f"n{i - 1}") for i in range(1, 10_000)}
    assert "1000 nodes" in refused(document).message


def test_nodes_of_children_count(graphs):
    pi = {"process_id": "pi", "result": False}
    child = {"process_graph": {"r": {**pi, "result": True}} | {f"n{i}": pi for i in range(99)}}
    document = {"load": {**graphs.load(), "result": True}}
    document |= {f"a{i}": graphs.node("apply", process=child) for i in range(11)}
    assert "1000 nodes" in refused(document).message


def test_a_long_chain_is_no_recursion(graphs):
    document = {"n0": graphs.load()}
    document |= {f"n{i}": graphs.node("mask_polygon", f"n{i - 1}", mask={}) for i in range(1, 999)}
    document["n998"]["result"] = True
    assert len(parse_graph(document)) == 999


def test_deep_nesting(graphs):
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert "deep" in refused({"load": {**graphs.load(bands=deep), "result": True}}).message
    child = graphs.reducer("max")
    for _ in range(12):
        inner = {"process_id": "count", "arguments": {"data": [1], "condition": child}, "result": True}
        child = {"process_graph": {"c": inner}}
    assert "deep" in refused({"load": graphs.load(), "r": graphs.result("apply", process=child)}).message


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**400])
def test_numbers_are_finite(graphs, number):
    error = refused({"load": graphs.load(), "m": graphs.result("mask", mask={"from_node": "load"}, replacement=number)})
    assert "finite" in error.message
