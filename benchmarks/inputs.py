"""What is exported: two big scenes in neighbouring UTM zones and an area across both, made once and kept."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from pyproj import Transformer

from demo.scenes import make_scenes

OUT = Path(__file__).parent / "out"

FULL_SIZE = 10980
"""Pixels of a Sentinel-2 tile's side"""

TARGET = (8192, 12288)
"""(rows, cols) of the export from scenes of full size"""

CRS = "EPSG:3857"
RESOLUTION = 10.0

PADDING = 128
"""cutline and odc-geo round an image up until its overviews halve evenly: all are given a shape that needs none"""

CENTRE = (12.0, 48.45)


@dataclass(frozen=True)
class Inputs:
    """One case, as plain data: each engine reads it from a file in its own process."""

    name: str
    scenes: list[str]
    """The first is on top"""
    bands: list[str]
    dtype: str
    items: list[dict[str, Any]]
    """STAC items of the scenes, for odc-stac"""
    aoi: str
    bounds: tuple[float, float, float, float]
    """Of the export, in ``CRS``: (left, bottom, right, top)"""
    shape: tuple[int, int]

    @classmethod
    def load(cls, path: Path) -> Inputs:
        return cls(**json.loads(path.read_text()))


def inputs(size: int) -> list[Path]:
    """The cases for scenes of ``size`` pixels, each as the path of an ``Inputs`` file."""
    folder = OUT / str(size)
    wanted = [folder / "uint8x3.json", folder / "uint16x4.json"]
    if not all(path.exists() for path in wanted):
        reflectance = list(make_scenes(folder, size=size, resolution=RESOLUTION).scenes)
        pictures = [_picture(scene) for scene in reflectance]
        _write(wanted[0], size, pictures, ["red", "green", "blue"], "uint8")
        _write(wanted[1], size, reflectance, ["blue", "green", "red", "nir"], "uint16")
    return wanted


def _write(path: Path, size: int, scenes: list[Path], bands: list[str], dtype: str) -> None:
    rows, cols = (PADDING * round(side * size / FULL_SIZE / PADDING) for side in TARGET)
    x, y = (round(value / RESOLUTION) * RESOLUTION for value in _mercator().transform(*CENTRE))
    left, top = x - cols // 2 * RESOLUTION, y + rows // 2 * RESOLUTION
    bounds = (left, top - rows * RESOLUTION, left + cols * RESOLUTION, top)
    case = Inputs(
        name=f"{dtype} × {len(bands)}",
        scenes=[str(scene) for scene in scenes],
        bands=bands,
        dtype=dtype,
        items=[_item(scene, bands, dtype) for scene in scenes],
        aoi=str(_aoi(path.with_suffix(".geojson"), bounds)),
        bounds=bounds,
        shape=(rows, cols),
    )
    path.write_text(json.dumps(asdict(case), indent=1))


def _mercator() -> Transformer:
    return Transformer.from_crs("EPSG:4326", CRS, always_xy=True)


def _aoi(path: Path, bounds: tuple[float, float, float, float]) -> Path:
    """A polygon that touches all four sides of the export, a third of a pixel inside, so that all engines agree."""
    left, bottom, right, top = bounds
    inset = RESOLUTION / 3
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
    with rasterio.open(scene) as source:
        profile = {"width": source.width, "height": source.height, "crs": source.crs, "transform": source.transform}
        profile |= {"driver": "GTiff", "count": 3, "dtype": "uint8", "nodata": 0, "tiled": True, "interleave": "pixel"}
        profile |= {"blockxsize": 512, "blockysize": 512, "compress": "deflate", "predictor": 2, "zlevel": 1}
        with rasterio.open(path, "w", photometric="RGB", **profile) as target:
            for _, window in target.block_windows(1):
                values = source.read([3, 2, 1], window=window)
                target.write(np.where(values == 0, 0, np.clip(values // 10, 1, 255)).astype(np.uint8), window=window)
            target.build_overviews([2, 4, 8, 16], rasterio.enums.Resampling.average)
    return path


def _item(scene: Path, bands: list[str], dtype: str) -> dict[str, Any]:
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
