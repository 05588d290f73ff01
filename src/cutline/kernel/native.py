"""The compiled loops, called by ctypes. csrc/resample.h documents every field; change both together."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutline.models.request import Resampling

Pixels = NDArray[Any]
"""(bands, rows, cols)"""
Flags = NDArray[np.bool_]
"""(rows, cols)"""

STEP = 16
"""The largest side of a patch, in output pixels"""

PATCH = np.dtype(
    [("row", "i4"), ("col", "i4"), ("step", "i4"), ("unused", "i4"), ("x", "f8", (4,)), ("y", "f8", (4,))], align=True
)

_METHODS: dict[Resampling, int] = {"nearest": 0, "bilinear": 1, "cubic": 2, "average": 3, "mode": 4}
_TYPES = {"uint8": 0, "int8": 1, "uint16": 2, "int16": 3, "uint32": 4, "int32": 5, "float32": 6, "float64": 7}
_TAPS: dict[Resampling, tuple[int, int]] = {"bilinear": (0, 1), "cubic": (1, 2)}
"""Samples before and after the base sample"""
WANTED, WRITTEN = 1, 2


class Raster(ctypes.Structure):
    """``cutline_raster``: where the pixels of an array are. The array must outlive it."""

    _fields_ = [
        ("pixels", ctypes.c_void_p),
        ("valid", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("bands", "rows", "cols", "band_stride", "row_stride")),
    ]

    @classmethod
    def of(cls, pixels: Pixels, valid: NDArray[Any] | None) -> Raster:
        bands, rows, cols = pixels.shape
        return cls(
            pixels.ctypes.data, None if valid is None else valid.ctypes.data, bands, rows, cols, rows * cols, cols
        )


class _Job(ctypes.Structure):
    _fields_ = [
        ("source", Raster),
        ("complete", ctypes.c_void_p),
        ("first_row", ctypes.c_int64),
        ("first_col", ctypes.c_int64),
        ("target", Raster),
        ("patches", ctypes.c_void_p),
        ("patch_count", ctypes.c_int64),
        ("scale_x", ctypes.c_double),
        ("scale_y", ctypes.c_double),
        ("method", ctypes.c_int32),
        ("type", ctypes.c_int32),
    ]


def _load() -> ctypes.CDLL:
    suffix = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
    path = Path(__file__).with_name(f"_resample{suffix}")
    if not path.is_file():
        raise ImportError(f"{path.name} is not built; `pip install .` builds it")
    library = ctypes.CDLL(str(path))
    library.cutline_complete.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int64] * 4
    library.cutline_complete.restype = None
    library.cutline_resample.argtypes = [ctypes.POINTER(_Job)]
    library.cutline_summarise.argtypes = [
        ctypes.POINTER(Raster),
        ctypes.c_int64,
        ctypes.c_int32,
        ctypes.POINTER(ctypes.c_double),
    ]
    library.cutline_finish.argtypes = [ctypes.POINTER(Raster), ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32]
    library.cutline_crc64.argtypes = [ctypes.c_uint64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
    library.cutline_crc64.restype = ctypes.c_uint64
    library.cutline_halve.argtypes = [ctypes.POINTER(Raster), ctypes.POINTER(Raster), ctypes.c_int32, ctypes.c_int32]
    return library


library = _load()


def fill(
    target: Pixels,
    state: NDArray[np.uint8],
    *,
    source: Pixels,
    valid: Flags | None,
    origin: tuple[int, int],
    patches: NDArray[np.void],
    scale: tuple[float, float],
    method: Resampling,
) -> None:
    """Write the pixels of ``target`` (bands, rows, cols) whose ``state`` (rows, cols) is WANTED, and mark them WRITTEN.

    source: a window of a file, (bands, rows, cols) of the target's dtype, which begins at pixel ``origin`` (row, col)
    of the file; valid: its (rows, cols), None where all are. patches: where the target lies in the file (lattice.py).
    scale: target pixels a source pixel, along x and y of the source, at most 1. All arrays C-contiguous.
    """
    _check(target, state, source, valid, patches)
    taps = _TAPS.get(method) if scale == (1.0, 1.0) else None
    complete = None if valid is None or taps is None else _complete(valid, taps)
    job = _Job(
        source=Raster.of(source, valid),
        complete=None if complete is None else complete.ctypes.data,
        first_row=origin[0],
        first_col=origin[1],
        target=Raster.of(target, state),
        patches=patches.ctypes.data,
        patch_count=patches.size,
        scale_x=scale[0],
        scale_y=scale[1],
        method=_METHODS[method],
        type=_TYPES.get(target.dtype.name, -1),
    )
    if library.cutline_resample(ctypes.byref(job)):
        raise TypeError(f"cannot resample {target.dtype} by {method}")


def _check(target: Pixels, state: NDArray[Any], source: Pixels, valid: Flags | None, patches: NDArray[np.void]) -> None:
    """C believes everything; so nothing reaches it that is not as it was told."""
    arrays = [target, state, source, patches] + ([] if valid is None else [valid])
    if not all(array.flags.c_contiguous for array in arrays):
        raise ValueError("arrays must be C-contiguous")
    if source.dtype != target.dtype or len(source) != len(target) or patches.dtype != PATCH or state.dtype != np.uint8:
        raise ValueError("source and target must agree in dtype and bands")
    if state.shape != target.shape[1:] or (valid is not None and valid.shape != source.shape[1:]):
        raise ValueError("validity must have the rows and cols of its pixels")
    if source.shape[1] * source.shape[2] >= 1 << 31:
        raise ValueError("C counts the samples of a plane in 32 bits")
    if patches.size and not 1 <= patches["step"].min() <= patches["step"].max() <= STEP:
        raise ValueError(f"a patch has 1 to {STEP} pixels a side")


def _complete(valid: Flags, taps: tuple[int, int]) -> NDArray[np.uint8]:
    complete, scratch = np.empty(valid.shape, np.uint8), np.empty(valid.shape[1], np.uint8)
    library.cutline_complete(valid.ctypes.data, complete.ctypes.data, scratch.ctypes.data, *valid.shape, *taps)
    return complete


def halve(values: Pixels, valid: Flags, method: str) -> tuple[Pixels, Flags]:
    """The next overview: every 2x2 pixels become one, at the right and lower edge those that there are.

    values: (bands, rows, cols); valid: (rows, cols). ``average`` is the mean of the valid pixels, halves rounded up;
    ``nearest`` the upper left pixel. Where no pixel counts, the value is 0.
    """
    values, valid = np.ascontiguousarray(values), np.ascontiguousarray(valid)
    bands, rows, cols = values.shape
    if valid.shape != (rows, cols):
        raise ValueError("validity must have the rows and cols of its pixels")
    shape = (rows + 1) // 2, (cols + 1) // 2
    halved, halved_valid = np.empty((bands, *shape), values.dtype), np.empty(shape, np.bool_)
    source, target = Raster.of(values, valid), Raster.of(halved, halved_valid)
    code = _TYPES.get(values.dtype.name, -1)
    if library.cutline_halve(ctypes.byref(source), ctypes.byref(target), code, int(method == "average")):
        raise TypeError(f"cannot halve {values.dtype}")
    return halved, halved_valid


def summarise(values: NDArray[Any], valid: Flags) -> tuple[int, float, float, float, float]:
    """Count, minimum, maximum, mean and sum of squared differences from the mean of a band's valid, finite pixels.

    values, valid: (rows, cols). All zero where there is none.
    """
    values, valid = np.ascontiguousarray(values)[np.newaxis], np.ascontiguousarray(valid)
    if valid.shape != values.shape[1:]:
        raise ValueError("validity must have the rows and cols of its pixels")
    summary = (ctypes.c_double * 5)()
    if library.cutline_summarise(ctypes.byref(Raster.of(values, valid)), 0, _TYPES.get(values.dtype.name, -1), summary):
        raise TypeError(f"cannot summarise {values.dtype}")
    count, *rest = summary
    minimum, maximum, mean, squares = rest
    return int(count), minimum, maximum, mean, squares


def finish(values: Pixels, valid: Flags, empty: Any, beside: Any | None) -> None:
    """Make computed values those that are stored, in place.

    values: (bands, rows, cols), C-contiguous; valid: (rows, cols). A value is known where its pixel is valid and, of
    floats, where it is finite. What is not known becomes ``empty``; a known value that equals ``empty`` becomes
    ``beside``, unless that is None. A pixel of floats without a known band is valid no more; ``valid`` of integers
    stays as it is. empty, beside: scalars of the dtype of ``values``; NaN equals nothing.
    Raises ValueError for arrays that are not as said, TypeError for a dtype that has no loop.
    """
    if not (
        values.flags.c_contiguous and values.flags.writeable and valid.flags.c_contiguous and valid.flags.writeable
    ):
        raise ValueError("arrays must be C-contiguous and writeable")
    if valid.dtype != np.bool_ or valid.shape != values.shape[1:]:
        raise ValueError("validity must have the rows and cols of its pixels")
    scalars = [None if value is None else np.asarray(value, values.dtype) for value in (empty, beside)]
    pointers = [None if scalar is None else scalar.ctypes.data for scalar in scalars]
    code = _TYPES.get(values.dtype.name, -1)
    if library.cutline_finish(ctypes.byref(Raster.of(values, valid)), *pointers, code):
        raise TypeError(f"cannot finish {values.dtype}")
