"""Graphs in short, and their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from cutline.models.request import ProcessGraph
from cutline.process import PixelProcess, compile_graph, lower, parse_graph

BANDS = ("blue", "green", "red", "nir")

Evaluate = Callable[..., np.ndarray]


def compiled(graph: ProcessGraph, bands: Sequence[str] = BANDS, dtype: str = "uint16") -> PixelProcess:
    return compile_graph(lower(graph).graph, bands, dict.fromkeys(bands, dtype))


def values(process: PixelProcess, arrays: Mapping[str, Any]) -> np.ndarray:
    """The process on named arrays, each (row, col), or (time, row, col)."""
    return process(np.stack([arrays[name] for name in process.inputs], axis=-3))


@pytest.fixture
def evaluate() -> Evaluate:
    """evaluate(graph, {band: array}) -> (band, row, col), through every step that an export takes."""

    def run(graph: ProcessGraph, arrays: Mapping[str, Any]) -> np.ndarray:
        parsed = parse_graph({name: node.model_dump() for name, node in graph.items()})
        return values(compiled(parsed, tuple(arrays)), arrays)

    return run


def load(**arguments: Any) -> dict[str, Any]:
    return {"process_id": "load_collection", "arguments": {"id": "any", **arguments}}


def node(process: str, source: str = "load", /, **arguments: Any) -> dict[str, Any]:
    return {"process_id": process, "arguments": {"data": {"from_node": source}, **arguments}}


def result(process: str, source: str = "load", /, **arguments: Any) -> dict[str, Any]:
    return {**node(process, source, **arguments), "result": True}


def reducer(process: str, /, **arguments: Any) -> dict[str, Any]:
    given = {"data": {"from_parameter": "data"}, **arguments}
    return {"process_graph": {"only": {"process_id": process, "arguments": given, "result": True}}}


class Graphs:
    """The functions above, for tests to reach without importing a conftest."""

    load = staticmethod(load)
    node = staticmethod(node)
    result = staticmethod(result)
    reducer = staticmethod(reducer)
    compiled = staticmethod(compiled)
    values = staticmethod(values)
    bands = BANDS


@pytest.fixture
def graphs() -> type[Graphs]:
    return Graphs
