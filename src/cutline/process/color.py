"""Colour correction by formula, in the language of the color-operations library (rio-color's).

``gamma G 1.85, gamma B 1.95, sigmoidal RGB 35 0.13, saturation 1.15``: operations from left to right, on red, green
and blue as 0 … 1. https://github.com/vincentsarago/color-operations
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from color_operations import parse_operations

from cutline.errors import InvalidProcess
from cutline.process.signature import Array, suggestion

MAX_FORMULA = 500
STRIP = 1 << 16
"""Pixels at a time"""

ARGUMENTS: dict[str, tuple[tuple[str, float, float], ...]] = {
    "gamma": (("gamma", 0.01, 100.0),),
    "sigmoidal": (("contrast", -100.0, 100.0), ("bias", 0.0, 1.0)),
    "saturation": (("proportion", 0.0, 100.0),),
}
"""Operation -> its numbers, each with the least and the greatest that make sense"""


def check_formula(formula: Any, pointer: str) -> str:
    """The formula, normalised. InvalidProcess says what is wrong with it.

    The library reads leniently (a missing or extra number goes unnoticed until a pixel meets it), so every word is
    checked here first.
    """
    if not isinstance(formula, str) or not formula.strip():
        raise InvalidProcess("A colour formula is a text such as 'gamma RGB 1.1, saturation 1.2'.", pointer=pointer)
    if len(formula) > MAX_FORMULA:
        raise InvalidProcess(f"A colour formula may have {MAX_FORMULA} characters.", pointer=pointer)
    words = formula.replace(",", " ").split()
    operations: list[str] = []
    while words:
        name = words.pop(0).lower()
        if name not in ARGUMENTS:
            raise InvalidProcess(f"There is no colour operation {name!r}{suggestion(name, ARGUMENTS)}", pointer=pointer)
        parts = [name]
        if name != "saturation":
            bands = words.pop(0).lower() if words else ""
            if not bands or set(bands) - set("rgb123"):
                raise InvalidProcess(f"After {name} come its bands, of R, G and B; here is {bands!r}.", pointer=pointer)
            parts.append(bands)
        for argument, least, greatest in ARGUMENTS[name]:
            word = words.pop(0) if words else ""
            parts.append(_number(word, f"The {argument} of {name}", least, greatest, pointer))
        operations.append(" ".join(parts))
    return ", ".join(operations)


def _number(word: str, what: str, least: float, greatest: float, pointer: str) -> str:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not least <= number <= greatest:
        raise InvalidProcess(f"{what} is a number from {least:g} to {greatest:g}; here is {word!r}.", pointer=pointer)
    return word


@lru_cache(maxsize=64)
def _operations(formula: str) -> tuple[Any, ...]:
    # The library splits at single spaces and drops commas.
    return tuple(parse_operations(formula.replace(",", "")))


def correct(red: Array, green: Array, blue: Array, *, formula: str, full: float) -> Array:
    """(3, …) of the inputs' dtype and scale, where ``full`` is the value of full brightness.

    A pixel without data in one of its bands has none in the result: saturation mixes them.
    """
    bands = np.stack(np.broadcast_arrays(red, green, blue))
    result = np.empty_like(bands)
    flat, corrected = bands.reshape(3, 1, -1), result.reshape(3, 1, -1)
    # The library computes in float64 and copies for each operation: a strip at a time keeps that small.
    for start in range(0, flat.shape[-1], STRIP):
        strip = np.s_[..., start : start + STRIP]
        corrected[strip] = _correct_strip(flat[strip].astype(np.float64), formula, full)
    return result


def _correct_strip(colors: Array, formula: str, full: float) -> Array:
    """``correct`` on float64 (3, 1, pixel), which it may overwrite. The library wants 0 … 1 without NaN."""
    missing = np.isnan(colors).any(axis=0)
    colors[:, missing] = 0
    colors /= full
    # sigmoidal turns numpy's warnings off for the whole process; errstate turns them on again.
    with np.errstate(all="ignore"):
        for operation in _operations(formula):
            colors = operation(np.clip(colors, 0, 1, out=colors))
    colors = np.clip(np.nan_to_num(colors, copy=False), 0, 1) * full
    colors[:, missing] = np.nan
    return colors


def component(colors: Array, *, position: int) -> Array:
    """One of the three bands that ``correct`` gives."""
    band: Array = colors[position]
    return band
