"""A picture of an export: small, stretched to what the eye sees, transparent where there is nothing."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning

from demo.legend import RAMP, draw_legend

Picture = npt.NDArray[np.uint8]
"""(rows, cols, 4): red, green, blue, alpha"""

PERCENTILES = (2, 98)


def quicklook(cog: Path, png: Path, *, max_size: int = 1200) -> None:
    """Draw a COG from its overviews, no side longer than ``max_size`` pixels.

    Three bands or more are drawn as red, green and blue, stretched over their 2nd to 98th percentiles; one band by a
    colour ramp, with a legend.
    """
    with rasterio.open(cog) as source:
        indexes = _visible_bands(source.descriptions)
        factor = min(1.0, max_size / max(source.shape))
        shape = tuple(max(1, round(side * factor)) for side in source.shape)
        values = source.read(indexes, out_shape=(len(indexes), *shape), resampling=Resampling.average)
        valid = source.dataset_mask(out_shape=shape) > 0
    values = values.astype(np.float32)
    valid &= np.isfinite(values).all(0)
    picture = _in_colours(values, valid) if len(indexes) == 3 else _by_ramp(values[0], valid)
    _write_png(png, picture)


def _visible_bands(names: tuple[str | None, ...]) -> list[int]:
    """Band indexes (from 1) to draw as red, green and blue, or the one to draw by a ramp."""
    if {"red", "green", "blue"} <= set(names):
        return [names.index(name) + 1 for name in ("red", "green", "blue")]
    return [1, 2, 3] if len(names) >= 3 else [1]


def _in_colours(values: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_]) -> Picture:
    picture = np.zeros((*valid.shape, 4), np.uint8)
    ranges = [_range(band[valid]) for band in values]
    # Each band begins at its own dark end, which takes the haze away; one span for all keeps grey roads grey.
    span = max(high - low for low, high in ranges)
    for channel, (band, (low, _)) in enumerate(zip(values, ranges, strict=True)):
        picture[..., channel] = 255 * np.clip((band - low) / span, 0, 1) * valid
    picture[..., 3] = 255 * valid
    return picture


def _by_ramp(values: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_]) -> Picture:
    low, high = _range(values[valid])
    share = np.where(valid, np.clip((values - low) / (high - low), 0, 1), 0)
    stops = np.linspace(0, 1, len(RAMP))
    picture = np.zeros((*valid.shape, 4), np.uint8)
    for channel in range(3):
        picture[..., channel] = np.interp(share, stops, RAMP[:, channel]) * valid
    picture[..., 3] = 255 * valid
    draw_legend(picture, low, high)
    return picture


def _range(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    """What becomes black and what white; a flat image keeps a range to divide by."""
    if not values.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, PERCENTILES))
    return low, max(high, low + 1e-6)


def _write_png(path: Path, picture: Picture) -> None:
    rows, cols, count = picture.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", driver="PNG", width=cols, height=rows, count=count, dtype="uint8") as target:
            target.write(picture.transpose(2, 0, 1))
