"""Process graphs: parse, lower, compile; the short forms that become graphs; the catalogue of what there is.

    parse_graph(json) ─┐
    bands_graph, …  ───┴─> ProcessGraph ── lower ──> fields of the request
                                             └─────> pointwise graph ── compile_graph ──> PixelProcess(stack) -> bands

A graph is data all the way: it is checked against tables of processes, and nothing in it is ever evaluated as code.
"""

from cutline.process.catalogue import ProcessInfo, describe_process, list_processes
from cutline.process.compile import PixelProcess, compile_graph
from cutline.process.forms import bands_graph, color_graph, expression_graph, named_graph
from cutline.process.graph import parse_graph
from cutline.process.lower import Lowered, lower
from cutline.process.places import place_of

__all__ = [
    "Lowered",
    "PixelProcess",
    "ProcessInfo",
    "bands_graph",
    "color_graph",
    "compile_graph",
    "describe_process",
    "expression_graph",
    "list_processes",
    "lower",
    "named_graph",
    "parse_graph",
    "place_of",
]
