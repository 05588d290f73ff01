"""Bodies that Swagger shows."""

from __future__ import annotations

from aws_lambda_powertools.event_handler.openapi.models import Example

AREA = {
    "type": "Polygon",
    "coordinates": [[[13.20, 52.40], [13.30, 52.40], [13.30, 52.46], [13.20, 52.46], [13.20, 52.40]]],
}

BODIES = {
    "search": Example(
        summary="NDVI of what a STAC search finds",
        value={
            "name": "ndvi-june",
            "source": {
                "stac": {
                    "url": "https://earth-search.aws.element84.com/v1",
                    "collections": ["sentinel-2-l2a"],
                    "datetime": "2024-06-01/2024-06-30",
                    "filter": {"op": "<", "args": [{"property": "eo:cloud_cover"}, 10]},
                    "limit": 20,
                },
                "mask": {"asset": "scl", "values": [3, 8, 9, 10]},
            },
            "aoi": AREA,
            "process": "ndvi",
            "mosaic": "least-cloud",
            "output": {"crs": "EPSG:3857", "resolution": 10},
        },
    ),
    "files": Example(
        summary="Three bands of single files",
        value={
            "source": {
                "scenes": [
                    {"red": "s3://scenes/B04.tif", "green": "s3://scenes/B03.tif", "blue": "s3://scenes/B02.tif"}
                ]
            },
            "bands": ["red", "green", "blue"],
            "aoi": AREA,
        },
    ),
}
