"""The file reader: the only module that imports pyogrio, and it leaves OGR no driver but those of our formats."""

from __future__ import annotations

import os
import re
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutline.aoi.limits import MAX_FEATURES, MAX_VERTICES, check
from cutline.aoi.model import Refusal, refusal
from cutline.aoi.sniff import GEOPACKAGE, Kind
from cutline.aoi.stage import Staged
from cutline.errors import InternalError

ALLOWED_DRIVERS = frozenset(
    {"ESRI Shapefile", "GeoJSON", "GeoJSONSeq", "GPKG", "FlatGeobuf", "LIBKML", "KML", "MEM", "Memory"},
)

SKIPPED_DRIVERS = (
    "PCIDSK", "PDS4", "VICAR", "PDF", "MBTiles", "EEDA", "OGCAPI", "GDALG", "MapInfo File", "LVBAG", "S57", "DGN",
    "OGR_VRT", "CSV", "GML", "GPX", "ESRIJSON", "TopoJSON", "OGR_GMT", "SQLite", "WAsP", "OpenFileGDB", "DXF", "GeoRSS",
    "VFK", "PGDUMP", "OSM", "GPSBabel", "OGR_PDS", "WFS", "OAPIF", "EDIGEO", "Idrisi", "ODS", "XLSX", "Elasticsearch",
    "Carto", "AmigoCloud", "SXF", "Selafin", "JML", "PLSCENES", "CSW", "VDV", "MVT", "NGW", "MapML", "GTFS", "PMTiles",
    "JSONFG", "MiraMonVector", "ADBC", "AVCBin", "AVCE00", "AIVector", "HTTP",
)  # fmt: skip
"""The other vector drivers of pyogrio's wheels. One that a later wheel adds makes the import fail, not slip through."""

CONFIG = {
    # Some drivers fetch what a file names (a GeoJSON its CRS). Nothing listens at the discard port of this machine.
    "GDAL_HTTP_PROXY": "127.0.0.1:9",
    "GDAL_HTTPS_PROXY": "127.0.0.1:9",
    "GDAL_HTTP_TIMEOUT": "1",
    "GDAL_HTTP_CONNECTTIMEOUT": "1",
    "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",
    "SHAPE_RESTORE_SHX": "YES",
    "OGR_SQLITE_ALLOW_EXTERNAL_ACCESS": "NO",
    "OGR_GEOJSON_MAX_OBJ_SIZE": "100",
    "LIBKML_RESOLVE_STYLE": "NO",
}

COMPLAINTS = (
    (re.compile(r"nesting too deep|nested too deep", re.I), "too-deep", "its objects are nested too deep"),
    (re.compile(r"too complex/large", re.I), "too-large", "one of its features is too large; save it as GeoPackage"),
    (re.compile(r"JSON parsing error", re.I), "broken-file", "it is not valid JSON; it may have been cut off"),
    (re.compile(r"parsing kml", re.I), "broken-file", "it is not well-formed XML; it may have been cut off"),
)
"""What OGR says -> code and words of ours"""


BYTES_PER_VERTEX = 16
MAX_TABLES = 1000
COMPUTED_TABLES = "SELECT lower(name), type = 'view' OR sql LIKE 'CREATE VIRTUAL%' FROM sqlite_master"

WHERE_TEXT = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
WHERE_FORBIDDEN = re.compile(r"\b(?:select|with|attach|pragma)\b|;|--|/\*", re.I)
"""A filter on attributes needs none of these outside quotes; a GeoPackage would hand them to SQLite"""


@dataclass(frozen=True)
class Layer:
    """One layer as it is in the file."""

    name: str
    driver: str
    crs: str | None
    """As the file states it: an authority code or WKT; None where it states none"""
    wkb: NDArray[np.object_]
    """(features,) bytes of a linear 2-D geometry each, or None"""


@cache
def pyogrio() -> Any:
    """The pyogrio package, imported with OGR's drivers restricted.

    InternalError where another driver is registered, so also where somebody imported pyogrio before us: OGR looks at
    the environment only once.
    """
    before = os.environ.get("OGR_SKIP")
    os.environ["OGR_SKIP"] = ",".join(SKIPPED_DRIVERS)
    try:
        import pyogrio as package  # noqa: PLC0415 (must not be imported before the line above)
        import pyogrio.raw  # noqa: PLC0415
    finally:
        # rasterio has a GDAL of its own that reads the same variable, and needs what is skipped here.
        if before is None:
            del os.environ["OGR_SKIP"]
        else:
            os.environ["OGR_SKIP"] = before
    if others := set(package.list_drivers()) - ALLOWED_DRIVERS:
        raise InternalError(f"OGR has drivers that an untrusted file must not reach: {', '.join(sorted(others))}")
    package.set_gdal_config_options(CONFIG)
    return package


def list_layers(staged: Staged) -> tuple[str, ...]:
    """The layers that hold geometry, in the file's order."""
    if staged.kind is GEOPACKAGE:
        _check_geopackage(staged.path)
    with _complaints(staged.kind):
        layers = pyogrio().list_layers(staged.path)
    return tuple(str(name) for name, geometry_type in layers if geometry_type is not None)


def read_layer(staged: Staged, layer: str, where: str | None) -> Layer:
    """Every feature of a layer that passes the filter, as linear 2-D WKB."""
    with _complaints(staged.kind):
        info = pyogrio().read_info(staged.path, layer=layer)
        check(MAX_FEATURES, info["features"], "features")
    if where and WHERE_FORBIDDEN.search(WHERE_TEXT.sub("''", where)):
        raise refusal("bad-where", f"the filter {where!r} is more than a condition on attributes")
    with _complaints(staged.kind, where), warnings.catch_warnings(action="ignore"):  # of what we check ourselves
        meta, _, wkb, _ = pyogrio().raw.read(
            staged.path,
            layer=layer,
            where=where,
            columns=None if where else [],
            force_2d=True,
        )
    check(MAX_VERTICES, sum(map(len, filter(None, wkb))) // BYTES_PER_VERTEX, "vertices")
    return Layer(layer, info["driver"], meta["crs"], wkb)


@contextmanager
def _complaints(kind: Kind, where: str | None = None) -> Iterator[None]:
    """Turn whatever OGR raises into a Refusal. A layer that opened but fails with a filter fails because of it."""
    package = pyogrio()
    try:
        yield
    except package.errors.CRSError as error:
        raise refusal(
            "unreadable-crs",
            "the coordinate reference system of the file cannot be understood; name the right one with --aoi-crs",
        ) from error
    except UnicodeDecodeError as error:
        raise refusal("not-utf-8", "the file's text is not UTF-8; save it as UTF-8") from error
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        if where:
            raise refusal("bad-where", f"the filter {where!r} cannot be applied: {error}") from error
        raise _complaint(kind, str(error)) from error


def _complaint(kind: Kind, said: str) -> Refusal:
    for pattern, code, words in COMPLAINTS:
        if pattern.search(said):
            return refusal(code, f"the {kind.name} cannot be read: {words}")
    return refusal(
        "broken-file", f"the file looks like {kind.name} but cannot be read; it may be damaged or incomplete"
    )


def _check_geopackage(path: Path) -> None:
    """Refuse a database whose layers are computed (views can run forever) or that is no GeoPackage."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            kinds = dict(database.execute(COMPUTED_TABLES))
            if "gpkg_contents" not in kinds:
                raise refusal("unsupported-format", "the file is an SQLite database, but not a GeoPackage")
            tables = [str(name) for (name,) in database.execute("SELECT lower(table_name) FROM gpkg_contents")]
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise refusal("broken-file", f"the GeoPackage cannot be read: {error}") from error
    check(MAX_TABLES, len(tables), "tables")
    if computed := [name for name in tables if kinds.get(name)]:
        raise refusal("computed-layer", f"layer {computed[0]!r} of the GeoPackage is a view; save it as a table")
