"""Scenes and plans made of headers alone: no file is written or read."""

from __future__ import annotations

from typing import Any

import shapely
from affine import Affine

from cutline.aoi.project import to_crs
from cutline.imagery.footprint import footprint
from cutline.models.base import GeoJSON
from cutline.models.plan import ExportPlan
from cutline.models.scene import Asset, Band, Scene
from cutline.plan import make_plan
from tests.support.scenes import RGBN, UTM33, make_request

SCENE_FIELDS = frozenset(Scene.model_fields)


def header_asset(
    crs: str = "EPSG:32633", transform: Affine = UTM33, shape: tuple[int, int] = (1000, 1000), **more: Any
) -> Asset:
    fields = {"href": "/scenes/a.tif", "driver": "GTiff", "count": 4, "dtype": "uint16", "validity": "all"}
    return Asset(crs=crs, transform=tuple(transform)[:6], shape=shape, **{**fields, "identity": "1", **more})


def header_scene(name: str = "a", *, bands: tuple[str | Band, ...] = RGBN, **fields: Any) -> Scene:
    """A scene in one file. Fields of Scene and of all its bands (scale, …) by keyword; the others are the asset's."""
    of_bands = {key: fields.pop(key) for key in ("scale", "offset", "stretch") if key in fields}
    of_scene = {key: fields.pop(key) for key in list(fields) if key in SCENE_FIELDS}
    asset = header_asset(**{"href": f"/scenes/{name}.tif", "count": len(bands), **fields})
    made = tuple(
        Band(name=band, asset="image", index=at, dtype=asset.dtype, **of_bands) if isinstance(band, str) else band
        for at, band in enumerate(bands, 1)
    )
    known = {"id": name, "assets": {"image": asset}, "bands": made, "footprint": footprint([asset])}
    return Scene(**{**known, **of_scene})


def plan_of(*scenes: Scene, edge: int | None = None, **request: Any) -> ExportPlan:
    """The plan of a request with these fields, over these scenes (by default one)."""
    return make_plan(make_request("unused", **request), scenes or (header_scene(),), edge=edge)


def area_of(*bounds: float, crs: str = "EPSG:32633") -> GeoJSON:
    """A rectangle (left, bottom, right, top) of ``crs`` as an AOI."""
    lonlat = to_crs(shapely.box(*bounds), crs, "EPSG:4326", 1e-7)
    geometry: GeoJSON = shapely.geometry.mapping(shapely.MultiPolygon([lonlat]))
    return geometry
