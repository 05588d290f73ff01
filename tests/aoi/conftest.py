"""Small files, made as each test needs them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from cutline.aoi.ogr import pyogrio

SQUARE = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]


def polygon(*rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


@pytest.fixture
def geojson(tmp_path: Path) -> Callable[..., Path]:
    """Write a GeoJSON file of geometries (or any text), as a FeatureCollection of numbered features."""

    def write(*geometries: Any, name: str = "aoi.geojson", **members: Any) -> Path:
        features = [
            {"type": "Feature", "properties": {"number": number}, "geometry": geometry}
            for number, geometry in enumerate(geometries)
        ]
        path = tmp_path / name
        path.write_text(json.dumps({"type": "FeatureCollection", **members, "features": features}))
        return path

    return write


@pytest.fixture
def text(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def vector(tmp_path: Path) -> Callable[..., Path]:
    """Write geometries by OGR: a shapefile, GeoPackage, FlatGeobuf, … as the name's suffix and the driver say."""

    def write(
        name: str,
        *geometries: shapely.Geometry,
        crs: str | None = "EPSG:4326",
        layer: str | None = None,
        append: bool = False,
        **options: Any,
    ) -> Path:
        path = tmp_path / name
        pyogrio().raw.write(
            path,
            geometry=np.array(shapely.to_wkb(list(geometries)), dtype=object),
            field_data=[np.arange(len(geometries))],
            fields=["number"],
            geometry_type=options.pop("geometry_type", geometries[0].geom_type),
            crs=crs,
            layer=layer,
            append=append,
            **options,
        )
        return path

    return write


@pytest.fixture
def zipped(tmp_path: Path) -> Callable[..., Path]:
    """Zip members, given as name -> bytes, text or path."""

    def write(members: dict[str, bytes | str | Path], name: str = "aoi.zip") -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, content.read_bytes() if isinstance(content, Path) else content)
        return path

    return write
