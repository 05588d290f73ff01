"""gdalwarp, from the very GDAL that rasterio carries: an oracle for tests and a rival for benchmarks.

rasterio's wheels hold libgdal but no programs. The program gdalwarp is a thin shell around the C functions
GDALWarpAppOptionsNew and GDALWarp (https://gdal.org/en/stable/api/gdal_utils.html); this calls them by ctypes.

From a shell: python -m tests.support.gdalwarp <gdalwarp's own arguments> source... destination
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import rasterio  # loads libgdal, and with its own environment finds GDAL's and PROJ's data
from rasterio.env import Env

OF_RASTER_VERBOSE = 0x02 | 0x40
"""GDAL_OF_RASTER | GDAL_OF_VERBOSE_ERROR"""

CE_FAILURE = 3


class GdalError(Exception):
    """What GDAL said."""


def gdalwarp(args: list[str], src: Sequence[Path | str], dst: Path | str) -> None:
    """``gdalwarp *args *src dst``, in rasterio's environment, which knows where GDAL's and PROJ's data are.

    Like the program, it draws into a destination that exists unless told to -overwrite.
    """
    args, config = _split_config(args)
    with Env(), _configured(config), _errors() as errors, _opened(src, errors) as sources:
        options = gdal.GDALWarpAppOptionsNew(_strings(args), None)
        if not options:
            raise GdalError("; ".join(errors) or f"gdalwarp does not take {args}")
        try:
            _warp(options, sources, dst, errors)
        finally:
            gdal.GDALWarpAppOptionsFree(options)


def _warp(options: int, sources: list[int], dst: Path | str, errors: list[str]) -> None:
    misused = ctypes.c_int(0)
    handles = (ctypes.c_void_p * len(sources))(*sources)
    result = gdal.GDALWarp(str(dst).encode(), None, len(sources), handles, options, ctypes.byref(misused))
    # Drivers that write at the end (COG) fail at the end: errors while closing count.
    if result:
        gdal.GDALClose(result)
    if errors or misused.value or not result:
        raise GdalError("; ".join(errors) or "gdalwarp: the arguments contradict each other")


@contextmanager
def _opened(paths: Sequence[Path | str], errors: list[str]) -> Iterator[list[int]]:
    handles: list[int] = []
    try:
        for path in paths:
            handle = gdal.GDALOpenEx(str(path).encode(), OF_RASTER_VERBOSE, None, None, None)
            if not handle:
                raise GdalError("; ".join(errors) or f"cannot open {path}")
            handles.append(handle)
        yield handles
    finally:
        for handle in handles:
            gdal.GDALClose(handle)


@contextmanager
def _configured(config: dict[str, str]) -> Iterator[None]:
    """For all threads, while it lasts. GDAL_CACHEMAX counts only before anything was read, as GDAL has it."""
    before = {key: gdal.CPLGetGlobalConfigOption(key.encode(), None) for key in config}
    try:
        for key, value in config.items():
            gdal.CPLSetConfigOption(key.encode(), value.encode())
        yield
    finally:
        for key, value in before.items():
            gdal.CPLSetConfigOption(key.encode(), value)


@contextmanager
def _errors() -> Iterator[list[str]]:
    """Collect GDAL's errors; on top of rasterio's handler, which would log them."""
    errors: list[str] = []

    @ERROR_HANDLER
    def note(severity: int, _number: int, message: bytes) -> None:
        if severity >= CE_FAILURE:
            errors.append(message.decode(errors="replace"))

    gdal.CPLPushErrorHandler(note)
    try:
        yield errors
    finally:
        gdal.CPLPopErrorHandler()


def _split_config(args: list[str]) -> tuple[list[str], dict[str, str]]:
    """``--config KEY=VALUE`` and ``--config KEY VALUE`` are read by the program gdalwarp, not by GDALWarp."""
    rest, config = [], {}
    words = iter(args)
    for word in words:
        if word != "--config":
            rest.append(word)
            continue
        key, _, value = next(words).partition("=")
        config[key] = value or next(words)
    return rest, config


def _strings(words: Sequence[str]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(words) + 1))(*[word.encode() for word in words], None)


def _load() -> ctypes.CDLL:
    """rasterio's libgdal, which this process has open already; a second copy would know no drivers."""
    libraries = Path(rasterio.__file__).parent.parent / "rasterio.libs"
    (path,) = libraries.glob("libgdal*.so*")
    library = ctypes.CDLL(str(path))
    pointer, text, integer = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures = {
        "GDALOpenEx": (pointer, [text, ctypes.c_uint, pointer, pointer, pointer]),
        "GDALClose": (None, [pointer]),
        "GDALWarpAppOptionsNew": (pointer, [pointer, pointer]),
        "GDALWarpAppOptionsFree": (None, [pointer]),
        "GDALWarp": (pointer, [text, pointer, integer, pointer, pointer, pointer]),
        "CPLGetGlobalConfigOption": (text, [text, text]),
        "CPLSetConfigOption": (None, [text, text]),
        "CPLPushErrorHandler": (None, [pointer]),
        "CPLPopErrorHandler": (None, []),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


ERROR_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_int, ctypes.c_char_p)
gdal = _load()

if __name__ == "__main__":
    count = next(i for i, word in enumerate(sys.argv) if Path(word).exists() and i > 0)
    gdalwarp(sys.argv[1:count], sys.argv[count:-1], sys.argv[-1])
