"""The short forms of a process: bands, a named index, an expression, a colour correction. Each is a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cutline.errors import InvalidProcess
from cutline.models.request import ProcessGraph, ProcessNode
from cutline.process.catalogue import find_index
from cutline.process.color import check_formula
from cutline.process.expression import expression_nodes
from cutline.process.graph import result_id
from cutline.process.lower import SCENES

MAX_LABEL = 80


def _load() -> ProcessGraph:
    return {SCENES: ProcessNode(process_id="load_collection", arguments={"id": SCENES}, result=True)}


def _then(graph: ProcessGraph, name: str, process: str, arguments: Mapping[str, Any]) -> ProcessGraph:
    """The graph with one more node, which takes the result and is the result."""
    last = result_id(graph)
    while name in graph:
        name += "_"
    node = ProcessNode(process_id=process, arguments={"data": {"from_node": last}, **arguments}, result=True)
    return {**graph, last: graph[last].model_copy(update={"result": False}), name: node}


def bands_graph(names: Sequence[str]) -> ProcessGraph:
    """These bands in this order; all bands if there are no names."""
    return _then(_load(), "bands", "filter_bands", {"bands": list(names)}) if names else _load()


def named_graph(name: str) -> ProcessGraph:
    """An index of the catalogue by its short name, as ``EVI`` or ``evi``. InvalidProcess if it is unknown."""
    if name.lower() == "ndvi":
        return _then(_load(), "ndvi", "ndvi", {})
    index = find_index(name)
    if index.refused:
        raise InvalidProcess(f"The index {index.name} cannot be computed: {index.refused}.", pointer="/process")
    nodes = expression_nodes(index.computed, index.names)
    return _computed(nodes, index.name.lower(), f"The index {index.name}")


def expression_graph(text: str) -> ProcessGraph:
    """One band computed by ``text``, such as ``(nir - red) / (nir + red)``. InvalidProcess names the column."""
    label = " ".join(text.split())[:MAX_LABEL] if isinstance(text, str) else ""
    return _computed(expression_nodes(text), label, f"The expression {label}")


def _computed(nodes: ProcessGraph, label: str, purpose: str) -> ProcessGraph:
    reducer = {"process_graph": {name: node.model_dump(exclude_defaults=True) for name, node in nodes.items()}}
    graph = _then(_load(), "compute", "reduce_dimension", {"dimension": "bands", "reducer": reducer})
    graph["compute"] = graph["compute"].model_copy(update={"description": purpose})
    return _then(graph, "name", "add_dimension", {"name": "bands", "label": label, "type": "bands"})


def color_graph(graph: ProcessGraph, formula: str) -> ProcessGraph:
    """The graph with a colour correction of its three bands, in the language of color-operations."""
    return _then(graph, "color", "color_formula", {"formula": check_formula(formula, "/process")})
