"""Pixels as a TIFF block has them before it is compressed: pixel-interleaved, as differences (csrc/pack.h)."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cutline.kernel.native import Raster, library

Predictor = Literal[1, 2, 3]
"""TIFF's numbers: none, differences of neighbours, differences of floats' bytes sorted by significance"""


class _Packing(ctypes.Structure):
    _fields_ = [
        ("source", Raster),
        *((name, ctypes.c_int64) for name in ("row", "col", "edge")),
        ("empty", ctypes.c_void_p),
        ("sample_bytes", ctypes.c_int32),
        ("predictor", ctypes.c_int32),
        ("block", ctypes.c_void_p),
        ("scratch", ctypes.c_void_p),
    ]


library.cutline_pack.argtypes = [ctypes.POINTER(_Packing)]


class Packer:
    """Cuts a raster into blocks."""

    def __init__(
        self, values: NDArray[Any], empty: Any, edge: int, predictor: Predictor, *, planar: bool = False
    ) -> None:
        """values: (bands, rows, cols), C-contiguous. empty: what stands where there is no data and beyond the raster's
        end. planar: a block holds one band, not all. Raises TypeError for a predictor that the dtype does not have."""
        if not values.flags.c_contiguous:
            raise ValueError("values must be C-contiguous")
        if (predictor == 3 and values.dtype.kind != "f") or (predictor == 2 and values.dtype.kind == "f"):
            raise TypeError(f"predictor {predictor} is not for {values.dtype}")
        self._planes = [values[band : band + 1] for band in range(len(values))] if planar else [values]
        pixel_bytes = len(self._planes[0]) * values.itemsize
        self._empty = np.full(1, empty, values.dtype)
        self._block = np.empty(edge * edge * pixel_bytes, np.uint8)
        self._scratch = np.empty(edge * pixel_bytes, np.uint8)
        self._packing = _Packing(
            edge=edge,
            empty=self._empty.ctypes.data,
            sample_bytes=values.itemsize,
            predictor=predictor,
            block=self._block.ctypes.data,
            scratch=self._scratch.ctypes.data,
        )

    def blocks(self, row: int, col: int) -> Iterator[memoryview | None]:
        """The block whose upper left pixel is at (row, col), or one a band if planar; None where every sample is
        ``empty``, to the bit. Each is good until the next one."""
        rows, cols = self._planes[0].shape[1:]
        if not (0 <= row < rows and 0 <= col < cols):
            raise ValueError(f"there is no block at ({row}, {col}) of {rows} x {cols} pixels")
        self._packing.row, self._packing.col = row, col
        for plane in self._planes:
            self._packing.source = Raster.of(plane, None)
            found: int = library.cutline_pack(ctypes.byref(self._packing))
            if found < 0:
                raise TypeError(f"cannot pack {plane.dtype}")
            yield self._block.data if found else None
