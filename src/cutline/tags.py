"""A COG's own metadata: what it is made of, and by what. Nothing that depends on the place, so that the same plan gives
the same bytes anywhere; hrefs and times stand in the STAC item."""

from __future__ import annotations

import json
from typing import Any

from cutline.models.plan import ExportPlan


def tags_of(plan: ExportPlan) -> dict[str, str]:
    """Name -> value, as GDAL's metadata of the file."""
    return {
        "AREA_OR_POINT": "Area",
        "TIFFTAG_SOFTWARE": plan.engine,
        "CUTLINE_SCENES": " ".join(scene.id for scene in plan.scenes),
        "CUTLINE_MOSAIC": plan.reducer,
        "CUTLINE_RESAMPLING": plan.resampling,
        "CUTLINE_PROCESS": json.dumps(process_of(plan), sort_keys=True, separators=(",", ":")),
    }


def process_of(plan: ExportPlan) -> dict[str, Any]:
    """The process graph as JSON, without what is default."""
    return {name: node.model_dump(exclude_defaults=True) for name, node in plan.graph.items()}
