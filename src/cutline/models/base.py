"""The base of everything that travels between the steps."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

GeoJSON = dict[str, Any]
"""A GeoJSON geometry (RFC 7946) in longitude and latitude."""

AffineCoefficients = tuple[float, float, float, float, float, float]
"""a, b, c, d, e, f of x = a·col + b·row + c, y = d·col + e·row + f, as the affine package orders them."""


class Model(BaseModel):
    """Immutable, and closed: a field nobody knows is an error, never ignored.

    NaN and infinities travel as the strings "NaN" and "Infinity": JSON has no numbers for them, and null is None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Interval(Model):
    """Where a figure lies, inclusive."""

    low: float
    high: float
