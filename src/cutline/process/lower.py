"""One meaning for one thing: nodes that load, place, mosaic and store become fields of the request.

What is left is pointwise, one graph from (band, time) to bands. A field belongs to the data that flows through its
node, so each node's output carries the fields met on its way; where two flows meet they must agree.

Resampling and mosaicking always apply to the scenes' bands, before any computing, wherever their node stands.
"""

from __future__ import annotations

from typing import Any

from cutline.errors import InvalidProcess
from cutline.models.request import MosaicRule, ProcessGraph, ProcessNode
from cutline.process import areas
from cutline.process.cube import over_time
from cutline.process.fields import Fields, read_fields
from cutline.process.graph import ROOT, ordered, read_child, references, result_id
from cutline.process.loading import LOADERS, PLACING
from cutline.process.registry import find_process
from cutline.process.signature import escape

SCENES = "scenes"
"""The id of the one node that loads"""

MOSAIC_RULES: dict[str, MosaicRule] = {
    "first": "first",
    "mean": "mean",
    "median": "median",
    "max": "highest",
    "min": "lowest",
}
"""Reducer over time -> mosaic rule; the order of time is the order of the scenes"""


class Lowered(Fields):
    """A graph, and the fields that were in it."""

    graph: ProcessGraph
    """Pointwise: one load_collection node "scenes", nothing that places or stores, and a result"""


NAMES = {"aoi": "areas of interest", "temporal": "intervals of time", "hrefs": "STAC items", "mosaic": "mosaic rules"}


def lower(graph: ProcessGraph) -> Lowered:
    """The pointwise part of a checked graph, and its other nodes as fields.

    Raises InvalidProcess where the graph contradicts itself: two areas, intervals, grids or mosaics that differ, a
    mosaic beside another reduction over time.
    """
    return _Lowering(graph).result()


class _Lowering:
    def __init__(self, graph: ProcessGraph) -> None:
        self.graph = graph
        self.kept: ProcessGraph = {}
        self.become: dict[str, str] = {}
        """Node of the old graph -> node of the new one with its data"""
        self.fields: dict[str, Fields] = {}
        self.loaders = [name for name, node in graph.items() if node.process_id in LOADERS]
        selections = {str(graph[name].arguments.get("bands")) for name in self.loaders}
        self.selection = graph[self.loaders[0]].arguments.get("bands") if len(selections) == 1 else None
        self.pristine: set[str] = set()
        """Nodes whose data are the scenes as they were loaded, which a mosaic may still be made of"""

    def result(self) -> Lowered:
        if not self.loaders:
            raise InvalidProcess("A process begins with load_collection or load_stac.", pointer=ROOT)
        arguments = {"id": SCENES, **({"bands": self.selection} if self.selection else {})}
        self.kept[SCENES] = ProcessNode(process_id="load_collection", arguments=arguments)
        last = result_id(self.graph)
        for name in self._needed(last):
            self._lower(name, self.graph[name], f"{ROOT}/{escape(name)}")
        end = self.become[last]
        self.kept[end] = self.kept[end].model_copy(update={"result": True})
        return Lowered(graph=_reachable(self.kept, end), **dict(self.fields[last]))

    def _needed(self, last: str) -> list[str]:
        for name, node in self.graph.items():
            if node.process_id == "save_result" and name != last:
                raise InvalidProcess("save_result comes last: it is the result.", pointer=f"{ROOT}/{escape(name)}")
        needed = _reachable(self.graph, last)
        return [name for name in ordered(self.graph) if name in needed]

    def _lower(self, name: str, node: ProcessNode, at: str) -> None:
        sources = list(dict.fromkeys(source for source, _ in references(node.arguments)))
        fields = self._meet([self.fields[source] for source in sources], at)
        bound = find_process(node.process_id, at).bind(node.process_id, node.arguments, at)
        if node.process_id in LOADERS:
            self.pristine.add(name)
            self._load(name, node)
            fields = read_fields(node.process_id, bound, at)
        elif node.process_id in PLACING:
            if "from_node" not in (bound["data"] if isinstance(bound["data"], dict) else {}):
                raise InvalidProcess(f"{node.process_id} needs data from a node.", pointer=f"{at}/arguments/data")
            source = bound["data"]["from_node"]
            self.become[name] = self.become[source]
            if source in self.pristine:
                self.pristine.add(name)
            fields = _joined(fields, read_fields(node.process_id, bound, at), at)
        elif (rule := self._mosaic_rule(node, at)) and self.pristine.issuperset(sources):
            self.become[name] = self.become[sources[0]]
            fields = _joined(fields, Fields(mosaic=rule), at)
        else:
            if over_time(node) and fields.mosaic is not None:
                raise InvalidProcess("A mosaic leaves no time to reduce.", pointer=at)
            self._keep(name, node)
            if node.process_id == "filter_bands" and self.pristine.issuperset(sources):
                self.pristine.add(name)  # a mosaic is made band by band
        self.fields[name] = fields

    def _meet(self, flows: list[Fields], at: str) -> Fields:
        first, *others = flows or [Fields()]
        for other in others:
            for field in Fields.model_fields:
                if getattr(first, field) != getattr(other, field):
                    what = NAMES.get(field, f"values of {field}")
                    hint = " Reduce over time once, with all of it in one reducer." if field == "mosaic" else ""
                    raise InvalidProcess(f"The data that meet here have different {what}.{hint}", pointer=at)
        return first

    def _load(self, name: str, node: ProcessNode) -> None:
        bands = node.arguments.get("bands")
        if not bands or self.selection:
            self.become[name] = SCENES
        else:
            arguments = {"data": {"from_node": SCENES}, "bands": bands}
            self._add(name, ProcessNode(process_id="filter_bands", arguments=arguments))

    def _keep(self, name: str, node: ProcessNode) -> None:
        arguments = _rewired(node.arguments, self.become)
        self._add(name, node.model_copy(update={"arguments": arguments, "result": False}))

    def _add(self, name: str, node: ProcessNode) -> None:
        """A node of the new graph, under its old name if that is free."""
        new = name
        while new in self.kept or (new != name and new in self.graph):
            new += "_"
        self.become[name] = new
        self.kept[new] = node

    def _mosaic_rule(self, node: ProcessNode, at: str) -> MosaicRule | None:
        """The rule that a reduction over time is, if its reducer is exactly one process of the table."""
        if not over_time(node):
            return None
        reducer = read_child(node.arguments["reducer"], f"{at}/arguments/reducer")
        only = next(iter(reducer.values()))
        simple = ({"data": {"from_parameter": "data"}}, {"data": {"from_parameter": "data"}, "ignore_nodata": True})
        return MOSAIC_RULES.get(only.process_id) if len(reducer) == 1 and only.arguments in simple else None


def _joined(fields: Fields, more: Fields, at: str) -> Fields:
    """Both; what both say must be the same, save that an area within the other is the smaller of the two."""
    updates: dict[str, Any] = {}
    for field in Fields.model_fields:
        old, new = getattr(fields, field), getattr(more, field)
        if new in (None, (), old):
            continue
        if old in (None, ()):
            updates[field] = new
        elif field == "aoi" and (inner := areas.inner(old, new)) is not None:
            updates[field] = inner
        else:
            raise InvalidProcess(f"The graph has two different {NAMES.get(field, f'values of {field}')}.", pointer=at)
    return fields.model_copy(update=updates)


def _rewired(value: Any, become: dict[str, str]) -> Any:
    """Arguments with their references renamed; graphs inside refer to nodes of their own."""
    if isinstance(value, dict):
        if isinstance(value.get("from_node"), str) and len(value) == 1:
            return {"from_node": become[value["from_node"]]}
        if isinstance(value.get("process_graph"), dict):
            return value
        return {key: _rewired(item, become) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rewired(item, become) for item in value]
    return value


def _reachable(graph: ProcessGraph, last: str) -> ProcessGraph:
    """The nodes that ``last`` needs, in their order."""
    found: set[str] = set()
    pending = [last]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(source for source, _ in references(graph[name].arguments))
    return {name: node for name, node in graph.items() if name in found}
