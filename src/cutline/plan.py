"""Plan an export: from a request and its scenes' headers to everything that decides a pixel. Reads no pixel.

request + scenes -> process -> grid -> cutline -> file -> tiles, each with the key of its inputs
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from cutline import __version__
from cutline.aoi.rules import area_km2
from cutline.cog.profile import PLANAR_ABOVE_BANDS, PROFILES, check_profile, raw_bytes
from cutline.errors import InvalidProcess, InvalidRequest, TooLarge
from cutline.grid import BLOCK, Cutline, Tiling, padded
from cutline.imagery.mosaic import check_bands, order_scenes, within
from cutline.models.grid import Geobox
from cutline.models.plan import CogSpec, ExportPlan, Reducer, TilePlan
from cutline.models.request import ExportRequest, MosaicRule, OutputRequest, Resampling
from cutline.models.scene import Band, Scene
from cutline.placement import box_of, image_crs, is_across_180, reach
from cutline.plan_grid import choose_geobox, drawn
from cutline.plan_keys import tile_keys
from cutline.process import PixelProcess, compile_graph

ENGINE = f"cutline {__version__}"

_TILE_BYTES = 256 << 20
"""Raw pixels of a tile: a worker holds a few times that"""
_TILE_EDGE, _LOSSY_TILE_EDGE, _SMALL_TILE_EDGE = 4096, 8192, 1024
MAX_TILES = 100_000
"""Of one export: a plan and its receipts are read whole, at a few kB a tile"""
_TILES_WANTED = 8
"""Smaller exports are cut smaller, so that several workers have something to do"""

_REDUCERS: dict[MosaicRule, Reducer] = {
    "first": "first",
    "newest": "first",  # orders that the scenes are already in
    "oldest": "first",
    "least-cloud": "first",
    "highest": "highest",
    "lowest": "lowest",
    "mean": "mean",
    "median": "median",
}


@dataclass(frozen=True)
class Compiled:
    """The process, ready for these scenes, and how their numbers enter it."""

    process: PixelProcess
    scenes: tuple[Scene, ...]
    reducer: Reducer
    stored: bool
    dtype: str
    band_dtypes: tuple[str, ...]


def make_plan(
    request: ExportRequest, scenes: Sequence[Scene], *, edge: int | None = None, owner: str = ""
) -> ExportPlan:
    """The plan of ``request`` over ``scenes`` (described, in the user's order, stretched if that was asked for).

    ``edge``: pixels along a tile's side, 512 · 2^k; it changes no pixel. ``owner``: whose
    tiles they are, where several share a workspace. Raises the family of InvalidRequest.
    """
    warnings: list[str] = []
    compiled = _compiled(request, scenes)
    geobox, lonlat = choose_geobox(request, compiled.scenes, compiled.process.inputs, warnings)
    area, across_180 = drawn(request, geobox.crs, lonlat, geobox.resolution), is_across_180(lonlat)
    resampling = _resampling(request.output, compiled)
    cog = _cog_spec(request.output, compiled, _is_packed(request.output), resampling)
    _warn_of_losses(request.output, compiled, warnings)
    if request.output.geobox is None:
        geobox = padded(geobox)
    else:
        _check_given(geobox, area, warnings)
    if request.aoi is None:  # the scenes end themselves: their outline, known to a tenth of a pixel, must not cut them
        area = shapely.buffer(area, max(geobox.resolution), join_style="mitre")
    cutline = Cutline(area, geobox)
    pixels = cutline.pixel_count()
    if not pixels:
        raise _too_coarse("the area", geobox)
    edge = edge or tile_edge(cog, geobox)
    placed = [reach(scene.footprint, lonlat, geobox, across_180=across_180) for scene in compiled.scenes]
    _warn_of_gaps(lonlat, compiled.scenes, warnings)
    plan = ExportPlan(
        engine=ENGINE,
        graph=request.process,
        bands=compiled.process.inputs,
        band_dtypes=compiled.band_dtypes,
        scenes=compiled.scenes,
        reducer=compiled.reducer,
        stored=compiled.stored,
        dtype=compiled.dtype,
        packed=_is_packed(request.output),
        resampling=resampling,
        geobox=geobox,
        area=json.loads(shapely.to_geojson(lonlat)),
        across_180=across_180,
        cutline=shapely.to_wkb(area, hex=True),
        cog=cog,
        edge=edge,
        tiles=(),
        pixels=pixels,
        warnings=tuple(warnings),
    )
    tiles = _tiles(placed, cutline, Tiling(geobox.shape, edge))
    if not tiles:
        raise _nothing_there(request, geobox)
    if len(tiles) > MAX_TILES:
        raise TooLarge(
            f"{len(tiles):,} tiles of {edge} pixels; the limit is {MAX_TILES:,}; choose a coarser --resolution, fewer "
            "bands or a part of the area",
            pointer="/output/resolution",
        )
    return plan.model_copy(update={"tiles": tile_keys(plan, tiles, cutline, owner)})


def _nothing_there(request: ExportRequest, geobox: Geobox) -> InvalidRequest:
    """Of a grid that no scene puts a pixel on."""
    if request.aoi is not None:
        return InvalidRequest("no scene touches the area; choose others, or another area", pointer="/aoi")
    if request.output.geobox is not None:
        return InvalidRequest("no scene touches the grid that was given", pointer="/output/geobox")
    return _too_coarse("what the scenes cover", geobox)


def _too_coarse(what: str, geobox: Geobox) -> InvalidRequest:
    unit = image_crs(geobox.crs).axis_info[0].unit_name
    return InvalidRequest(
        f"{what} holds no pixel centre at a resolution of {geobox.resolution[0]:g} ({unit}); choose a finer "
        "--resolution",
        pointer="/output/resolution",
    )


def _compiled(request: ExportRequest, scenes: Sequence[Scene]) -> Compiled:
    scenes = order_scenes(within(scenes, request.source.temporal), request.mosaic)
    names = check_bands(scenes)
    bands = {name: [_band(scene, name) for scene in scenes] for name in names}
    dtypes = {name: _dtype(of_all) for name, of_all in bands.items()}
    process = compile_graph(request.process, names, dtypes)
    if process.temporal and request.mosaic != "first":
        raise InvalidProcess(
            f"the process reduces over time, so mosaic {request.mosaic} has nothing to do; leave one of them out",
            pointer="/mosaic",
        )
    used = [band for name in process.inputs for band in bands[name]]
    # A file tells its readers one scale for all of its bands.
    alike = len({(band.scale, band.offset) for band in used}) == 1
    stretched = any(band.stretch for band in used)
    stored = process.selection and alike and not stretched and not _is_packed(request.output)
    dtype = str(np.result_type(*(band.dtype for band in used), *(() if stored else (np.float32,))))
    return Compiled(
        process=process,
        scenes=scenes,
        reducer="time" if process.temporal else _REDUCERS[request.mosaic],
        stored=stored,
        dtype=dtype,
        band_dtypes=tuple(dtypes[name] for name in process.inputs),
    )


def _band(scene: Scene, name: str) -> Band:
    band = scene.band(name)
    assert band is not None  # noqa: S101 - check_bands found it in every scene
    return band


def _dtype(bands: Sequence[Band]) -> str:
    """The dtype that holds every number of these bands as the graph sees them, which is after scale and offset."""
    if any(band.stretch for band in bands):
        return "uint8"
    scaled = any((band.scale, band.offset) != (1.0, 0.0) for band in bands)
    return str(np.result_type(*(band.dtype for band in bands), *((np.float32,) if scaled else ())))


def _is_packed(output: OutputRequest) -> bool:
    return output.scale is not None or output.offset is not None


def _resampling(output: OutputRequest, compiled: Compiled) -> Resampling:
    """As asked for; else bilinear, but nearest where numbers stand for classes, which nothing lies between."""
    names = compiled.process.inputs
    used = (
        (scene, scene.assets[band.asset]) for scene in compiled.scenes for band in scene.bands if band.name in names
    )
    for scene, asset in used:
        if asset.palette:
            if output.resampling not in {None, "nearest", "mode"}:
                raise InvalidRequest(
                    f"scene {scene.id} has a palette: its numbers are classes, which {output.resampling} would mix; "
                    "choose --resampling nearest or mode",
                    pointer="/output/resampling",
                )
            return output.resampling or "nearest"
    return output.resampling or "bilinear"


def _warn_of_losses(output: OutputRequest, compiled: Compiled, warnings: list[str]) -> None:
    """Of a --dtype that cannot hold what comes out."""
    if output.dtype is None or np.dtype(output.dtype).kind == "f" or _is_packed(output):
        return
    natural = np.dtype(compiled.dtype if compiled.stored else compiled.process.dtype)
    if natural.kind == "f":
        warnings.append(
            f"values are rounded to whole numbers and clipped to {output.dtype}; --scale packs them without that loss"
        )
    elif not np.can_cast(natural, output.dtype):
        warnings.append(f"values beyond what {output.dtype} holds are clipped; --stretch or --scale fits them in")


def _cog_spec(output: OutputRequest, compiled: Compiled, packed: bool, resampling: Resampling) -> CogSpec:
    process = compiled.process
    dtype = output.dtype or (compiled.dtype if compiled.stored else process.dtype)
    is_float = np.dtype(dtype).kind == "f"
    if packed and is_float:
        raise InvalidRequest("scale and offset pack values into integers; add --dtype int16", pointer="/output/dtype")
    check_profile(output.profile, dtype, len(process.outputs), output.nodata, output.level)
    nodata = output.nodata if output.nodata is not None else (float("nan") if is_float else None)
    if nodata is not None and not _fits(nodata, dtype):
        raise InvalidRequest(f"nodata {nodata:g} is no {dtype}; choose {_range_of(dtype)}", pointer="/output/nodata")
    scale, offset = _described_scale(output, compiled)
    return CogSpec(
        bands=process.outputs,
        dtype=dtype,
        profile=output.profile,
        nodata=nodata,
        masked=nodata is None,
        planar=len(process.outputs) > PLANAR_ABOVE_BANDS,
        overview="nearest" if resampling in {"nearest", "mode"} or _is_truth(compiled) else "average",
        level=output.level,
        scale=scale,
        offset=offset,
    )


def _described_scale(output: OutputRequest, compiled: Compiled) -> tuple[float, float]:
    """What turns a stored number into a value again: the packing asked for, or the scenes' own, kept."""
    if _is_packed(output):
        return 1.0 if output.scale is None else output.scale, output.offset or 0.0
    if not compiled.stored:
        return 1.0, 0.0
    any_band = _band(compiled.scenes[0], compiled.process.inputs[0])
    return any_band.scale, any_band.offset


def _is_truth(compiled: Compiled) -> bool:
    """Whether the output is yes or no, of which there is no average."""
    return not compiled.stored and compiled.process.dtype == "uint8" and compiled.process.value_range == (0, 1)


def _fits(value: float, dtype: str) -> bool:
    if np.dtype(dtype).kind == "f":
        return not np.isfinite(value) or abs(value) <= float(np.finfo(dtype).max)
    limits = np.iinfo(dtype)
    return value.is_integer() and limits.min <= value <= limits.max


def _range_of(dtype: str) -> str:
    if np.dtype(dtype).kind == "f":
        return f"NaN, or a number up to {float(np.finfo(dtype).max):.1e}"
    limits = np.iinfo(dtype)
    return f"a whole number from {limits.min:,} to {limits.max:,}"


def tile_edge(cog: CogSpec, geobox: Geobox) -> int:
    """The largest 512 · 2^k whose pixels take 256 MiB at most, but no larger than leaves several tiles."""
    edge = _LOSSY_TILE_EDGE if PROFILES[cog.profile].lossy else _TILE_EDGE
    while edge > BLOCK and raw_bytes(cog, edge * edge) > _TILE_BYTES:
        edge //= 2
    while edge > _SMALL_TILE_EDGE and _tile_count(geobox, edge) < _TILES_WANTED:
        edge //= 2
    return edge


def _tile_count(geobox: Geobox, edge: int) -> int:
    tiling = Tiling(geobox.shape, edge)
    return tiling.rows * tiling.cols


def _check_given(geobox: Geobox, area: BaseGeometry, warnings: list[str]) -> None:
    """Whether the area lies on a grid that was given."""
    left, bottom, right, top = geobox.bounds
    west, south, east, north = area.bounds
    if west >= right or east <= left or south >= top or north <= bottom:
        raise InvalidRequest("the area does not touch the grid that was given", pointer="/output/geobox")
    across, down = geobox.resolution
    if west < left - across or east > right + across or south < bottom - down or north > top + down:
        warnings.append("the area reaches beyond the grid that was given; what lies outside is left out")


def _warn_of_gaps(lonlat: BaseGeometry, scenes: Sequence[Scene], warnings: list[str]) -> None:
    footprints = shapely.union_all([shapely.geometry.shape(scene.footprint) for scene in scenes])
    inside = shapely.intersection(lonlat, footprints)
    covered = _area_km2(inside) / _area_km2(lonlat)
    if covered < 0.9995:
        warnings.append(f"the scenes cover {covered:.1%} of the area; the rest stays empty")


def _area_km2(geometry: BaseGeometry) -> float:
    parts = shapely.get_parts(geometry)
    return area_km2(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON])


def _tiles(placed: Sequence[BaseGeometry], cutline: Cutline, tiling: Tiling) -> list[TilePlan]:
    """The tiles that have a pixel inside the cutline and a scene within reach, row by row."""
    geobox, edge = cutline.geobox, tiling.edge
    pixels = cutline.tiles(edge)
    row, col = np.nonzero(pixels)
    (left, _, _, top), (width, height) = geobox.bounds, (edge * geobox.resolution[0], edge * geobox.resolution[1])
    west, north = left + col * width, top - row * height
    squares = np.asarray(shapely.box(west, north - height, west + width, north))
    touches = np.zeros((len(placed), len(row)), np.bool_)
    for index, where in enumerate(placed):
        first_row, first_col, end_row, end_col = box_of(geobox, where)
        near = (row * edge < end_row) & ((row + 1) * edge > first_row)
        near &= (col * edge < end_col) & ((col + 1) * edge > first_col)
        shapely.prepare(where)
        touches[index, near] = shapely.dwithin(where, squares[near], 2 * max(geobox.resolution))
    return [
        TilePlan(
            row=int(row[at]),
            col=int(col[at]),
            scenes=tuple(np.flatnonzero(touches[:, at]).tolist()),
            pixels=int(pixels[row[at], col[at]]),
            key="",
        )
        for at in np.flatnonzero(touches.any(axis=0))
    ]
