"""An area of interest such as people have: an irregular outline with a hole, as a zipped shapefile."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import numpy as np
import shapely
from pyproj import Transformer

from cutline.aoi.ogr import pyogrio


def write_aoi(path: Path, crs: str, radius: float) -> Path:
    """A polygon of about ``radius`` metres around the origin of ``crs``, written in lon/lat."""
    to_lonlat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    polygon = shapely.transform(outline(radius), lambda xy: np.column_stack(to_lonlat.transform(*xy.T)))
    with tempfile.TemporaryDirectory() as scratch:
        pyogrio().raw.write(
            Path(scratch, f"{path.stem}.shp"),
            np.array([shapely.to_wkb(polygon)], dtype=object),
            [np.array(["Vilstal"], dtype=object), np.array([1], dtype=np.int32)],
            ["name", "id"],
            geometry_type="Polygon",
            crs="EPSG:4326",
            driver="ESRI Shapefile",
        )
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member in sorted(Path(scratch).iterdir()):
                archive.write(member, member.name)
    return path


def outline(radius: float) -> shapely.Polygon:
    """A district with capes and bays, twice as wide as tall, and an enclave that is not part of it."""
    angle = np.linspace(0, 2 * np.pi, 61)[:-1]
    reach = 1 + 0.16 * np.sin(3 * angle + 0.4) + 0.09 * np.sin(7 * angle + 2.0) + 0.05 * np.sin(13 * angle)
    district = np.column_stack([1.25 * radius * reach * np.cos(angle), 0.85 * radius * reach * np.sin(angle)])
    bend = 1 + 0.22 * np.sin(2 * angle[::3] + 1.0)
    enclave = np.column_stack([0.30 * bend * np.cos(angle[::3]), 0.20 * bend * np.sin(angle[::3])])
    return shapely.Polygon(district, [radius * (enclave + np.array([0.28, 0.10]))])
