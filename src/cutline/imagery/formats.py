"""Which file is opened by which GDAL driver, and by no other.

GDAL left to itself asks every driver it has, and some of those fetch addresses or run pipelines that stand in the file.
So the first bytes choose one driver here, and GDAL is only ever given that one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from cutline.errors import InvalidScene

SNIFFED_BYTES = 64
"""How much of a file's start tells its format"""


@dataclass(frozen=True)
class Format:
    """A raster format we read."""

    driver: str
    """GDAL's short name"""
    magics: tuple[bytes, ...]
    """The ways its files begin; () where the bytes are bare pixels"""
    suffixes: frozenset[str]


GEOTIFF = Format(
    "GTiff", (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"), frozenset({".tif", ".tiff", ".gtiff", ".cog"})
)
JPEG2000 = Format(
    "JP2OpenJPEG",
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    frozenset({".jp2", ".j2k", ".j2c", ".jpx", ".jpf"}),
)
ENVI = Format("ENVI", (), frozenset({".img", ".dat", ".bil", ".bip", ".bsq", ".envi"}))
FORMATS = (GEOTIFF, JPEG2000, ENVI)

REFUSED = (
    # (how it begins, what it is)
    (b"<", "XML (a GDAL VRT or a web page)"),
    (b"{", "JSON"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"RIFF", "a WebP picture"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89HDF\r\n\x1a\n", "HDF5 or NetCDF"),
    (b"\x0e\x03\x13\x01", "HDF4"),
    (b"CDF", "NetCDF"),
    (b"GRIB", "GRIB"),
    (b"EHFA_HEADER_TAG", "ERDAS Imagine"),
    (b"NITF", "NITF"),
    (b"SQLite format 3", "a GeoPackage or SQLite database"),
    (b"ENVI", "an ENVI header; name the data file beside it"),
)

READABLE = "Cutline reads GeoTIFF (.tif), JPEG 2000 (.jp2) and local ENVI (.img, .dat, .bil with its .hdr)"


def recognise(path: str, start: bytes) -> Format:
    """The format of the file named ``path`` that begins with ``start``. Raises InvalidScene by name."""
    for known in FORMATS:
        if start.startswith(known.magics):
            return known
    # Bare pixels may begin with any bytes, so a raw file is known by its name alone.
    if has_suffix(path, ENVI):
        for magic, what in REFUSED:
            if len(magic) >= 4 and start.startswith(magic):
                raise InvalidScene(f"it is {what}. {READABLE}")
        return ENVI
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, what in REFUSED:
        if text.startswith(magic):
            raise InvalidScene(f"it is {what}. {READABLE}")
    if not start:
        raise InvalidScene("it is empty")
    raise InvalidScene(f"its format is not known. {READABLE}")


def has_suffix(path: str, *formats: Format) -> bool:
    """Whether ``path`` (no query) ends as files of ``formats`` do."""
    return any(PurePosixPath(path).suffix.lower() in known.suffixes for known in formats)
