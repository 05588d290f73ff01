"""A picture of an export, drawn as the service draws its own, but larger and with a legend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling

from cutline.quicklook import drawn, png, stretch, visible_bands
from demo.legend import draw_legend


def quicklook(cog: Path, target: Path, *, max_size: int = 1200) -> None:
    """Draw a COG from its overviews, no side longer than ``max_size`` pixels.

    Three bands or more are drawn as red, green and blue, stretched over their 2nd to 98th percentiles; one band by a
    colour ramp, with a legend.
    """
    with rasterio.open(cog) as source:
        indexes = visible_bands(source.descriptions)
        factor = min(1.0, max_size / max(source.shape))
        shape = tuple(max(1, round(side * factor)) for side in source.shape)
        values = source.read(indexes, out_shape=(len(indexes), *shape), resampling=Resampling.average)
        valid = source.dataset_mask(out_shape=shape) > 0
        names = tuple(source.descriptions[index - 1] for index in indexes)
    picture = drawn(values, valid, names)
    if len(indexes) == 1:
        known = values[0][valid & np.isfinite(values[0])].astype(np.float32)
        draw_legend(picture, *stretch(known))
    target.write_bytes(png(picture))
