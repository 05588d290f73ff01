"""How pixels are encoded: one row a profile, with GDAL's creation options and the reason for each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cutline.errors import InvalidRequest
from cutline.grid import BLOCK
from cutline.kernel import Predictor
from cutline.models.plan import CogSpec
from cutline.models.request import ProfileName

INTEGERS = frozenset({"uint8", "int8", "uint16", "int16", "uint32", "int32"})
FLOATS = frozenset({"float32", "float64"})

PLANAR_ABOVE_BANDS = 8
"""With more bands a reader wants one of them, and a pixel-interleaved block of all would be megabytes"""


@dataclass(frozen=True)
class Level:
    """How hard a codec works, or its quality: from 1, the fastest or worst, to ``highest``."""

    option: str
    """GDAL's name of it"""
    highest: int
    default: int


@dataclass(frozen=True)
class Profile:
    """A row of the table."""

    summary: str
    compress: str
    level: Level | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    predictor: bool = False
    """Store differences of neighbours (integers) or bytes by significance (floats): smaller, at no cost in speed"""
    lossy: bool = False
    """Needs a mask (nodata would fray into a collar), and tiles of up to 8192 (its segments are small)"""
    dtypes: frozenset[str] = INTEGERS | FLOATS
    band_counts: frozenset[int] | None = None
    """None: any"""
    expansion: float = 1.0
    """The most that encoded bytes can exceed the raw ones, as a factor"""
    compression: int = 20
    """How many times smaller they are at best, apart from parts that are one value"""


PROFILES: dict[ProfileName, Profile] = {
    "deflate": Profile(
        "lossless, read by everything; level 1 is 1 % larger than level 6 and 60 % faster",
        "DEFLATE",
        Level("ZLEVEL", 12, default=1),
        predictor=True,
        expansion=1.001,  # libdeflate: at worst 5 bytes for 5,000
    ),
    "zstd": Profile(
        "lossless, the fastest; needs a reader with libzstd (GDAL >= 2.3, QGIS)",
        "ZSTD",
        Level("ZSTD_LEVEL", 22, default=1),
        predictor=True,
        expansion=1.005,  # ZSTD_COMPRESSBOUND
    ),
    "lerc": Profile(
        "floats within 0.001 of their value, integers exact: small elevation models",
        "LERC_ZSTD",
        Level("ZSTD_LEVEL", 22, default=1),
        {"MAX_Z_ERROR": "0.001"},
        expansion=1.01,
    ),
    "jpeg": Profile(
        "visual: 8-bit grey or RGB at quality 85, with a mask",
        "JPEG",
        Level("JPEG_QUALITY", 100, default=85),
        lossy=True,
        dtypes=frozenset({"uint8"}),
        band_counts=frozenset({1, 3}),
        compression=100,
        expansion=1.5,  # at quality 100, noise of black and white pixels makes 1.16
    ),
    "webp": Profile(
        "visual: 8-bit RGB at quality 80, smaller and slower than jpeg, with a mask",
        "WEBP",
        Level("WEBP_LEVEL", 100, default=80),
        lossy=True,
        dtypes=frozenset({"uint8"}),
        band_counts=frozenset({3}),
        compression=100,
        expansion=1.5,  # at quality 100, the same noise makes 0.43
    ),
    "none": Profile("no compression", "NONE", compression=1),
}


def check_profile(
    name: ProfileName, dtype: str, bands: int, nodata: float | None = None, level: int | None = None
) -> None:
    """Raise InvalidRequest where a profile cannot hold such pixels or has no such level, naming what would do.

    ``nodata``, ``level``: what the user wants; None leaves the choice to us.
    """
    profile = PROFILES[name]
    _check_level(name, level)
    if nodata is not None and profile.lossy:
        raise InvalidRequest(
            f"profile {name} changes values a little, so nodata would fray; it brings a mask instead",
            pointer="/output/nodata",
        )
    if nodata is not None and not math.isnan(nodata) and name == "lerc" and dtype in FLOATS:
        raise InvalidRequest(
            "profile lerc changes floats a little, so nodata would fray, unless it is NaN; leave --nodata out, or "
            "choose --profile zstd",
            pointer="/output/nodata",
        )
    if dtype not in profile.dtypes:
        raise InvalidRequest(
            f"profile {name} holds {' or '.join(sorted(profile.dtypes))}, not {dtype}; "
            "choose --profile deflate, or --dtype uint8 with a --stretch",
            pointer="/output/profile",
        )
    if profile.band_counts is not None and bands not in profile.band_counts:
        counts = " or ".join(map(str, sorted(profile.band_counts)))
        raise InvalidRequest(
            f"profile {name} holds {counts} bands, not {bands}; choose --bands, or --profile deflate",
            pointer="/output/profile",
        )


def _check_level(name: ProfileName, level: int | None) -> None:
    known = PROFILES[name].level
    if level is None or (known is not None and 1 <= level <= known.highest):
        return
    right = "leave --level out" if known is None else f"choose 1 to {known.highest}"
    raise InvalidRequest(f"profile {name} has no level {level}; {right}", pointer="/output/level")


def creation_options(spec: CogSpec) -> dict[str, object]:
    """What rasterio.open(…, "w") needs for blocks of this kind, but for the size and the place."""
    profile = PROFILES[spec.profile]
    options: dict[str, object] = {
        "driver": "GTiff",
        "dtype": spec.dtype,
        "count": len(spec.bands),
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": profile.compress,
        "interleave": "band" if spec.planar else "pixel",
        "photometric": _photometric(spec, profile),
        "SPARSE_OK": "TRUE",
        **profile.options,
    }
    if profile.level is not None:
        options[profile.level.option] = str(level_of(spec))
    if profile.predictor:
        options["predictor"] = predictor_of(spec)
    if spec.profile == "lerc" and spec.dtype in INTEGERS:
        options["MAX_Z_ERROR"] = "0"
    if spec.nodata is not None:
        options["nodata"] = spec.nodata
    if len(spec.bands) > 1:
        options["ALPHA"] = "NO"  # a fourth band is near infrared here, never transparency
    return options


def level_of(spec: CogSpec) -> int:
    """How hard the codec works; 0 where there is nothing to choose."""
    level = PROFILES[spec.profile].level
    return 0 if level is None else spec.level or level.default


def predictor_of(spec: CogSpec) -> Predictor:
    """TIFF's number of what is done to pixels before they are compressed."""
    if not PROFILES[spec.profile].predictor:
        return 1
    return 3 if spec.dtype in FLOATS else 2


def empty_value(spec: CogSpec) -> Any:
    """What is stored where there is no data: a numpy scalar of the spec's dtype."""
    return np.dtype(spec.dtype).type(0 if spec.nodata is None else spec.nodata)


def _photometric(spec: CogSpec, profile: Profile) -> str:
    if spec.bands[:3] != ("red", "green", "blue") or spec.dtype not in {"uint8", "uint16"}:
        return "MINISBLACK"
    return "YCBCR" if profile.compress == "JPEG" else "RGB"


def raw_bytes(spec: CogSpec, pixels: int) -> int:
    """Bytes of so many pixels, decoded, without the mask."""
    return pixels * len(spec.bands) * np.dtype(spec.dtype).itemsize


def bytes_bound(spec: CogSpec, level_blocks: int) -> int:
    """The most that so many blocks (of all levels) can take, encoded, with their masks and index entries."""
    block = math.ceil(raw_bytes(spec, BLOCK * BLOCK) * PROFILES[spec.profile].expansion)
    planes = len(spec.bands) if spec.planar else 1
    mask = BLOCK * BLOCK // 8 + 64 if spec.masked else 0
    index = 12 * (planes + spec.masked)
    return level_blocks * (block + 64 * planes + mask + index)
