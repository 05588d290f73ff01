"""From what a user writes to one ``ExportRequest``: short forms become a graph, a graph's own nodes become fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cutline.aoi import read_geojson
from cutline.errors import CutlineError, InvalidProcess, InvalidRequest
from cutline.models.base import GeoJSON
from cutline.models.grid import Geobox
from cutline.models.request import (
    ExportRequest,
    MaskRequest,
    MosaicRule,
    OutputRequest,
    ProcessGraph,
    ProfileName,
    Resampling,
    SceneRequest,
    Source,
)
from cutline.placement import image_crs
from cutline.process import Lowered, bands_graph, color_graph, expression_graph, lower, named_graph, place_of


@dataclass(frozen=True)
class Wanted:
    """What was asked for in so many words; None and empty: nothing was said, so a graph or a default decides."""

    scenes: Sequence[SceneRequest] = ()
    band_names: Sequence[str] = ()
    mask: MaskRequest | None = None
    stretch: tuple[float, float] | None = None
    temporal: tuple[str | None, str | None] | None = None
    bands: Sequence[str] | None = None
    process: str | None = None
    expression: str | None = None
    graph: ProcessGraph | None = None
    color: str | None = None
    aoi: GeoJSON | None = None
    mosaic: MosaicRule | None = None
    crs: str | None = None
    resolution: float | None = None
    like: Geobox | None = None
    resampling: Resampling | None = None
    profile: ProfileName | None = None
    level: int | None = None
    dtype: str | None = None
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None


_SCENES = "/source/scenes"
LEAST_SCALE, MOST_SCALE = 1e-30, 1e30
"""Beyond, what is stored divided by it is infinite, or nothing, in a float of 32 bits"""
_POINTERS = {"aoi": "/aoi", "mosaic": "/mosaic", "temporal": "/source/temporal"}
"""Of fields that are not the output's"""
_OUTPUT_FIELDS = ("crs", "resolution", "resampling", "profile", "level", "dtype", "scale", "offset", "nodata")


def build_request(wanted: Wanted) -> ExportRequest:
    """The request. Raises InvalidProcess where words and graph disagree, InvalidRequest where words do, UnsupportedCRS,
    and InvalidGeometry (or TooLarge) for an area in the graph that is none; ``wanted.aoi`` has been checked already."""
    graph = _graph(wanted)
    lowered = lower(graph)
    if lowered.aoi is not None:
        lowered = lowered.model_copy(update={"aoi": _checked_area(lowered.aoi, place_of(graph, "aoi"))})
    output = {name: value for name in _OUTPUT_FIELDS if (value := _agreed(name, wanted, lowered)) is not None}
    _check_scale(output.get("scale"))
    if "crs" in output:
        image_crs(output["crs"])
    if wanted.like is not None:
        if "crs" in output or "resolution" in output:
            raise InvalidRequest("--like already says the CRS and the resolution; leave those out", pointer="/output")
        output["geobox"] = wanted.like
    return ExportRequest(
        source=Source(
            scenes=_scenes(wanted, lowered),
            band_names=tuple(wanted.band_names),
            mask=wanted.mask,
            stretch=wanted.stretch,
            temporal=_agreed("temporal", wanted, lowered),
        ),
        process=lowered.graph,
        aoi=_agreed("aoi", wanted, lowered),
        output=OutputRequest(**output),
        mosaic=_agreed("mosaic", wanted, lowered) or "first",
    )


def _check_scale(scale: float | None) -> None:
    if scale is not None and not LEAST_SCALE <= scale <= MOST_SCALE:
        raise InvalidRequest(
            f"scale {scale:g} packs no values that an image has; it lies between {LEAST_SCALE:g} and {MOST_SCALE:g}",
            pointer="/output/scale",
        )


def _graph(wanted: Wanted) -> ProcessGraph:
    """Exactly one way of saying what to compute; none says: the bands as they are."""
    made: dict[str, ProcessGraph] = {}
    if wanted.bands is not None:
        made["--bands"] = bands_graph(wanted.bands)
    if wanted.process is not None:
        made["--process"] = named_graph(wanted.process)
    if wanted.expression is not None:
        made["--expression"] = expression_graph(wanted.expression)
    if wanted.graph is not None:
        made["--graph"] = wanted.graph
    if len(made) > 1:
        raise InvalidRequest(f"{' and '.join(made)} both say what to compute; choose one", pointer="/process")
    graph = next(iter(made.values())) if made else bands_graph(())
    return color_graph(graph, wanted.color) if wanted.color else graph


def _checked_area(area: GeoJSON, pointer: str | None) -> GeoJSON:
    """An area of a graph, by the rules for files, with the same limits; ``pointer`` says where it is written."""
    try:
        return read_geojson(area).to_geojson()
    except CutlineError as error:
        raise type(error)(error.message, pointer=pointer, details=error.details) from error


def _agreed(name: str, wanted: Wanted, lowered: Lowered) -> Any:
    said, in_graph = getattr(wanted, name), getattr(lowered, name)
    both_nan = said != said and in_graph != in_graph  # noqa: PLR0124
    if said is not None and in_graph is not None and said != in_graph and not both_nan:
        message = f"the process graph says its own {name}, which differs from the one given; keep one"
        raise InvalidProcess(message, pointer=_POINTERS.get(name, f"/output/{name}"))
    return in_graph if said is None else said


def _scenes(wanted: Wanted, lowered: Lowered) -> tuple[SceneRequest, ...]:
    if wanted.scenes and lowered.hrefs:
        message = "the process graph loads its own scenes (load_stac); leave out --scene, or use it alone"
        raise InvalidProcess(message, pointer=_SCENES)
    scenes = tuple(wanted.scenes) or tuple(SceneRequest(href=href) for href in lowered.hrefs)
    if not scenes:
        raise InvalidRequest("no scene is given; add --scene FILE", pointer=_SCENES)
    return scenes
