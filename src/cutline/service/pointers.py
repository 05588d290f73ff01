"""From a place in the engine's request to the field that a user wrote: short forms have become a graph by then, a
graph's own nodes fields of the request, an upload an area, a search scenes."""

from __future__ import annotations

import re
from typing import Any

from cutline.errors import CutlineError
from cutline.models.api import ExportBody
from cutline.models.request import ProcessGraph
from cutline.process import parse_graph, place_of
from cutline.process.lower import SCENES
from cutline.process.signature import escape

SYNONYMS = {"/source/temporal": "/source/datetime", "/output/geobox": "/output/like"}
"""Field of an ExportRequest -> field of a body"""
GRAPH_FIELDS = {
    # field of a body that a graph may say instead -> as the graph's lowering names it
    "/aoi": "aoi",
    "/mosaic": "mosaic",
    "/source/datetime": "temporal",
    "/source/scenes": "scenes",
    **{f"/output/{name}": name for name in ("crs", "resolution", "resampling", "profile", "level")},
    **{f"/output/{name}": name for name in ("dtype", "scale", "offset", "nodata")},
}
STEP = re.compile(r"/process/([^/]+)(.*)", re.DOTALL)
BAND = re.compile(r"/process/bands/arguments/bands/(\d+)")
WRAPPERS = ("process", "process_graph")


def field_of(pointer: str | None, body: ExportBody) -> str | None:
    """The pointer into ``body`` that ``pointer``, into the request made of it, means; None where nothing of it was
    written. A pointer into ``body`` stays what it is."""
    if pointer is None:
        return None
    pointer = SYNONYMS.get(pointer, pointer)
    if pointer == "/process" or pointer.startswith("/process/"):
        return _of_process(pointer, body)
    field = "/source/scenes" if pointer.startswith("/source/scenes/") else pointer
    return pointer if field not in GRAPH_FIELDS or _written(field, body) else _instead_of(field, body)


def _instead_of(field: str, body: ExportBody) -> str | None:
    """What else says ``field``, which is not written: a node of the graph, a search, an upload; or the field itself,
    where one may write it."""
    graph = _graph(body)
    place = place_of(graph, GRAPH_FIELDS[field]) if graph else None
    if place is not None:
        return _wrapped(place, body)
    if field == "/aoi":
        return "/aoi_href" if body.aoi_href is not None else None
    return _scenes(body) if field == "/source/scenes" else field


def _of_process(pointer: str, body: ExportBody) -> str | None:
    step = STEP.fullmatch(pointer)
    graph = _graph(body) or {}
    if body.color is not None and step is not None and step[1] == _color_node(graph):
        return "/color"
    if isinstance(body.process, dict):
        return _wrapped(_in_graph(step, graph) if step and graph else pointer, body)
    if body.process is not None:
        return "/process"
    if body.expression is not None:
        return "/expression"
    if body.bands is not None:
        band = BAND.fullmatch(pointer)
        return f"/bands/{band[1]}" if band else "/bands"
    return _scenes(body)  # all bands are wanted as they are: it is the scenes that do not go together


def _scenes(body: ExportBody) -> str:
    return "/source/stac" if body.source.stac is not None else "/source/scenes"


def _in_graph(step: re.Match[str], graph: ProcessGraph) -> str:
    """A place in a lowered graph as its author has it: lowering makes one node of all that load, and gives one whose
    name that takes another."""
    name, rest = step[1], step[2]
    names = {escape(each): node for each, node in graph.items()}
    if name not in names:
        loaders = (each for each, node in names.items() if node.process_id.startswith("load_"))
        name = next(loaders, name) if name == SCENES else name.rstrip("_") if name.rstrip("_") in names else name
    return f"/process/{name}{rest}"


def _color_node(graph: ProcessGraph) -> str:
    """The name that a colour correction gets beside the nodes of ``graph``."""
    name = "color"
    while name in graph:
        name += "_"
    return name


def _wrapped(pointer: str, body: ExportBody) -> str:
    """A place in a graph that its author put into ``{"process_graph": …}``, as parse_graph allows."""
    prefix, here = "/process", body.process
    for wrapper in WRAPPERS:
        inner = here.get(wrapper) if isinstance(here, dict) else None
        if isinstance(inner, dict) and not isinstance(inner.get("process_id"), str):
            prefix, here = f"{prefix}/{wrapper}", inner
    if (pointer + "/").startswith(prefix + "/"):  # so it is already
        return pointer
    return prefix + pointer.removeprefix("/process")


def _graph(body: ExportBody) -> ProcessGraph | None:
    """The graph that was written; None where there is none, or it is none."""
    if not isinstance(body.process, dict):
        return None
    try:
        return parse_graph(body.process)
    except CutlineError:
        return None


def _written(field: str, body: ExportBody) -> bool:
    here: Any = body
    for name in field.strip("/").split("/"):
        here = getattr(here, name)
    return here is not None
