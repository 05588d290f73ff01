"""Whatever a graph holds, it compiles or is InvalidProcess: never another error, which would be ours."""

from __future__ import annotations

import contextlib
import copy

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cutline.errors import InvalidProcess
from cutline.process import compile_graph, lower, parse_graph
from cutline.process.registry import PROCESSES
from cutline.process.signature import REQUIRED

BANDS = ("red", "green", "nir")
REFERENCES = [{"from_node": "load"}, {"from_node": "other"}, {"from_parameter": "x"}, {"from_parameter": "data"}]
POLYGON = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
LIKELY = [
    *REFERENCES,
    POLYGON,
    {"west": 0, "south": 0, "east": 1, "north": 1},
    {"process_graph": {"p": {"process_id": "pi", "result": True}}},
    {"process_graph": {"p": {"process_id": "max", "arguments": {"data": {"from_parameter": "data"}}, "result": True}}},
    {"process_graph": {"p": {"process_id": "sqrt", "arguments": {"x": {"from_parameter": "x"}}, "result": True}}},
    {"process_graph": {}},
    "bands",
    "t",
    "red",
    ["red", "nir"],
    ["2024-01-01", None],
    "gamma RGB 1.1",
    "COG",
    4326,
]
JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-5, 2000), st.floats(), st.text(max_size=3), st.sampled_from(LIKELY)
    ),
    lambda children: st.one_of(
        st.lists(children, max_size=3), st.dictionaries(st.text(max_size=3), children, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def nodes(draw):
    name = draw(st.sampled_from(sorted(PROCESSES)))
    arguments = {}
    for parameter, default in PROCESSES[name].defaults.items():
        if parameter in {"data", "x", "y", "cube1", "cube2"}:
            arguments[parameter] = draw(st.one_of(st.sampled_from(REFERENCES), JSON))
        elif default is REQUIRED or draw(st.booleans()):
            arguments[parameter] = draw(JSON)
    return {"process_id": name, "arguments": copy.deepcopy(arguments)}


@settings(max_examples=300, deadline=None)
@given(nodes(), nodes(), st.booleans())
def test_random_graphs(other, last, inside):
    """Two random nodes with random arguments, beside each other or as a reducer."""
    document = {"load": {"process_id": "load_collection", "arguments": {}}, "other": other}
    if inside:
        child = {"process_graph": {"other": other, "last": {**last, "result": True}}}
        arguments = {"data": {"from_node": "load"}, "dimension": "bands", "reducer": child}
        document["other"] = {"process_id": "reduce_dimension", "arguments": arguments, "result": True}
    else:
        document["last"] = {**last, "result": True}
    with contextlib.suppress(InvalidProcess):
        compiled = compile_graph(lower(parse_graph(document)).graph, BANDS, dict.fromkeys(BANDS, "uint8"))
        stack = np.ones((2, len(compiled.inputs), 2, 3) if compiled.temporal else (len(compiled.inputs), 2, 3))
        assert compiled(stack).shape == (len(compiled.outputs), 2, 3)
