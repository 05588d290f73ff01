"""STAC items (1.1) for the sample scenes, as a data provider would write them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affine import Affine

EXTENSIONS = (
    "https://stac-extensions.github.io/eo/v2.0.0/schema.json",
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/raster/v2.0.0/schema.json",
)

BANDS = (("blue", 0.490), ("green", 0.560), ("red", 0.665), ("nir", 0.842))
"""Common names and centre wavelengths in micrometres, in the file's order"""

COG = "image/tiff; application=geotiff; profile=cloud-optimized"


@dataclass(frozen=True)
class SceneFacts:
    id: str
    datetime: str
    epsg: int
    transform: Affine
    size: int
    """Pixels of each side"""
    swath: list[tuple[float, float]]
    """Closed ring in lon/lat, counter-clockwise"""
    cloud_cover: float
    """Percent"""


def item(facts: SceneFacts, data: Path, scl: Path) -> dict[str, Any]:
    """The item, whose assets lie beside it."""
    ring = [[round(lon, 6), round(lat, 6)] for lon, lat in facts.swath]
    lons, lats = zip(*ring, strict=True)
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": list(EXTENSIONS),
        "id": facts.id,
        "bbox": [min(lons), min(lats), max(lons), max(lats)],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {
            "datetime": facts.datetime,
            "platform": "cutline-demo",
            "instruments": ["invented"],
            "gsd": facts.transform.a,
            "eo:cloud_cover": facts.cloud_cover,
            "proj:code": f"EPSG:{facts.epsg}",
            "proj:shape": [facts.size, facts.size],
            "proj:transform": list(facts.transform)[:6],
        },
        "links": [],
        "assets": {"data": _data(data), "scl": _scl(scl)},
    }


def _data(path: Path) -> dict[str, Any]:
    return {
        "href": f"./{path.name}",
        "type": COG,
        "title": "Surface reflectance",
        "roles": ["data", "reflectance"],
        "data_type": "uint16",
        "nodata": 0,
        "raster:scale": 0.0001,
        "raster:offset": 0,
        "bands": [
            {"name": name, "eo:common_name": name, "eo:center_wavelength": wavelength} for name, wavelength in BANDS
        ],
    }


def _scl(path: Path) -> dict[str, Any]:
    return {
        "href": f"./{path.name}",
        "type": COG,
        "title": "Scene classification: 3 shadow, 4 vegetation, 5 bare, 6 water, 8 thin cloud, 9 cloud",
        "roles": ["data", "cloud", "cloud-shadow"],
        "data_type": "uint8",
        "nodata": 0,
    }
