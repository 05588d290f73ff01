"""What loading, placing and storing nodes say, as fields of the request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np

from cutline.errors import InvalidProcess
from cutline.models.base import GeoJSON, Model
from cutline.models.request import MosaicRule, ProfileName, Resampling
from cutline.process.areas import read_area, read_interval


class Fields(Model):
    """What a graph says about the request rather than about pixels. None: nothing."""

    aoi: GeoJSON | None = None
    """Polygon or MultiPolygon in longitude and latitude, as given: not checked or repaired"""
    temporal: tuple[str | None, str | None] | None = None
    """RFC 3339 half-open interval [start, end)"""
    hrefs: tuple[str, ...] = ()
    """STAC items of load_stac"""
    crs: str | None = None
    resolution: float | None = None
    resampling: Resampling | None = None
    mosaic: MosaicRule | None = None
    profile: ProfileName | None = None
    level: int | None = None
    dtype: str | None = None
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None


Arguments = dict[str, Any]

RESAMPLINGS: dict[str, Resampling] = {
    "near": "nearest",
    "nearest": "nearest",
    "bilinear": "bilinear",
    "cubic": "cubic",
    "average": "average",
    "mode": "mode",
}
"""openEO's method -> ours"""

FORMATS = frozenset({"gtiff", "geotiff", "cog"})
DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


def read_fields(process: str, arguments: Arguments, at: str) -> Fields:
    """The fields that a node of this process sets. ``arguments`` has the defaults filled in."""
    return READERS[process](arguments, f"{at}/arguments")


def _load_collection(arguments: Arguments, at: str) -> Fields:
    if arguments["properties"]:
        raise InvalidProcess("Scenes cannot be chosen by properties here.", pointer=f"{at}/properties")
    return Fields(
        aoi=read_area(arguments["spatial_extent"], f"{at}/spatial_extent"),
        temporal=read_interval(arguments["temporal_extent"], f"{at}/temporal_extent"),
    )


def _load_stac(arguments: Arguments, at: str) -> Fields:
    if not isinstance(arguments["url"], str) or not arguments["url"]:
        raise InvalidProcess("load_stac needs the URL of a STAC item.", pointer=f"{at}/url")
    return _load_collection(arguments, at).model_copy(update={"hrefs": (arguments["url"],)})


def _filter_bbox(arguments: Arguments, at: str) -> Fields:
    return Fields(aoi=_area(arguments, "extent", at))


def _filter_spatial(arguments: Arguments, at: str) -> Fields:
    return Fields(aoi=_area(arguments, "geometries", at))


def _mask_polygon(arguments: Arguments, at: str) -> Fields:
    if arguments["inside"] is not False:
        raise InvalidProcess("mask_polygon with inside = true is not supported.", pointer=f"{at}/inside")
    if arguments["replacement"] is not None:
        raise InvalidProcess(
            "mask_polygon with a replacement is not supported: outside of the area is no data.",
            pointer=f"{at}/replacement",
        )
    return Fields(aoi=_area(arguments, "mask", at))


def _area(arguments: Arguments, name: str, at: str) -> GeoJSON:
    area = read_area(arguments[name], f"{at}/{name}")
    if area is None:
        raise InvalidProcess("Here belongs an area.", pointer=f"{at}/{name}")
    return area


def _filter_temporal(arguments: Arguments, at: str) -> Fields:
    return Fields(temporal=read_interval(arguments["extent"], f"{at}/extent"))


def _resample_spatial(arguments: Arguments, at: str) -> Fields:
    method, align = arguments["method"], arguments["align"]
    if not isinstance(method, str) or method not in RESAMPLINGS:
        raise InvalidProcess(f"The methods are {', '.join(RESAMPLINGS)}; here is {method!r}.", pointer=f"{at}/method")
    if align != "upper-left":
        raise InvalidProcess("Pixels are aligned to the CRS: align is 'upper-left'.", pointer=f"{at}/align")
    return Fields(
        crs=_crs(arguments["projection"], f"{at}/projection"),
        resolution=_resolution(arguments["resolution"], f"{at}/resolution"),
        resampling=RESAMPLINGS[method],
    )


def _crs(projection: Any, pointer: str) -> str | None:
    if projection is None:
        return None
    if isinstance(projection, int) and not isinstance(projection, bool):
        return f"EPSG:{projection}"
    if isinstance(projection, str) and projection.strip():
        return f"EPSG:{projection}" if projection.isdigit() else projection
    raise InvalidProcess("A projection is an EPSG code or WKT2.", pointer=pointer)


def _resolution(resolution: Any, pointer: str) -> float | None:
    sides = list(resolution) if isinstance(resolution, list | tuple) else [resolution]
    numbers = [side for side in sides if isinstance(side, int | float) and not isinstance(side, bool) and side >= 0]
    if len(numbers) != len(sides) or len(set(numbers)) != 1 or len(sides) > 2:
        raise InvalidProcess("A resolution is one number, the same in x and y; 0 keeps it.", pointer=pointer)
    return float(numbers[0]) or None


def _save_result(arguments: Arguments, at: str) -> Fields:
    file_format, options = arguments["format"], arguments["options"]
    if not isinstance(file_format, str) or file_format.lower() not in FORMATS:
        raise InvalidProcess(f"The format is COG (or GTiff), not {file_format!r}.", pointer=f"{at}/format")
    if not isinstance(options, dict):
        raise InvalidProcess("Options are an object.", pointer=f"{at}/options")
    fields: dict[str, Any] = {}
    for option, value in options.items():
        field = SAVE_OPTIONS.get(option.lower())
        if field is None:
            allowed = ", ".join(dict.fromkeys(SAVE_OPTIONS.values()))
            raise InvalidProcess(f"The options are {allowed}; not {option!r}.", pointer=f"{at}/options/{option}")
        fields[field] = _save_option(field, value, f"{at}/options/{option}")
    return Fields(**fields)


SAVE_OPTIONS = {
    "profile": "profile",
    "compress": "profile",
    "compression": "profile",
    "level": "level",
    "dtype": "dtype",
    "datatype": "dtype",
    "nodata": "nodata",
    "scale": "scale",
    "offset": "offset",
}
"""Option of save_result -> field"""


def _save_option(field: str, value: Any, pointer: str) -> Any:
    if field in {"profile", "dtype"}:
        allowed = get_args(ProfileName) if field == "profile" else DTYPES
        if not isinstance(value, str) or value.lower() not in allowed:
            raise InvalidProcess(f"The {field} is one of {', '.join(allowed)}; not {value!r}.", pointer=pointer)
        return value.lower()
    if field == "level":
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidProcess(f"The level is a whole number, not {value!r}.", pointer=pointer)
        return value
    # JSON has no NaN, so people write it as a text.
    if field == "nodata" and isinstance(value, str) and value.lower() == "nan":
        return float(np.nan)
    if isinstance(value, bool) or not isinstance(value, int | float) or (field == "scale" and value == 0):
        raise InvalidProcess(f"{field} is a number{' but 0' if field == 'scale' else ''}.", pointer=pointer)
    return float(value)


READERS: dict[str, Callable[[Arguments, str], Fields]] = {
    "load_collection": _load_collection,
    "load_stac": _load_stac,
    "filter_bbox": _filter_bbox,
    "filter_spatial": _filter_spatial,
    "filter_temporal": _filter_temporal,
    "mask_polygon": _mask_polygon,
    "resample_spatial": _resample_spatial,
    "save_result": _save_result,
}
"""Process -> what its (bound) arguments say"""
