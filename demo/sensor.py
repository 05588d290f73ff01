"""What a satellite makes of the ground: its optics, the sun and the air of the day, clouds and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demo.noise import Floats, fractal, noise, smoothstep

NODATA, SHADOW, CLOUD_EDGE, CLOUD = 0, 3, 8, 9
"""Classes of the scene classification beside land cover"""

PENUMBRA = 0.12


@dataclass(frozen=True)
class Day:
    """How one acquisition differs from another of the same ground."""

    seed: int
    light: tuple[float, float, float, float]
    """A gain for each band"""
    haze: tuple[float, float, float, float]
    """Path reflectance for each band"""
    cloudiness: float
    """0 is a clear sky, 1 an overcast one; 0.3 covers about a tenth"""
    shadow: tuple[float, float]
    """Metres east and north from a cloud to its shadow"""


def blur(color: Floats) -> Floats:
    """The optics spread light over neighbouring pixels; the outermost pixels are kept as they are."""
    result = color.copy()
    result[:, 1:-1] += np.float32(0.18) * (color[:, :-2] - 2 * color[:, 1:-1] + color[:, 2:])
    rows = result.copy()
    result[:, :, 1:-1] += np.float32(0.18) * (rows[:, :, :-2] - 2 * rows[:, :, 1:-1] + rows[:, :, 2:])
    return result


def look(
    day: Day, x: Floats, y: Floats, *, ground: Floats, cover: npt.NDArray[np.uint8], rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
    """Digital numbers (reflectance × 10,000) and the scene classification of one block."""
    light, haze = (np.asarray(values, np.float32)[:, None, None] for values in (day.light, day.haze))
    color = blur(ground)
    classes = cover.copy()

    east, north = (np.float32(metres) for metres in day.shadow)
    shade = clouds(day, x - east, y - north)
    color *= light * (1 - np.float32(0.62) * smoothstep(0.05, 0.6, shade))
    classes[shade > PENUMBRA] = SHADOW

    color += haze * (0.8 + 0.4 * noise(x, y, 14000, day.seed + 90))
    cloud = clouds(day, x, y)
    if cloud.any():
        bright = (0.44 + 0.4 * cloud + 0.14 * (fractal(x, y, 420, 3, day.seed + 70) - 0.5))[None]
        bright = bright * np.array([1.0, 0.985, 0.98, 1.02], np.float32)[:, None, None]
        color += cloud * (bright - color)
        classes[cloud > 0.03] = CLOUD_EDGE
        classes[cloud > 0.3] = CLOUD

    grain = rng.standard_normal(color.shape, dtype=np.float32)
    color += grain * (np.float32(0.0012) + np.float32(0.011) * color)
    return np.clip(np.rint(color * 10_000), 1, 10_000).astype(np.uint16), classes


def clouds(day: Day, x: Floats, y: Floats) -> Floats:
    """Opacity of the cumulus field over a block, 0..1."""
    weather = noise(x, y, 9000, day.seed) - np.float32(0.5)
    threshold = np.float32(0.78 - 0.45 * day.cloudiness) - 0.26 * weather
    # Most of the sky is clear: three slow octaves tell where finer ones cannot lift the field over the threshold.
    coarse = fractal(x, y, 1900, 3, day.seed + 10)
    if float((coarse * 1.75 / 1.984 + 0.234 / 1.984 - threshold).max()) <= 0:
        return np.zeros_like(x)
    fine = fractal(x, y, 240, 4, day.seed + 13)
    density = coarse * np.float32(1.75 / 1.984) + fine * np.float32(0.234 / 1.984)
    return smoothstep(0, 0.17, density - threshold) ** np.float32(0.8)
