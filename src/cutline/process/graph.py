"""Process graphs as JSON: reading one, and refusing what is not one. https://api.openeo.org/#section/Processes"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from cutline.errors import InvalidProcess
from cutline.models.request import ProcessGraph, ProcessNode
from cutline.process.cubes import CUBES
from cutline.process.loading import LOADERS, PLACING
from cutline.process.registry import find_process
from cutline.process.signature import escape

MAX_NODES = 1000
"""Of a graph and all the graphs inside it"""
MAX_NESTING = 8
"""Graphs inside graphs"""
MAX_DEPTH = 64
"""Lists and objects inside each other"""
MAX_VALUES = 2_000_000
"""Of any kind; most are the coordinates of an area of interest"""

ROOT = "/process"


def parse_graph(document: Any) -> ProcessGraph:
    """A checked graph from JSON: the graph itself, ``{"process_graph": …}`` or ``{"process": {"process_graph": …}}``.

    Raises InvalidProcess, with a pointer to the node or argument, for what is no graph: an unknown process or
    parameter, a reference to nowhere, none or several results, a cycle, more than a limit allows.
    """
    for wrapper in ("process", "process_graph"):
        if isinstance(document, dict) and isinstance(document.get(wrapper), dict) and not _is_node(document[wrapper]):
            document = document[wrapper]
    _check_size(document)
    budget = Budget()
    return _parse_level(document, ROOT, 0, frozenset(), budget)


def _is_node(document: Mapping[str, Any]) -> bool:
    return isinstance(document.get("process_id"), str)


class Budget:
    """How many nodes may still come."""

    left = MAX_NODES

    def spend(self, nodes: int, pointer: str) -> None:
        self.left -= nodes
        if self.left < 0:
            raise InvalidProcess(f"A process graph may have {MAX_NODES} nodes.", pointer=pointer)


def _check_size(document: Any) -> None:
    # With a stack of our own: the document may be nested deeper than Python's.
    pending: list[tuple[Any, int]] = [(document, 0)]
    seen = 0
    while pending:
        item, depth = pending.pop()
        seen += 1
        if depth > MAX_DEPTH or seen > MAX_VALUES:
            limit = f"{MAX_DEPTH} levels deep" if depth > MAX_DEPTH else f"{MAX_VALUES} values long"
            raise InvalidProcess(f"A process graph may be {limit}.", pointer=ROOT)
        if isinstance(item, ProcessNode):
            item = item.arguments
        if isinstance(item, dict):
            pending.extend((value, depth + 1) for value in item.values())
        elif isinstance(item, list | tuple):
            pending.extend((value, depth + 1) for value in item)
        elif isinstance(item, int | float) and not _is_finite(item):
            raise InvalidProcess("A process graph has finite numbers only.", pointer=ROOT)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond float64
        return False


def _parse_level(document: Any, pointer: str, nesting: int, parameters: frozenset[str], budget: Budget) -> ProcessGraph:
    if not isinstance(document, dict) or not document:
        raise InvalidProcess("A process graph is an object of nodes, by their ids.", pointer=pointer)
    if nesting > MAX_NESTING:
        raise InvalidProcess(f"Graphs may be {MAX_NESTING} deep inside each other.", pointer=pointer)
    budget.spend(len(document), pointer)
    graph = {str(name): _parse_node(name, node, pointer) for name, node in document.items()}
    for name, node in graph.items():
        at = f"{pointer}/{escape(name)}"
        find_process(node.process_id, at).bind(node.process_id, node.arguments, at)
        if nesting and node.process_id in ON_CUBES:
            raise InvalidProcess(f"{node.process_id} works on data cubes; this graph is for pixels.", pointer=at)
        for reference, where in references(node.arguments, f"{at}/arguments"):
            if reference not in graph:
                raise InvalidProcess(f"There is no node {reference!r} here to take data from.", pointer=where)
        for argument, value in node.arguments.items():
            where = f"{at}/arguments/{escape(argument)}"
            if takes_graph(node.process_id, argument, value, where):
                inner = parameters | CHILD_PARAMETERS[node.process_id, argument]
                _parse_level(value["process_graph"], f"{where}/process_graph", nesting + 1, inner, budget)
        for parameter, where in parameter_references(node.arguments, f"{at}/arguments"):
            if parameter not in parameters:
                raise InvalidProcess(f"There is no parameter {parameter!r} here.", pointer=where)
    results = [name for name, node in graph.items() if node.result]
    if len(results) != 1:
        found = "none" if not results else "several: " + ", ".join(map(repr, results[:5]))
        raise InvalidProcess(f"Exactly one node of a graph is its result; here are {found}.", pointer=pointer)
    ordered(graph, pointer)
    return graph


ON_CUBES = frozenset({*LOADERS, *PLACING, *CUBES})

CHILD_PARAMETERS: dict[tuple[str, str], frozenset[str]] = {
    ("reduce_dimension", "reducer"): frozenset({"data", "context"}),
    ("apply", "process"): frozenset({"x", "context"}),
    ("apply_dimension", "process"): frozenset({"data", "context"}),
    ("merge_cubes", "overlap_resolver"): frozenset({"x", "y", "context"}),
    ("count", "condition"): frozenset({"x", "context"}),
}
"""(process, argument that is a graph) -> the parameters that graph is given. Nowhere else is a graph looked into."""

CHILD_ALTERNATIVES: dict[tuple[str, str], tuple[Any, ...]] = {
    ("merge_cubes", "overlap_resolver"): (None,),
    ("count", "condition"): (None, True, False),
}
"""What may stand in place of a graph"""


def _parse_node(name: Any, node: Any, pointer: str) -> ProcessNode:
    if not isinstance(name, str) or not name:
        raise InvalidProcess("A node's id is a text that is not empty.", pointer=pointer)
    at = f"{pointer}/{escape(name)}"
    if isinstance(node, ProcessNode):
        parsed = node
    else:
        try:
            parsed = ProcessNode.model_validate(node)
        except ValidationError as error:
            first = error.errors()[0]
            where = "".join(f"/{escape(str(step))}" for step in first["loc"])
            raise InvalidProcess(f"This is no node of a process graph: {first['msg']}.", pointer=at + where) from None
    if parsed.namespace is not None:
        raise InvalidProcess(
            f"Processes of the namespace {parsed.namespace!r} are not known here.", pointer=f"{at}/namespace"
        )
    return parsed


def _is_graph(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("process_graph"), dict)


def takes_graph(process: str, argument: str, value: Any, pointer: str) -> bool:
    """Whether ``value`` is a graph that belongs there. InvalidProcess for anything else where one belongs."""
    if (process, argument) not in CHILD_PARAMETERS:
        return False
    if _is_graph(value):
        return True
    if any(value is alternative for alternative in CHILD_ALTERNATIVES.get((process, argument), ())):
        return False
    raise InvalidProcess("Here belongs a process graph: {'process_graph': {…}}.", pointer=pointer)


def read_child(value: Any, pointer: str) -> ProcessGraph:
    """A graph among the arguments of a checked graph."""
    return {name: _parse_node(name, node, pointer) for name, node in value["process_graph"].items()}


def _references(value: Any, key: str, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if isinstance(value.get(key), str) and len(value) == 1:
            yield value[key], pointer
        elif not _is_graph(value):
            for name, item in value.items():
                yield from _references(item, key, f"{pointer}/{escape(str(name))}")
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield from _references(item, key, f"{pointer}/{position}")


def references(arguments: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """(node id, pointer) of each ``from_node``, those inside child graphs excepted."""
    return _references(arguments, "from_node", pointer)


def parameter_references(arguments: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """(parameter, pointer) of each ``from_parameter``, those inside child graphs excepted."""
    return _references(arguments, "from_parameter", pointer)


def result_id(graph: ProcessGraph) -> str:
    return next(name for name, node in graph.items() if node.result)


def ordered(graph: ProcessGraph, pointer: str = ROOT) -> list[str]:
    """The ids, every node after those it takes data from, else as written. InvalidProcess for a cycle."""
    needs = {name: {reference for reference, _ in references(node.arguments)} for name, node in graph.items()}
    feeds: dict[str, list[str]] = {name: [] for name in graph}
    for name, sources in needs.items():
        for source in sources:
            feeds[source].append(name)
    ready = [name for name, sources in needs.items() if not sources]
    order: list[str] = []
    while ready:
        name = ready.pop()
        order.append(name)
        for fed in feeds[name]:
            needs[fed].discard(name)
            if not needs[fed]:
                ready.append(fed)
    if len(order) < len(graph):
        stuck = next(name for name in graph if needs[name])
        raise InvalidProcess(
            f"The graph has a cycle: {stuck!r} waits for itself.", pointer=f"{pointer}/{escape(stuck)}"
        )
    return order
