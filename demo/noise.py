"""Chance that is a function of place: the same coordinates give the same value, whoever asks.

Everything works on blocks: two-dimensional float32 arrays of x and y whose edge is a multiple of ``STEP`` plus one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.uint32]

STEP = 4
"""Slow noise is computed at every STEP-th pixel at most and interpolated between them."""

SLOW = 8
"""Noise may be interpolated when its wavelength is this many steps or more: that errs by 1 % of its range."""

_TABLE = np.random.default_rng(20250621).random(1 << 16, dtype=np.float32)


def chance(*keys: npt.NDArray[np.generic] | int) -> Ints:
    """A 32-bit hash of whole numbers, element by element."""
    result = np.asarray(0x9E3779B9, dtype=np.uint32)
    for key in keys:
        if isinstance(key, int):
            key = np.asarray(key & 0xFFFFFFFF, dtype=np.uint32)  # noqa: PLW2901
        result = (result ^ key.astype(np.uint32)) * np.uint32(0x85EBCA6B)
        result = (result ^ (result >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        result = result ^ (result >> np.uint32(16))
    return result


def fraction(hashed: Ints, digit: int = 0) -> Floats:
    """A hash as a number in [0, 1). Each of its three digits (0, 1, 2) is a number of its own."""
    return ((hashed >> np.uint32(10 * digit)) & np.uint32(1023)).astype(np.float32) / np.float32(1024)


def whole(values: Floats) -> npt.NDArray[np.int32]:
    return np.floor(values).astype(np.int32)


def noise(x: Floats, y: Floats, wavelength: float, seed: int) -> Floats:
    """Value noise in [0, 1): random values on a square lattice, joined smoothly."""
    pixel = abs(float(x[0, 1] - x[0, 0])) + abs(float(y[0, 1] - y[0, 0]))
    for step in (STEP, STEP // 2):
        if wavelength >= SLOW * step * pixel:
            return refine(exact_noise(x[::step, ::step], y[::step, ::step], wavelength, seed), step)
    return exact_noise(x, y, wavelength, seed)


def fractal(x: Floats, y: Floats, wavelength: float, octaves: int, seed: int) -> Floats:
    """Noise upon noise in [0, 1): each octave has half the wavelength and half the weight of the one before."""
    total = np.zeros_like(x)
    for octave in range(octaves):
        total += noise(x, y, wavelength / 2**octave, seed + octave) * np.float32(0.5**octave)
    return total / np.float32(2 - 0.5 ** (octaves - 1))


def refine(nodes: Floats, step: int) -> Floats:
    """Linear interpolation of (m + 1, n + 1) nodes to (m·step + 1, n·step + 1) samples."""
    return _refine_rows(_refine_rows(nodes, step).T, step).T


def smoothstep(low: float, high: float, values: Floats) -> Floats:
    """0 below ``low``, 1 above ``high``, an S between."""
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _refine_rows(nodes: Floats, step: int) -> Floats:
    weight = (np.arange(step, dtype=nodes.dtype) / step)[None, :, None]
    between = nodes[:-1, None] + weight * (nodes[1:, None] - nodes[:-1, None])
    return np.concatenate([between.reshape(-1, nodes.shape[1]), nodes[-1:]])


def exact_noise(x: Floats, y: Floats, wavelength: float, seed: int) -> Floats:
    """``noise`` at places in any order."""
    # Each seed starts elsewhere on the lattice; the odd offsets keep lattices of different seeds from lining up.
    u = x / np.float32(wavelength) + np.float32(seed * 37.37 % 256)
    v = y / np.float32(wavelength) + np.float32(seed * 91.71 % 256)
    column, row = whole(u), whole(v)
    u -= column
    v -= row
    u *= u * (3 - 2 * u)
    v *= v * (3 - 2 * v)
    left, right = column & 255, (column + 1) & 255
    top, bottom = (row & 255) << 8, ((row + 1) & 255) << 8
    upper, lower = _TABLE[top | left], _TABLE[bottom | left]
    upper += u * (_TABLE[top | right] - upper)
    lower += u * (_TABLE[bottom | right] - lower)
    return upper + v * (lower - upper)
