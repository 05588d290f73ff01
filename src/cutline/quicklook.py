"""A picture of an export: small, stretched to what the eye sees, transparent where there is nothing."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from cutline.imagery.environment import environment
from cutline.imagery.names import COMMON_NAMES

Picture = npt.NDArray[np.uint8]
"""(rows, cols, 4): red, green, blue, alpha"""
Ramp = npt.NDArray[np.float32]
"""(colours, 3)"""

PERCENTILES = (2, 98)
COLOURS: Ramp = np.array(
    [
        (165, 0, 38),
        (215, 48, 39),
        (244, 109, 67),
        (253, 174, 97),
        (254, 224, 139),
        (217, 239, 139),
        (166, 217, 106),
        (102, 189, 99),
        (26, 152, 80),
        (0, 104, 55),
    ],
    dtype=np.float32,
)
"""RdYlGn, by ColorBrewer (Brewer and Harrower, 2013)"""
GREYS: Ramp = np.array([(0, 0, 0), (255, 255, 255)], dtype=np.float32)


def quicklook(head: bytes) -> bytes:
    """A PNG of a COG's smallest level, of which ``head`` has the bytes: the header, and what follows it until that
    level ends. No side of it has more than a block's 512 pixels.

    Raises rasterio's errors where ``head`` is none.
    """
    with environment(), MemoryFile(head) as memory, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # an overview by itself has no place
        with memory.open(driver="GTiff") as cog:
            overviews = len(cog.overviews(1))
        with memory.open(driver="GTiff", **({"overview_level": overviews - 1} if overviews else {})) as smallest:
            indexes = visible_bands(smallest.descriptions)
            names = tuple(smallest.descriptions[index - 1] for index in indexes)
            return png(drawn(smallest.read(indexes), smallest.dataset_mask() > 0, names))


def visible_bands(names: tuple[str | None, ...]) -> list[int]:
    """Band indexes (from 1) to draw as red, green and blue, or the one to draw by a ramp."""
    if {"red", "green", "blue"} <= set(names):
        return [names.index(name) + 1 for name in ("red", "green", "blue")]
    return [1, 2, 3] if len(names) >= 3 else [1]


def drawn(values: npt.NDArray[np.number], valid: npt.NDArray[np.bool_], names: tuple[str | None, ...]) -> Picture:
    """``values``: (bands, rows, cols), three bands or one. A single band is grey where its name is one of a sensor's,
    and in colours where it was computed."""
    pixels = values.astype(np.float32)
    known = valid & np.isfinite(pixels).all(0)
    if len(pixels) == 3:
        return _as_colours(pixels, known)
    return _by_ramp(pixels[0], known, GREYS if names[0] in COMMON_NAMES else COLOURS)


def png(picture: Picture) -> bytes:
    rows, cols, count = picture.shape
    with MemoryFile() as memory, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with memory.open(driver="PNG", width=cols, height=rows, count=count, dtype="uint8") as target:
            target.write(picture.transpose(2, 0, 1))
        return bytes(memory.getbuffer())


def stretch(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    """What becomes black and what white; a flat image keeps a range to divide by."""
    if not values.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, PERCENTILES))
    return low, high if high > low else low + 1


def _as_colours(values: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_]) -> Picture:
    picture = np.zeros((*valid.shape, 4), np.uint8)
    ranges = [stretch(band[valid]) for band in values]
    # Each band begins at its own dark end, which takes the haze away; one span for all keeps grey roads grey.
    span = max(high - low for low, high in ranges)
    for channel, (band, (low, _)) in enumerate(zip(values, ranges, strict=True)):
        picture[..., channel] = np.where(valid, 255 * np.clip((band - low) / span, 0, 1), 0)
    picture[..., 3] = 255 * valid
    return picture


def _by_ramp(values: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_], ramp: Ramp) -> Picture:
    low, high = stretch(values[valid])
    share = np.where(valid, np.clip((values - low) / (high - low), 0, 1), 0)
    stops = np.linspace(0, 1, len(ramp))
    picture = np.zeros((*valid.shape, 4), np.uint8)
    for channel in range(3):
        picture[..., channel] = np.interp(share, stops, ramp[:, channel]) * valid
    picture[..., 3] = 255 * valid
    return picture
