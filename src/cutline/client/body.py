"""The options of ``export`` as the API's body. Areas are read here; scenes have to be where the service can read."""

from __future__ import annotations

import math
from typing import Any

from pydantic import ValidationError

from cutline import validation
from cutline.errors import InvalidRequest
from cutline.imagery import parse_interval, parse_scene
from cutline.models.api import ExportBody
from cutline.models.request import SceneRequest
from cutline.options import area_of, graph_of, mask_of, names_of, number_of, stretch_of

OUTPUT = ("crs", "resampling", "profile", "level", "dtype")


def body_of(options: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The JSON to send. ``more``: fields that only the service has. Raises the family of InvalidRequest."""
    if options["process"] is not None and options["graph"] is not None:
        raise InvalidRequest("--process and --graph both say what to compute; choose one", pointer="/process")
    graph = graph_of(options["graph"])
    mask = mask_of(options["mask_asset"], options["mask_values"])
    if options["temporal"] is not None:
        parse_interval(options["temporal"])
    source = {
        "scenes": [_scene(parse_scene(text)) for text in options["scenes"]] or None,
        "band_names": names_of(options["band_names"]),
        "mask": mask.model_dump() if mask else None,
        "stretch": stretch_of(options["stretch"]),
        "datetime": options["temporal"],
    }
    output = {
        **{name: options[name] for name in OUTPUT},
        "resolution": number_of(options, "resolution", positive=True),
        "scale": number_of(options, "scale", positive=True),
        "offset": number_of(options, "offset"),
        "nodata": _number(options["nodata"]),
        "like": _remote(options["like"]) if options["like"] is not None else None,
    }
    said = {
        "source": _said(source),
        "bands": names_of(options["bands"]),
        "process": options["process"] if graph is None else _plain(graph),
        "expression": options["expression"],
        "color": options["color"],
        "aoi": area_of(options),
        "mosaic": options["mosaic"],
        "output": _said(output),
        **more,
    }
    try:
        body = ExportBody.model_validate(_said(said))
    except ValidationError as error:
        pointer, wrong = next(iter(validation.told(error.errors(), said).items()))
        raise InvalidRequest(f"{pointer}: {wrong}" if pointer else wrong, pointer=pointer or None) from error
    return body.model_dump(mode="json", exclude_unset=True)


def _scene(scene: SceneRequest) -> Any:
    if scene.href is not None:
        return _remote(scene.href)
    return {name: _remote(href) for name, href in scene.assets.items()}


def _remote(href: str) -> str:
    if "://" not in href or href.startswith("file:"):
        raise InvalidRequest(
            f"{href} is a file of this machine, which the service cannot read; name it as https://… or s3://…, or "
            "export it here with cutline export"
        )
    return href


def _number(value: float | None) -> float | str | None:
    """JSON has no number for NaN."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else str(value)


def _plain(graph: dict[str, Any]) -> dict[str, Any]:
    return {name: node.model_dump(mode="json", exclude_defaults=True) for name, node in graph.items()}


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
