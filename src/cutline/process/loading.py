"""Processes that place and store pixels rather than compute them. ``lower`` makes them fields of the request."""

from __future__ import annotations

from cutline.process.signature import Process

LOADERS: dict[str, Process] = {
    "load_collection": Process(
        "id=null spatial_extent=null temporal_extent=null bands=null properties=null", "The request's scenes"
    ),
    "load_stac": Process(
        "url spatial_extent=null temporal_extent=null bands=null properties=null", "The STAC item at a URL"
    ),
}

PLACING: dict[str, Process] = {
    "filter_bbox": Process("data extent", "Limits the export to a bounding box"),
    "filter_spatial": Process("data geometries", "Limits the export to polygons"),
    "filter_temporal": Process("data extent dimension=null", "Limits the scenes to a half-open interval of time"),
    "mask_polygon": Process("data mask replacement=null inside=false", "Limits the export to polygons"),
    "resample_spatial": Process(
        'data resolution=0 projection=null method="near" align="upper-left"', "Chooses the grid of the export"
    ),
    "save_result": Process("data format options={}", "Chooses how the export is stored"),
}
