"""What flows between the nodes of a graph while it is compiled: cubes, arrays and single values, all symbolic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cutline.errors import InvalidProcess
from cutline.models.request import ProcessNode
from cutline.process.bands import resolve_band
from cutline.process.program import Operand, Program, Value

BAND_AXIS = frozenset({"bands", "band", "spectral"})
TIME_AXIS = frozenset({"t", "time", "temporal"})


def over_time(node: ProcessNode) -> bool:
    """Whether a node reduces over time."""
    dimension = node.arguments.get("dimension")
    return node.process_id == "reduce_dimension" and isinstance(dimension, str) and dimension in TIME_AXIS


MAX_ELEMENTS = 1000
"""Of an array or a cube's bands"""


@dataclass(frozen=True)
class Cube:
    """Rasters with names. Without a band axis there is one, and its name is only for people."""

    names: tuple[str, ...]
    values: tuple[Operand, ...]
    banded: bool = True

    @property
    def timed(self) -> bool:
        return any(isinstance(value, Value) and value.series for value in self.values)


@dataclass(frozen=True)
class Elements:
    """An array: the bands of a pixel, or a list."""

    values: tuple[Operand, ...]
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Series:
    """An array over time: one band of a pixel."""

    value: Operand


class Child(Protocol):
    """A graph among the arguments, ready to be called with its parameters."""

    name: str
    """The process of its result node"""

    def __call__(self, **parameters: Any) -> Any: ...


@dataclass(frozen=True)
class Context:
    """What the implementation of a structural process works with."""

    program: Program
    aliases: Mapping[str, str] | None
    purpose: str | None = None
    """What the outermost node is for, in words for messages: "The index EVI" """

    def band(self, wanted: Any, names: Sequence[str], needed_by: str, pointer: str) -> int:
        """The position of a band by its name."""
        needed_by = self.purpose or needed_by
        if not isinstance(wanted, str):
            raise InvalidProcess(f"{needed_by}: a band's name is a text, not {wanted!r}.", pointer=pointer)
        return names.index(resolve_band(wanted, names, self.aliases, needed_by=needed_by, pointer=pointer))


def as_operand(value: Any, what: str, pointer: str) -> Operand:
    """A value for each pixel, or a number; booleans are 0 and 1, null is NaN."""
    if isinstance(value, Value):
        return value
    if value is None:
        return float("nan")
    if isinstance(value, int | float):
        return float(value)
    kinds = {Cube: "a data cube: put this inside apply or reduce_dimension", Series: "an array over time"}
    found = kinds.get(
        type(value), "an array" if isinstance(value, Elements) else f"{type(value).__name__} {value!r}"[:60]
    )
    raise InvalidProcess(f"{what} is a number for each pixel, not {found}.", pointer=pointer)


def as_cube(value: Any, what: str, pointer: str) -> Cube:
    if not isinstance(value, Cube):
        raise InvalidProcess(f"{what} is a data cube, such as load_collection gives.", pointer=pointer)
    return value
