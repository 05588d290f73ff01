"""The STAC item beside a COG, and the few tags inside it: what it is, from what, and how it came about.

Inside the file stands only what does not depend on the place (scene ids, process, engine), so that the same plan gives
the same bytes anywhere; hrefs and times are in the item. Formats: STAC 1.1 (https://github.com/radiantearth/stac-spec)
with the extensions projection, raster, processing and file.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import antimeridian
import pyproj
import shapely
from shapely.geometry.base import BaseGeometry

from cutline.aoi.project import contiguous
from cutline.aoi.project import name as crs_title
from cutline.cog.checksum import crc64_text
from cutline.imagery.hrefs import shown
from cutline.models.plan import ExportPlan
from cutline.models.receipt import BandStatistics, CogReceipt, Percentiles
from cutline.models.scene import Scene
from cutline.placement import image_crs
from cutline.tags import process_of

_EXTENSIONS = {
    # prefix of fields: version
    "projection": "v2.0.0",
    "raster": "v2.0.0",
    "processing": "v1.2.0",
    "file": "v2.1.0",
    "eo": "v2.0.0",
}
_COMMON_NAMES = frozenset(
    {"coastal", "blue", "green", "green05", "yellow", "red", "pan", "rededge", "rededge071", "rededge075", "rededge078"}
    | {"nir", "nir08", "nir09", "cirrus", "swir16", "swir22", "lwir", "lwir11", "lwir12"}
)
"""What the eo extension calls bands"""
_MEDIA_TYPES = {"GTiff": "image/tiff; application=geotiff", "JP2OpenJPEG": "image/jp2"}


def describe_cog(plan: ExportPlan, receipt: CogReceipt, cog: Path) -> Path:
    """Write the STAC item of ``cog`` beside it, as NAME.json, and return its path."""
    item = cog_item(plan, receipt, cog.stem, cog.name)
    path = cog.with_suffix(".json")
    aside = path.with_name(f".{path.name}.part")
    aside.write_text(json.dumps(item, indent=2, allow_nan=False) + "\n")
    aside.replace(path)
    return path


def cog_item(plan: ExportPlan, receipt: CogReceipt, name: str, href: str) -> dict[str, Any]:
    """The item as a dict. ``href``: the COG, relative to the item or absolute."""
    footprint = _footprint(plan)
    bands = [
        _band(plan, index, known, limits)
        for index, (known, limits) in enumerate(zip(receipt.statistics, receipt.percentiles, strict=True))
    ]
    asset = {
        "href": f"./{href}" if "/" not in href else href,
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "title": ", ".join(plan.cog.bands[:8]),
        "roles": ["data"],
        "file:size": receipt.nbytes,
        **({"file:checksum": receipt.checksum} if receipt.checksum else {}),
        "cutline:crc64nvme": crc64_text(receipt.crc64),
        "bands": bands,
        **_projection(plan),
    }
    # Each extension's schema wants to see a field of its own.
    fields = {key.partition(":")[0] for band in bands for key in band} | {"projection", "processing", "file"}
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [
            f"https://stac-extensions.github.io/{name}/{version}/schema.json"
            for name, version in _EXTENSIONS.items()
            if name in fields
        ],
        "id": name,
        "geometry": shapely.geometry.mapping(footprint),
        "bbox": list(antimeridian.bbox(footprint)),
        "properties": {**_times(plan.scenes), **_processing(plan)},
        "links": [_derived_from(scene) for scene in plan.scenes],
        "assets": {"data": asset},
    }


def _footprint(plan: ExportPlan) -> BaseGeometry:
    """Where the data can be: the area, simplified to what an overview shows."""
    area = shapely.geometry.shape(plan.area)
    west, south, east, north = contiguous(area).bounds
    simple = shapely.simplify(area, max(east - west, north - south) / 2000, preserve_topology=True)
    return shapely.orient_polygons(simple if simple.is_valid and not simple.is_empty else area)


def _projection(plan: ExportPlan) -> dict[str, Any]:
    geobox = plan.geobox
    authority = image_crs(geobox.crs).to_authority()
    described: dict[str, Any] = {
        "proj:code": ":".join(authority) if authority else None,
        "proj:bbox": list(geobox.bounds),
        "proj:shape": list(geobox.shape),
        "proj:transform": [value + 0.0 for value in geobox.transform[:6]],
    }
    if not authority:
        described["proj:wkt2"] = image_crs(geobox.crs).to_wkt(pyproj.enums.WktVersion.WKT2_2019)
    return described


def _band(plan: ExportPlan, index: int, known: BandStatistics, limits: Percentiles | None) -> dict[str, Any]:
    name, spec = plan.cog.bands[index], plan.cog
    band: dict[str, Any] = {"name": name, "data_type": spec.dtype, "raster:sampling": "area"}
    if name in _COMMON_NAMES:
        band["eo:common_name"] = name
    if spec.nodata is not None:
        band["nodata"] = "nan" if math.isnan(spec.nodata) else spec.nodata
    if (spec.scale, spec.offset) != (1.0, 0.0):
        band["raster:scale"], band["raster:offset"] = spec.scale, spec.offset
    if known.count:
        pixels = plan.geobox.shape[0] * plan.geobox.shape[1]
        band["statistics"] = {
            "minimum": known.minimum,
            "maximum": known.maximum,
            "mean": known.mean,
            "stddev": math.sqrt(known.squares / known.count),
            "valid_percent": 100 * known.count / pixels,
            "count": known.count,
        }
        if limits:
            band["cutline:percentiles"] = {"2": limits[0], "98": limits[1]}
    if min(plan.geobox.resolution) == max(plan.geobox.resolution):
        band["raster:spatial_resolution"] = plan.geobox.resolution[0]
    return band


def _times(scenes: tuple[Scene, ...]) -> dict[str, Any]:
    now = _rfc3339(dt.datetime.now(dt.UTC))
    known = sorted(scene.datetime for scene in scenes if scene.datetime)
    if not known:
        return {"datetime": now, "created": now}
    if known[0] == known[-1]:
        return {"datetime": _rfc3339(known[0]), "created": now}
    return {
        "datetime": None,
        "start_datetime": _rfc3339(known[0]),
        "end_datetime": _rfc3339(known[-1]),
        "created": now,
    }


def _rfc3339(instant: dt.datetime) -> str:
    return instant.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _processing(plan: ExportPlan) -> dict[str, Any]:
    name, _, version = plan.engine.partition(" ")
    return {
        "processing:software": {name: version},
        "processing:expression": {"format": "openeo", "expression": process_of(plan)},
        "processing:lineage": (
            f"{len(plan.scenes)} scene(s), mosaic {plan.reducer}, resampled {plan.resampling} "
            f"to {plan.geobox.resolution[0]:g} in {crs_title(image_crs(plan.geobox.crs))}"
        ),
    }


def _derived_from(scene: Scene) -> dict[str, str]:
    """Its item, else its first file; without the query of a URL, where signatures are."""
    asset = next(iter(scene.assets.values()))
    link = {"rel": "derived_from", "href": shown(scene.item_href or asset.href), "title": scene.id}
    kind = "application/geo+json" if scene.item_href else _MEDIA_TYPES.get(asset.driver)
    return link if kind is None else {**link, "type": kind}
