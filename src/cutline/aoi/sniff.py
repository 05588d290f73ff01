"""What a file is, by its content: names lie, and OGR believes content too (an OGR VRT may call itself .geojson)."""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cutline.aoi.limits import MEBIBYTE, megabytes, too_large
from cutline.aoi.model import Refusal, refusal

SUPPORTED = "GeoJSON, KML or KMZ, GeoPackage, FlatGeobuf, or a shapefile in a zip"


@dataclass(frozen=True)
class Kind:
    """A format that can be an AOI."""

    name: str
    suffix: str
    max_bytes: int
    """OGR may hold one feature three times, and a feature may be the file"""


SHAPEFILE = Kind("shapefile", ".shp", 100 * MEBIBYTE)
GEOJSON = Kind("GeoJSON", ".geojson", 100 * MEBIBYTE)
GEOPACKAGE = Kind("GeoPackage", ".gpkg", 100 * MEBIBYTE)
FLATGEOBUF = Kind("FlatGeobuf", ".fgb", 100 * MEBIBYTE)
KML = Kind("KML", ".kml", 40 * MEBIBYTE)
ZIP = Kind("zip", ".zip", 256 * MEBIBYTE)

KIND_OF_SUFFIX = {
    ".shp": SHAPEFILE,
    ".geojson": GEOJSON,
    ".json": GEOJSON,
    ".geojsonl": GEOJSON,
    ".geojsons": GEOJSON,
    ".ndjson": GEOJSON,
    ".kml": KML,
    ".gpkg": GEOPACKAGE,
    ".fgb": FLATGEOBUF,
}
"""Which members of a zip to look at; what they are is decided by their content all the same"""

KIND_OF_MAGIC = (
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"SQLite format 3\x00", GEOPACKAGE),
    (b"fgb\x03fgb", FLATGEOBUF),
    (b"\x00\x00\x27\x0a", SHAPEFILE),
    (b"{", GEOJSON),
    (b"\x1e", GEOJSON),  # RS begins each record of a text sequence (RFC 8142)
    (b"<", KML),
)

OTHERS = (
    (b"PAR1", "GeoParquet"),
    (b"ARROW1", "Arrow"),
    (b"PMTiles", "PMTiles"),
    (b"II*\x00", "an image (TIFF)"),
    (b"II+\x00", "an image (TIFF)"),
    (b"MM\x00*", "an image (TIFF)"),
    (b"\x89PNG", "an image (PNG)"),
    (b"\xff\xd8\xff", "an image (JPEG)"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\xff\xfe", "UTF-16 text (save it as UTF-8)"),
    (b"\xfe\xff", "UTF-16 text (save it as UTF-8)"),
)

XML_ROOTS = {
    "gpx": "GPX: tracks and waypoints are not areas",
    "FeatureCollection": "GML",
    "osm": "OpenStreetMap XML",
    "OGRVRTDataSource": "an OGR VRT, which points to other files",
    "VRTDataset": "a GDAL VRT, which points to other files",
}

JSON_TYPES = {
    b"gdal_streamed_alg": "a GDAL pipeline, which points to other files",
    b"Topology": "TopoJSON",
}

GEOJSON_TYPE = re.compile(
    rb'"type"\s*:\s*"(?:FeatureCollection|Feature|GeometryCollection|(?:Multi)?(?:Polygon|LineString|Point))"',
)
JSON_TYPE = re.compile(rb'"type"\s*:\s*"([^"]{1,40})"')
CRS_MEMBER = re.compile(rb"""["']crs["']\s*:""", re.IGNORECASE)
REMOTE_CRS = re.compile(rb"""["']type["']\s*:\s*["'](?:link|url)["']""", re.IGNORECASE)
ESCAPED_LETTER = re.compile(rb"\\u00(?:[46][1-9a-f]|[57][0-9a])", re.IGNORECASE)
XML_PROLOG = re.compile(rb"(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
XML_ROOT = re.compile(rb"<(?:[\w.-]+:)?([\w.-]+)")


PARSED_BYTES = {
    GEOJSON: {b"{": 800, b"[": 300, b",": 80, b":": 200},
    KML: {b"<": 300, b"=": 150, b",": 120},
}
"""What OGR allocates for each such character, measured: it keeps a tree of the text, or of the unknown parts of it"""

MAX_PARSED_BYTES = 350 * MEBIBYTE
"""Enough for 750,000 vertices, or 80,000 features"""


def sniff(path: Path) -> Kind:
    """The kind of an existing file; a Refusal if it is none of ours, too big, or made to reach beyond itself."""
    size = path.stat().st_size
    if size == 0:
        raise refusal("empty-file", "the file is empty")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        kind = _kind(content)
        if size > kind.max_bytes:
            raise too_large(
                f"the {kind.name} file has {megabytes(size)}, more than the {megabytes(kind.max_bytes)} allowed",
            )
        if kind in PARSED_BYTES:
            _check_parsed_bytes(content, kind)
        if kind in CHECKS:
            CHECKS[kind](content)
    return kind


def unsupported(what: str) -> Refusal:
    return refusal("unsupported-format", f"the file is {what}; an area of interest is read from {SUPPORTED}")


def _kind(content: mmap.mmap) -> Kind:
    head = content[:64].removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    for magic, kind in KIND_OF_MAGIC:
        if head.startswith(magic):
            return kind
    raise unsupported(next((name for magic, name in OTHERS if head.startswith(magic)), "of no format known here"))


def _check_parsed_bytes(content: mmap.mmap, kind: Kind) -> None:
    histogram = np.zeros(256, dtype=np.int64)
    for start in range(0, len(content), MEBIBYTE):
        histogram += np.bincount(np.frombuffer(content[start : start + MEBIBYTE], dtype=np.uint8), minlength=256)
    needed = sum(int(histogram[ord(character)]) * cost for character, cost in PARSED_BYTES[kind].items())
    if needed > MAX_PARSED_BYTES:
        raise too_large(
            f"reading this {kind.name} would take {megabytes(needed)} of memory, over {megabytes(MAX_PARSED_BYTES)}; "
            "save it as GeoPackage or FlatGeobuf",
        )


def _check_json(content: mmap.mmap) -> None:
    # OGR fetches a CRS of type "link" or "url" from wherever it points to. No writer escapes plain letters, so an
    # escape there only hides such a word from the search.
    if CRS_MEMBER.search(content) and REMOTE_CRS.search(content):
        raise refusal("remote-reference", "the GeoJSON names its CRS by a link, which is not followed; name it by code")
    if ESCAPED_LETTER.search(content):
        raise refusal("obfuscated", "the GeoJSON writes plain letters as \\u escapes; save it without them")
    if not GEOJSON_TYPE.search(content):
        found = JSON_TYPE.search(content)
        raise unsupported(JSON_TYPES.get(found[1] if found else b"", "JSON, but not GeoJSON"))


def _check_xml(content: mmap.mmap) -> None:
    start = XML_PROLOG.match(content, 3 if content[:3] == b"\xef\xbb\xbf" else 0)
    position = start.end() if start else 0
    if content[position : position + 2] == b"<!":
        raise refusal("xml-declarations", "the KML declares XML entities or a document type; save it without them")
    found = XML_ROOT.match(content, position)
    root = found[1].decode() if found else ""
    if root != "kml":
        raise unsupported(XML_ROOTS.get(root, "XML, but not KML"))


def _check_shapefile(content: mmap.mmap) -> None:
    # The header counts 16-bit words. OGR reads what is there and gives null geometries for the rest, silently.
    declared = 2 * int.from_bytes(content[24:28], "big")
    if declared > len(content):
        raise refusal(
            "truncated",
            f"the .shp file ends at byte {len(content):,} of the {declared:,} its header declares; copy it again",
        )


CHECKS = {GEOJSON: _check_json, KML: _check_xml, SHAPEFILE: _check_shapefile}
