"""Processes that make one value of an array: over the bands, or over time.

Each function takes (n, …) and whether to ignore no data, and gives (…). Semantics: https://processes.openeo.org.
Where no data is ignored, an array without any data has none (``count`` has 0). They are written out rather than
taken from numpy's nan-functions, which warn about empty slices and are slow along the first axis.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from cutline.process.signature import Array, Process


def _counted(values: Array) -> Any:
    return np.count_nonzero(~np.isnan(values), axis=0)


def _accumulate(values: Array, ignore: bool, operation: np.ufunc) -> Array:
    # One after the other: numpy's own reduction orders its additions by the shape of the tile.
    total: Array = values[0].copy()
    for value in values[1:]:
        if ignore:
            both = operation(total, value)
            np.copyto(both, total, where=np.isnan(value))
            np.copyto(both, value, where=np.isnan(total))
            total = both
        else:
            operation(total, value, out=total)
    return total


def _sum(values: Array, ignore: bool) -> Array:
    return _accumulate(values, ignore, np.add)


def _product(values: Array, ignore: bool) -> Array:
    return _accumulate(values, ignore, np.multiply)


def _mean(values: Array, ignore: bool) -> Array:
    count = _counted(values) if ignore else len(values)
    return cast(Array, (_sum(values, ignore) / count).astype(values.dtype, copy=False))


def _variance(values: Array, ignore: bool) -> Array:
    # The sample variance, of n - 1 degrees of freedom; one value has none.
    count = _counted(values) if ignore else len(values)
    squares = _sum((values - _mean(values, ignore)) ** 2, ignore)
    return cast(Array, (squares / np.subtract(count, 1)).astype(values.dtype, copy=False))


def _sd(values: Array, ignore: bool) -> Array:
    return np.sqrt(_variance(values, ignore))


def _median(values: Array, ignore: bool) -> Array:
    ordered = np.sort(values, axis=0)  # NaN sorts last
    count = _counted(values)[np.newaxis]
    if not ignore:
        count = np.where(count < len(values), 0, count)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=0)[0]
    high = np.take_along_axis(ordered, np.minimum(count // 2, len(values) - 1), axis=0)[0]
    return np.where(count[0] == 0, np.nan, (low + high) / 2).astype(values.dtype, copy=False)


def _min(values: Array, ignore: bool) -> Array:
    return cast(Array, (np.fmin if ignore else np.minimum).reduce(values, axis=0))


def _max(values: Array, ignore: bool) -> Array:
    return cast(Array, (np.fmax if ignore else np.maximum).reduce(values, axis=0))


def _first(values: Array, ignore: bool) -> Array:
    result: Array = values[0].copy()
    for later in values[1:] if ignore else ():
        np.copyto(result, later, where=np.isnan(result))
    return result


def _last(values: Array, ignore: bool) -> Array:
    return _first(values[::-1], ignore)


def _decided(values: Array, ignore: bool, decisive: Array, otherwise: float) -> Array:
    """1 - ``otherwise`` where one value is decisive; else ``otherwise``, or no data where that leaves it open."""
    count = _counted(values)
    open_ = (count == 0) if ignore else (count < len(values))
    rest = np.where(open_, np.nan, otherwise)
    return np.where(np.logical_or.reduce(decisive, axis=0), 1 - otherwise, rest).astype(values.dtype, copy=False)


def _any(values: Array, ignore: bool) -> Array:
    return _decided(values, ignore, (values != 0) & ~np.isnan(values), 0.0)


def _all(values: Array, ignore: bool) -> Array:
    return _decided(values, ignore, values == 0, 1.0)


def count_valid(values: Array, ignore: bool) -> Array:
    """How many are finite. ``ignore`` is there to be called like the others."""
    return cast(Array, np.count_nonzero(np.isfinite(values), axis=0).astype(values.dtype))


def count_true(values: Array, ignore: bool) -> Array:
    return cast(Array, np.count_nonzero((values != 0) & ~np.isnan(values), axis=0).astype(values.dtype))


def count_all(values: Array, ignore: bool) -> Array:
    return np.full(values.shape[1:], len(values), values.dtype)


def over_arrays(*arrays: Any, reducer: Any, ignore: bool) -> Array:
    """``reducer`` over separate arrays of one shape (or numbers), as over the bands."""
    dtype = np.result_type(*(array for array in arrays if isinstance(array, np.ndarray | np.generic)))
    stack = np.stack(np.broadcast_arrays(*arrays), dtype=dtype, casting="same_kind")
    # Of numbers alone the result would be a number, which the reducers cannot write into.
    result: Array = reducer(stack, ignore) if stack.ndim > 1 else reducer(stack[:, np.newaxis], ignore)[0]
    return result


REDUCERS: dict[str, Process] = {
    "sum": Process("data ignore_nodata=true", "The sum", _sum),
    "product": Process("data ignore_nodata=true", "The product", _product),
    "mean": Process("data ignore_nodata=true", "The arithmetic mean", _mean),
    "median": Process("data ignore_nodata=true", "The median", _median),
    "min": Process("data ignore_nodata=true", "The smallest value", _min),
    "max": Process("data ignore_nodata=true", "The largest value", _max),
    "first": Process("data ignore_nodata=true", "The first value", _first),
    "last": Process("data ignore_nodata=true", "The last value", _last),
    "sd": Process("data ignore_nodata=true", "The sample standard deviation", _sd),
    "variance": Process("data ignore_nodata=true", "The sample variance", _variance),
    "any": Process("data ignore_nodata=true", "At least one is true", _any, "truth", (0.0, 1.0)),
    "all": Process("data ignore_nodata=true", "All are true", _all, "truth", (0.0, 1.0)),
    "count": Process("data condition=null context=null", "How many are valid, or meet the condition", count_valid),
}
"""Process -> implementation on an array (n, …)."""
