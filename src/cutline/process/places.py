"""Where a process graph says a field of the request, so that an error in that field leads to what its author wrote."""

from __future__ import annotations

from cutline.models.request import ProcessGraph
from cutline.process.cube import over_time
from cutline.process.fields import SAVE_OPTIONS
from cutline.process.graph import ROOT
from cutline.process.signature import escape

SAYERS: dict[str, tuple[tuple[str, str], ...]] = {
    # field of the request -> processes that say it, and the argument of each
    "aoi": (
        ("filter_bbox", "extent"),
        ("filter_spatial", "geometries"),
        ("mask_polygon", "mask"),
        ("load_collection", "spatial_extent"),
        ("load_stac", "spatial_extent"),
    ),
    "temporal": (
        ("filter_temporal", "extent"),
        ("load_collection", "temporal_extent"),
        ("load_stac", "temporal_extent"),
    ),
    "scenes": (("load_stac", "url"),),
    "mosaic": (("reduce_dimension", "reducer"),),
    "crs": (("resample_spatial", "projection"),),
    "resolution": (("resample_spatial", "resolution"),),
    "resampling": (("resample_spatial", "method"),),
}


def place_of(graph: ProcessGraph, field: str) -> str | None:
    """A pointer to the argument by which ``graph`` says ``field``, as ``lower`` names it (scenes for its hrefs); None
    where it says nothing of that."""
    for process, argument in SAYERS.get(field, ()):
        for name, node in graph.items():
            if node.process_id == process and node.arguments.get(argument) and (field != "mosaic" or over_time(node)):
                return f"{ROOT}/{escape(name)}/arguments/{argument}"
    for name, node in graph.items():
        options = node.arguments.get("options") if node.process_id == "save_result" else None
        for option in options or ():
            if SAVE_OPTIONS.get(option.lower()) == field:
                return f"{ROOT}/{escape(name)}/arguments/options/{escape(option)}"
    return None
