"""Is it a COG? Asked of both authorities: rio-cogeo in strict mode, and GDAL's own validator.

GDAL's is the script osgeo_utils/samples/validate_cloud_optimized_geotiff.py of the package gdal-utils. It imports
osgeo.gdal, of which there are no wheels; the few functions that it calls are given to it here, over the libgdal of
rasterio's wheel. (gdal-utils requires the package gdal, which would have to be compiled: pip install --no-deps.)

From a shell: python -m tests.support.cogcheck file.tif ...
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from itertools import count, takewhile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from rasterio.env import Env
from rio_cogeo import cog_validate

from tests.support.gdalwarp import OF_RASTER_VERBOSE, gdal


def assert_valid_cog(path: Path) -> None:
    """Raise AssertionError with the reasons unless both validators find neither an error nor a warning."""
    valid, errors, warnings = cog_validate(path, strict=True, quiet=True)
    assert valid and not errors and not warnings, f"rio-cogeo on {path}: {errors + warnings}"
    found = gdal_findings(path)
    assert not found, f"GDAL on {path}: {found}"


def gdal_findings(path: Path) -> list[str]:
    """The errors and warnings of GDAL's validator, which looks at every block's place."""
    with Env():  # registers GDAL's drivers
        dataset = _Dataset(gdal.GDALOpenEx(str(path).encode(), OF_RASTER_VERBOSE, None, None, None))
        assert dataset.handle, f"GDAL cannot open {path}"
        try:
            warnings, errors, _details = _validator.validate(dataset, full_check=True)
        finally:
            gdal.GDALClose(dataset.handle)
    return errors + warnings


class _Object:
    """osgeo.gdal.MajorObject, as far as the validator goes."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def GetDescription(self) -> str:
        return gdal.GDALGetDescription(self.handle).decode()

    def GetMetadataItem(self, name: str, domain: str) -> str | None:
        value = gdal.GDALGetMetadataItem(self.handle, name.encode(), domain.encode())
        return None if value is None else value.decode()


class _Dataset(_Object):
    @property
    def RasterXSize(self) -> int:
        return gdal.GDALGetRasterXSize(self.handle)

    @property
    def RasterYSize(self) -> int:
        return gdal.GDALGetRasterYSize(self.handle)

    @property
    def RasterCount(self) -> int:
        return gdal.GDALGetRasterCount(self.handle)

    def GetRasterBand(self, number: int) -> _Band:
        return _Band(gdal.GDALGetRasterBand(self.handle, number))

    def GetFileList(self) -> list[str]:
        names = gdal.GDALGetFileList(self.handle)
        try:
            return [name.decode() for name in takewhile(bool, (names[index] for index in count()))]
        finally:
            gdal.CSLDestroy(names)


class _Band(_Object):
    @property
    def XSize(self) -> int:
        return gdal.GDALGetRasterBandXSize(self.handle)

    @property
    def YSize(self) -> int:
        return gdal.GDALGetRasterBandYSize(self.handle)

    def GetBlockSize(self) -> list[int]:
        cols, rows = ctypes.c_int(), ctypes.c_int()
        gdal.GDALGetBlockSize(self.handle, ctypes.byref(cols), ctypes.byref(rows))
        return [cols.value, rows.value]

    def GetOverviewCount(self) -> int:
        return gdal.GDALGetOverviewCount(self.handle)

    def GetOverview(self, index: int) -> _Band:
        return _Band(gdal.GDALGetOverview(self.handle, index))

    def GetMaskFlags(self) -> int:
        return gdal.GDALGetMaskFlags(self.handle)

    def GetMaskBand(self) -> _Band:
        return _Band(gdal.GDALGetMaskBand(self.handle))

    def GetBand(self) -> int:
        return gdal.GDALGetBandNumber(self.handle)

    def GetDataset(self) -> _Dataset:
        return _Dataset(gdal.GDALGetBandDataset(self.handle))


_OSGEO_GDAL = SimpleNamespace(
    GMF_PER_DATASET=0x02,
    # The files are local: Python's own functions read the same bytes.
    VSIFOpenL=open,
    VSIFSeekL=lambda file, offset, whence: file.seek(offset, whence),
    VSIFReadL=lambda size, number, file: file.read(size * number),
    VSIFCloseL=lambda file: file.close(),
)


def _declare() -> None:
    pointer, text, integer, integers = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(ctypes.c_int)
    signatures = {
        "GDALGetDescription": (text, [pointer]),
        "GDALGetMetadataItem": (text, [pointer, text, text]),
        "GDALGetRasterXSize": (integer, [pointer]),
        "GDALGetRasterYSize": (integer, [pointer]),
        "GDALGetRasterCount": (integer, [pointer]),
        "GDALGetRasterBand": (pointer, [pointer, integer]),
        "GDALGetFileList": (ctypes.POINTER(text), [pointer]),
        "CSLDestroy": (None, [pointer]),
        "GDALGetRasterBandXSize": (integer, [pointer]),
        "GDALGetRasterBandYSize": (integer, [pointer]),
        "GDALGetBlockSize": (None, [pointer, integers, integers]),
        "GDALGetOverviewCount": (integer, [pointer]),
        "GDALGetOverview": (pointer, [pointer, integer]),
        "GDALGetMaskFlags": (integer, [pointer]),
        "GDALGetMaskBand": (pointer, [pointer]),
        "GDALGetBandNumber": (integer, [pointer]),
        "GDALGetBandDataset": (pointer, [pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(gdal, name)
        function.restype, function.argtypes = result, arguments


def _load_validator() -> Any:
    """The script, with osgeo.gdal in place only while it is imported: nothing else finds ours."""
    stand_in = {"osgeo": SimpleNamespace(gdal=_OSGEO_GDAL), "osgeo.gdal": _OSGEO_GDAL}
    with mock.patch.dict(sys.modules, stand_in):
        return importlib.import_module("osgeo_utils.samples.validate_cloud_optimized_geotiff")


_declare()
_validator = _load_validator()

if __name__ == "__main__":
    for name in sys.argv[1:]:
        assert_valid_cog(Path(name))
        sys.stdout.write(f"{name}: valid\n")
