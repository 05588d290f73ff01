"""The tiles of an export as GeoJSON: their places from the plan, their states from the table."""

from __future__ import annotations

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from cutline.aoi import dateline
from cutline.grid import Tiling
from cutline.models.api import TileCollection, TileFeature, TileProperties
from cutline.models.base import GeoJSON
from cutline.models.plan import ExportPlan, TilePlan
from cutline.models.record import ExportRecord, TileRecord
from cutline.models.task import ExportTask
from cutline.settings import service
from cutline.store.pages import stray_cursor
from cutline.store.plans import Plans
from cutline.store.records import Records

DECIMALS = 6
"""Of a degree: a decimetre, which is enough to draw"""


def tiles_of(record: ExportRecord, *, limit: int, cursor: str | None) -> TileCollection:
    """The tiles of the current attempt, in the plan's order; none before it is planned, or once its plan is gone.

    Raises InvalidRequest for a cursor that is none.
    """
    settings = service()
    start = _start(cursor)
    plan = Plans(settings.work_bucket).get(ExportTask(export_id=record.export_id, attempt=record.attempt))
    if plan is None:
        return TileCollection(features=(), number_matched=0)
    known = {(tile.row, tile.col): tile for tile in Records(settings.table).tiles(record.export_id, record.attempt)}
    shown = plan.tiles[start : start + limit]
    features = tuple(
        TileFeature(
            id=f"{tile.row}/{tile.col}",
            geometry=geometry,
            properties=_properties(tile, known.get((tile.row, tile.col))),
        )
        for tile, geometry in zip(shown, _squares(plan, shown), strict=True)
    )
    end = start + len(shown)
    return TileCollection(
        features=features,
        number_matched=len(plan.tiles),
        cursor=str(end) if end < len(plan.tiles) else None,
    )


def _start(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise stray_cursor()
    return int(cursor)


def _properties(tile: TilePlan, known: TileRecord | None) -> TileProperties:
    if known is None:
        return TileProperties(row=tile.row, col=tile.col, state="planned")
    return TileProperties(**known.model_dump(include={"row", "col", "state", "reused", "at", "error"}))


def _squares(plan: ExportPlan, tiles: tuple[TilePlan, ...]) -> list[GeoJSON]:
    """The outlines of tiles in longitude and latitude, cut where the antimeridian runs through them."""
    if not tiles:
        return []
    tiling, geobox = Tiling(plan.geobox.shape, plan.edge), plan.geobox
    left, top = geobox.transform @ (0, 0)
    across, down = geobox.resolution
    corners = np.empty((len(tiles), 5, 2))
    for index, tile in enumerate(tiles):
        rows, cols = tiling.tile_shape(tile.row, tile.col)
        west, north = left + tile.col * plan.edge * across, top - tile.row * plan.edge * down
        east, south = west + cols * across, north - rows * down
        corners[index] = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    to_lonlat = pyproj.Transformer.from_crs(geobox.crs, "OGC:CRS84", always_xy=True)
    lon, lat = to_lonlat.transform(corners[..., 0], corners[..., 1])
    return [_outline(np.column_stack(ring)) for ring in zip(lon, lat, strict=True)]


def _outline(ring: NDArray[np.float64]) -> GeoJSON:
    if np.ptp(ring[:, 0]) > dateline.HALF:
        ring[:, 0] %= dateline.TURN
        parts = dateline.areas([dateline.split(shapely.Polygon(ring))])
        polygons = [np.round(shapely.get_coordinates(part), DECIMALS).tolist() for part in parts]
        return {"type": "MultiPolygon", "coordinates": [[polygon] for polygon in polygons]}
    return {"type": "Polygon", "coordinates": [np.round(ring, DECIMALS).tolist()]}
