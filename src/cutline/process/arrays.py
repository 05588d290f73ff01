"""Processes on the array of a pixel's bands."""

from __future__ import annotations

from typing import Any

from cutline.errors import InvalidProcess
from cutline.process.cube import MAX_ELEMENTS, Context, Elements, Series, as_operand
from cutline.process.program import Operand
from cutline.process.signature import Process


def as_elements(value: Any, what: str, pointer: str) -> Elements:
    """An array of the bands or of numbers."""
    if isinstance(value, Series):
        raise InvalidProcess(f"{what} is an array over the bands; over time use first, max, mean, …", pointer=pointer)
    if not isinstance(value, Elements):
        raise InvalidProcess(f"{what} is an array.", pointer=pointer)
    return value


def element(context: Context, arguments: dict[str, Any], pointer: str) -> Operand:
    array = as_elements(arguments["data"], "The data of array_element", f"{pointer}/arguments/data")
    index, label = arguments["index"], arguments["label"]
    if (index is None) == (label is None):
        raise InvalidProcess("array_element needs either an index or a label.", pointer=f"{pointer}/arguments")
    if label is not None:
        if array.labels is None:
            raise InvalidProcess("This array has no labels; use an index.", pointer=f"{pointer}/arguments/label")
        try:
            return array.values[context.band(label, array.labels, "array_element", f"{pointer}/arguments/label")]
        except InvalidProcess:
            if arguments["return_nodata"] is True:
                return float("nan")
            raise
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(array.values):
        if isinstance(index, int) and arguments["return_nodata"] is True:
            return float("nan")
        raise InvalidProcess(
            f"The array has elements 0 to {len(array.values) - 1}, not {index!r}.", pointer=f"{pointer}/arguments/index"
        )
    return array.values[index]


def create(context: Context, arguments: dict[str, Any], pointer: str) -> Elements:
    data, repeat = arguments["data"], arguments["repeat"]
    values = data.values if isinstance(data, Elements) else (as_operand(data, "data", f"{pointer}/arguments/data"),)
    if not isinstance(repeat, int) or not 1 <= repeat * len(values) <= MAX_ELEMENTS:
        raise InvalidProcess(f"An array has 1 to {MAX_ELEMENTS} elements.", pointer=f"{pointer}/arguments/repeat")
    return Elements(values * repeat)


def concat(context: Context, arguments: dict[str, Any], pointer: str) -> Elements:
    one, two = (
        as_elements(arguments[name], f"{name} of array_concat", f"{pointer}/arguments/{name}")
        for name in ("array1", "array2")
    )
    if len(one.values) + len(two.values) > MAX_ELEMENTS:
        raise InvalidProcess(f"An array has 1 to {MAX_ELEMENTS} elements.", pointer=pointer)
    labels = one.labels + two.labels if one.labels is not None and two.labels is not None else None
    return Elements(one.values + two.values, labels if labels and len(set(labels)) == len(labels) else None)


ARRAYS: dict[str, Process] = {
    "array_element": Process(
        "data index=null label=null return_nodata=false", "One element of an array, by index or label", element
    ),
    "array_create": Process("data=[] repeat=1", "An array of values, repeated", create),
    "array_concat": Process("array1 array2", "Two arrays after each other", concat),
}
"""Process -> implementation, called with the context, the arguments and the pointer to the node."""
