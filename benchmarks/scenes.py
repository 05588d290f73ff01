"""What is exported: two big scenes in neighbouring UTM zones and areas across both, made once and kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from pyproj import Transformer

from demo.scenes import OVERPASSES, make_scenes

OUT = Path(__file__).parent / "out"

FULL_SIZE = 10980
"""Pixels of a Sentinel-2 tile's side"""

TARGET = (8192, 12288)
"""(rows, cols) of an export of all of it at ``RESOLUTION``, from scenes of full size"""

CRS = "EPSG:3857"
RESOLUTION = 10.0

PADDING = 128
"""cutline and odc-geo round an image up until its overviews halve evenly: all are given a shape that needs none"""

CENTRE = (12.0, 48.45)

Bounds = tuple[float, float, float, float]
"""(left, bottom, right, top) in ``CRS``"""


@dataclass(frozen=True)
class Scenes:
    """The scenes of a size, as files. The first is on top."""

    size: int
    reflectance: tuple[Path, ...]
    """uint16: blue, green, red, nir"""
    pictures: tuple[Path, ...]
    """uint8: red, green, blue"""

    def area(self, resolution: float = RESOLUTION, share: float = 1.0) -> tuple[Bounds, tuple[int, int]]:
        """Bounds and (rows, cols) of an export of all of it, or of a share of it around its centre."""
        scale = RESOLUTION / resolution * self.size / FULL_SIZE * share**0.5
        rows, cols = (PADDING * max(round(side * scale / PADDING), 1) for side in TARGET)
        x, y = (round(value / resolution) * resolution for value in _mercator().transform(*CENTRE))
        left, top = x - cols // 2 * resolution, y + rows // 2 * resolution
        return (left, top - rows * resolution, left + cols * resolution, top), (rows, cols)

    def warm(self) -> None:
        """Read them once, so that nobody pays for the disk."""
        for scene in self.reflectance + self.pictures:
            with scene.open("rb") as file:
                while file.read(1 << 24):
                    pass


def scenes(size: int) -> Scenes:
    """The scenes of ``size`` pixels a side. Made if they are not there, which takes minutes for large ones."""
    folder = OUT / str(size)
    items = [folder / f"{overpass.id}.json" for overpass in OVERPASSES]
    if not all(item.exists() for item in items):  # which are written last
        print(f"Making scenes of {size:,}² …", flush=True)
        make_scenes(folder, size=size, resolution=RESOLUTION)
    reflectance = tuple(item.with_suffix(".tif") for item in items)
    return Scenes(size, reflectance, tuple(_picture(scene) for scene in reflectance))


def _mercator() -> Transformer:
    return Transformer.from_crs("EPSG:4326", CRS, always_xy=True)


def write_area(path: Path, bounds: Bounds, resolution: float) -> Path:
    """A polygon that touches all four sides of ``bounds``, a third of a pixel inside, so that all engines agree."""
    left, bottom, right, top = bounds
    inset = resolution / 3
    shares = [(0.0, 0.4), (0.2, 0.0), (0.55, 0.12), (0.85, 0.0), (1.0, 0.5), (0.9, 1.0), (0.5, 0.8), (0.15, 1.0)]
    width, height = right - left - 2 * inset, top - bottom - 2 * inset
    corners = [(left + inset + across * width, top - inset - down * height) for across, down in shares]
    ring = [_mercator().transform(*corner, direction="INVERSE") for corner in [*corners, corners[0]]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


def _picture(scene: Path) -> Path:
    """The scene as an 8-bit picture: red, green and blue."""
    path = scene.with_name(f"{scene.stem}-rgb8.tif")
    if path.exists():
        return path
    unfinished = path.with_suffix(".part")
    with rasterio.open(scene) as source:
        profile = {"width": source.width, "height": source.height, "crs": source.crs, "transform": source.transform}
        profile |= {"driver": "GTiff", "count": 3, "dtype": "uint8", "nodata": 0, "tiled": True, "interleave": "pixel"}
        profile |= {"blockxsize": 512, "blockysize": 512, "compress": "deflate", "predictor": 2, "zlevel": 1}
        with rasterio.open(unfinished, "w", photometric="RGB", **profile) as target:
            for _, window in target.block_windows(1):
                values = source.read([3, 2, 1], window=window)
                target.write(np.where(values == 0, 0, np.clip(values // 10, 1, 255)).astype(np.uint8), window=window)
            target.build_overviews([2, 4, 8, 16], rasterio.enums.Resampling.average)
    return unfinished.rename(path)


def stac_item(scene: Path, bands: tuple[str, ...], dtype: str) -> dict[str, Any]:
    """The least that odc-stac needs. One datetime for both, so that it sees one time step."""
    with rasterio.open(scene) as source:
        lons, lats = Transformer.from_crs(source.crs, "EPSG:4326", always_xy=True).transform(
            [source.bounds.left, source.bounds.right, source.bounds.right, source.bounds.left, source.bounds.left],
            [source.bounds.bottom, source.bounds.bottom, source.bounds.top, source.bounds.top, source.bounds.bottom],
        )
        properties = {
            "datetime": "2025-06-20T10:00:00Z",
            "proj:code": source.crs.to_string(),
            "proj:shape": list(source.shape),
            "proj:transform": list(source.transform)[:6],
        }
    asset = {
        "href": str(scene),
        "type": "image/tiff; application=geotiff",
        "roles": ["data"],
        "data_type": dtype,
        "nodata": 0,
        "bands": [{"name": name} for name in bands],
    }
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": ["https://stac-extensions.github.io/projection/v2.0.0/schema.json"],
        "id": scene.stem,
        "bbox": [min(lons), min(lats), max(lons), max(lats)],
        "geometry": {"type": "Polygon", "coordinates": [list(zip(lons, lats, strict=True))]},
        "properties": properties,
        "links": [],
        "assets": {"data": asset},
    }
