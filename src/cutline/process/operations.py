"""Processes on single values: openEO's arithmetic, comparison and logic, on whole arrays at once.

Semantics follow https://processes.openeo.org (1.2 and 2.0). Every function takes arrays of one shape, or numbers,
and gives an array; NaN stands for openEO's null *and* for NaN: after a division 0/0 there is no data either.
x/0 is ±inf as IEEE 754 says; the renderer stores whatever is not finite as nodata. Truth is 1.0, 0.0 or NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cutline.process.signature import Array, Process

TRUTH = (0.0, 1.0)


def _missing(*operands: Any) -> Any:
    missing: Any = False
    for operand in operands:
        missing = missing | np.isnan(operand)
    return missing


def _float_type(*operands: Any) -> np.dtype[Any]:
    """The float type to answer in: that of the arrays; Python numbers have none of their own (NEP 50)."""
    return np.result_type(
        *(operand for operand in operands if isinstance(operand, np.ndarray | np.generic)), np.float32
    )


def _as_float(result: Any, *operands: Any) -> Array:
    floats: Array = np.asarray(result).astype(_float_type(*operands), copy=False)
    return floats


def _truth(outcome: Any, *operands: Any) -> Array:
    """``outcome`` as 1.0 and 0.0, NaN where an operand is."""
    truth: Array = np.asarray(outcome).astype(_float_type(*operands))
    np.copyto(truth, np.nan, where=_missing(*operands))
    return truth


def _eq(x: Any, y: Any, *, delta: Any, case_sensitive: bool) -> Array:
    return _truth(x == y if delta is None else np.abs(x - y) <= delta, x, y)


def _neq(x: Any, y: Any, *, delta: Any, case_sensitive: bool) -> Array:
    return _truth(x != y if delta is None else np.abs(x - y) > delta, x, y)


def _gt(x: Any, y: Any) -> Array:
    return _truth(x > y, x, y)


def _gte(x: Any, y: Any) -> Array:
    return _truth(x >= y, x, y)


def _lt(x: Any, y: Any) -> Array:
    return _truth(x < y, x, y)


def _lte(x: Any, y: Any) -> Array:
    return _truth(x <= y, x, y)


def _between(x: Any, low: Any, high: Any, *, exclude_max: bool) -> Array:
    return _truth((x >= low) & ((x < high) if exclude_max else (x <= high)), x, low, high)


def _and(x: Any, y: Any) -> Array:
    # False wins over no data: the outcome is known already.
    return _as_float(np.where((x == 0) | (y == 0), 0.0, np.where(_missing(x, y), np.nan, 1.0)), x, y)


def _or(x: Any, y: Any) -> Array:
    is_true = ((x != 0) & ~np.isnan(x)) | ((y != 0) & ~np.isnan(y))
    return _as_float(np.where(is_true, 1.0, np.where(_missing(x, y), np.nan, 0.0)), x, y)


def _xor(x: Any, y: Any) -> Array:
    return _truth((x != 0) ^ (y != 0), x, y)


def _not(x: Any) -> Array:
    return _truth(x == 0, x)


def _if(value: Any, accept: Any, reject: Any) -> Array:
    # No data is not true, so it takes the other branch, as openEO has it.
    return _as_float(np.where((value != 0) & ~np.isnan(value), accept, reject), value, accept, reject)


def _is_nodata(x: Any) -> Array:
    return _as_float(np.isnan(x), x)


def _is_valid(x: Any) -> Array:
    return _as_float(np.isfinite(x), x)


def _log(x: Any, base: Any) -> Any:
    # The exact functions for the usual bases: ln(1000) / ln(10) is 2.9999999999999996.
    if isinstance(base, float) and base in (2.0, 10.0):
        return np.log10(x) if base == 10.0 else np.log2(x)
    return np.log(x) / np.log(base)


def _power(base: Any, p: Any) -> Any:
    # IEEE 754 has pow(NaN, 0) = pow(1, NaN) = 1; no data stays no data here.
    if isinstance(p, float) and p > 0:
        return np.square(base) if p == 2 else np.power(base, p)
    return _as_float(np.where(_missing(base, p), np.nan, np.power(base, p)), base, p)


def _mod(x: Any, y: Any) -> Any:
    # The sign of the divisor, as numpy; x mod 0 is ±inf by the sign of x.
    return _as_float(np.where(np.equal(y, 0), np.divide(x, np.abs(y)), np.mod(x, y)), x, y)


def _round(x: Any, *, p: float) -> Any:
    return np.round(x, int(p))


def _normalized_difference(x: Any, y: Any) -> Any:
    return np.divide(np.subtract(x, y), np.add(x, y))


def _linear_scale_range(x: Any, in_min: Any, in_max: Any, out_min: Any, out_max: Any) -> Any:
    return (np.clip(x, in_min, in_max) - in_min) / (in_max - in_min) * (out_max - out_min) + out_min


def _masked(x: Any, mask: Any, replacement: Any) -> Array:
    # A mask without data masks nothing: only non-zero numbers do.
    return _as_float(np.where((mask != 0) & ~np.isnan(mask), replacement, x), x, mask)


def _same(x: Any) -> Any:
    return x


EQUALITY = "x y delta=null case_sensitive=true"
FUZZY = ("delta", "case_sensitive")

OPERATIONS: dict[str, Process] = {
    "absolute": Process("x", "|x|", np.abs),
    "add": Process("x y", "x + y", np.add),
    "subtract": Process("x y", "x - y", np.subtract),
    "multiply": Process("x y", "x · y", np.multiply),
    "divide": Process("x y", "x / y; ±inf or no data for y = 0", np.divide),
    "mod": Process("x y", "Remainder of x / y, with the sign of y", _mod),
    "power": Process("base p", "base to the power of p", _power),
    "sqrt": Process("x", "Square root; no data below 0", np.sqrt),
    "exp": Process("p", "e to the power of p", np.exp),
    "ln": Process("x", "Natural logarithm", np.log),
    "log": Process("x base", "Logarithm to a base", _log),
    "floor": Process("x", "The greatest integer <= x", np.floor),
    "ceil": Process("x", "The least integer >= x", np.ceil),
    "int": Process("x", "The integer part of x: towards zero", np.trunc),
    "round": Process("x p=0", "To p decimals, halves to even", _round, options=("p",)),
    "sgn": Process("x", "-1, 0 or 1, the sign of x", np.sign, value_range=(-1.0, 1.0)),
    "sin": Process("x", "Sine of x in radians", np.sin, value_range=(-1.0, 1.0)),
    "cos": Process("x", "Cosine of x in radians", np.cos, value_range=(-1.0, 1.0)),
    "tan": Process("x", "Tangent of x in radians", np.tan),
    "arcsin": Process("x", "Inverse sine, in radians", np.arcsin),
    "arccos": Process("x", "Inverse cosine, in radians", np.arccos),
    "arctan": Process("x", "Inverse tangent, in radians", np.arctan),
    "arctan2": Process("y x", "Angle of the point (x, y), in radians", np.arctan2),
    "sinh": Process("x", "Hyperbolic sine", np.sinh),
    "cosh": Process("x", "Hyperbolic cosine", np.cosh),
    "tanh": Process("x", "Hyperbolic tangent", np.tanh, value_range=(-1.0, 1.0)),
    "arsinh": Process("x", "Inverse hyperbolic sine", np.arcsinh),
    "arcosh": Process("x", "Inverse hyperbolic cosine", np.arccosh),
    "artanh": Process("x", "Inverse hyperbolic tangent", np.arctanh),
    "normalized_difference": Process("x y", "(x - y) / (x + y)", _normalized_difference, value_range=(-1.0, 1.0)),
    "clip": Process("x min max", "x, but not less than min nor more than max", np.clip, value_range=("min", "max")),
    "linear_scale_range": Process(
        "x inputMin inputMax outputMin=0 outputMax=1",
        "x clipped to the input range, mapped linearly to the output range",
        _linear_scale_range,
        value_range=("outputMin", "outputMax"),
    ),
    "eq": Process(
        "x y delta=null case_sensitive=true",
        "x = y, within delta if given",
        _eq,
        "truth",
        TRUTH,
        ("delta", "case_sensitive"),
    ),
    "neq": Process(
        "x y delta=null case_sensitive=true",
        "x ≠ y, by more than delta if given",
        _neq,
        "truth",
        TRUTH,
        ("delta", "case_sensitive"),
    ),
    "gt": Process("x y", "x > y", _gt, "truth", TRUTH),
    "gte": Process("x y", "x >= y", _gte, "truth", TRUTH),
    "lt": Process("x y", "x < y", _lt, "truth", TRUTH),
    "lte": Process("x y", "x <= y", _lte, "truth", TRUTH),
    "between": Process("x min max exclude_max=false", "min <= x <= max", _between, "truth", TRUTH, ("exclude_max",)),
    "and": Process("x y", "Both are true", _and, "truth", TRUTH),
    "or": Process("x y", "At least one is true", _or, "truth", TRUTH),
    "xor": Process("x y", "Exactly one is true", _xor, "truth", TRUTH),
    "not": Process("x", "x is false", _not, "truth", TRUTH),
    "if": Process("value accept reject=null", "accept where value is true, else reject", _if),
    "is_nodata": Process("x", "x has no data", _is_nodata, "truth", TRUTH),
    "is_nan": Process("x", "x has no data (NaN and no data are one here)", _is_nodata, "truth", TRUTH),
    "is_valid": Process("x", "x is a finite number", _is_valid, "truth", TRUTH),
    "constant": Process("x", "The value x", _same),
    "pi": Process("", "The number π", lambda: np.float64(np.pi)),
    "e": Process("", "Euler's number", lambda: np.float64(np.e)),
}
"""Process -> implementation on arrays, called with the parameters in order."""

masked = _masked
normalized_difference = _normalized_difference
