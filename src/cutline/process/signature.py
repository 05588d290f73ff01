"""What a process is called with, and what it gives: the row type of every table of processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cutline.errors import InvalidProcess

Array = npt.NDArray[Any]
"""float32 or float64; NaN = no data"""

ValueRange = tuple[float, float]

DtypeRule = Literal["number", "truth", "same"]
"""The natural dtype of a result. The whole rule:

    same    selecting, masking, renaming, colour         the common dtype of the inputs
    truth   comparing, logic, is_…                       uint8, 0 or 1
    number  everything else, clip and max included       float64 where an input has more than 24 significant bits
                                                         ((u)int32, (u)int64, float64), else float32
"""

WIDE = frozenset(np.dtype(name) for name in ("int32", "uint32", "int64", "uint64", "float64"))
"""Types whose values a float32 cannot hold exactly"""


class Required:
    """The default of a parameter that has none."""


REQUIRED = Required()


@dataclass(frozen=True)
class Process:
    """One row of a table. ``parameters`` reads like a Python signature: ``"x p=0"``, the defaults as JSON."""

    parameters: str
    doc: str
    compute: Callable[..., Any] | None = None
    """The implementation; None for a process that ``lower`` turns into a field of the request"""
    dtype: DtypeRule = "number"
    value_range: ValueRange | tuple[str, str] | None = None
    """What the results are nominally within (a normalised difference of negative values is not), or the two
    parameters that say so"""
    options: tuple[str, ...] = ()
    """Parameters that are fixed for all pixels, given to ``compute`` by keyword"""

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """Parameter -> default, or ``REQUIRED``, in order."""
        parts = (part.partition("=") for part in self.parameters.split())
        return {name: json.loads(default) if default else REQUIRED for name, _, default in parts}

    def bind(self, name: str, arguments: dict[str, Any], pointer: str) -> dict[str, Any]:
        """The arguments with defaults filled in. InvalidProcess for one that is unknown or missing."""
        for argument in arguments:
            if argument not in self.defaults:
                allowed = ", ".join(self.defaults) or "none"
                raise InvalidProcess(
                    f"{name} has no parameter {argument!r}; it has {allowed}.",
                    pointer=f"{pointer}/arguments/{escape(argument)}",
                )
        bound = {**self.defaults, **arguments}
        for parameter, value in bound.items():
            if value is REQUIRED:
                raise InvalidProcess(f"{name} needs its parameter {parameter!r}.", pointer=f"{pointer}/arguments")
        return bound


def escape(key: str) -> str:
    """A key as one step of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def number_dtype(dtypes: list[str]) -> str:
    """The "number" rule: numpy's name of the float type that holds values of ``dtypes``."""
    return "float64" if any(np.dtype(name) in WIDE for name in dtypes) else "float32"


def common_dtype(dtypes: list[str]) -> str:
    """The "same" rule: the smallest type that holds every one of ``dtypes`` (numpy's promotion)."""
    return np.result_type(*dtypes).name if dtypes else "float32"


def suggestion(name: str, known: Iterable[str], few: Sequence[str] = ()) -> str:
    """The end of a sentence about an unknown name: what was meant, perhaps, or what there is; of much, a ``few``."""
    lowered = {candidate.lower(): candidate for candidate in known}
    wanted = name.lower()[:100]
    near = get_close_matches(wanted, lowered, n=10)
    # The same letters in another order are the likeliest slip: nvdi is ndvi.
    near.sort(key=lambda match: sorted(match) != sorted(wanted))
    near = [lowered[match] for match in near[:3]]
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; there are {', '.join(few)} and others." if few else f"; there are {', '.join(lowered.values())}."
