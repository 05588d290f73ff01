"""The options of ``export`` and ``estimate``: what they are called, what they mean, and the request they make."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, get_args

import click

from cutline.aoi import read_aoi
from cutline.cog.profile import PROFILES
from cutline.errors import InvalidProcess, InvalidRequest
from cutline.imagery import parse_interval, parse_mask_values, parse_scene
from cutline.imagery.like import grid_of
from cutline.models.request import ExportRequest, MaskRequest, MosaicRule, Resampling
from cutline.process import parse_graph
from cutline.request import Wanted, build_request

P = ParamSpec("P")
R = TypeVar("R")

_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
_GRAPH_BYTES = 4 << 20

_OTHER_FORMATS = re.compile(
    r"\.(bmp|csv|dat|fgb|geojson|gif|gpkg|grib|h5|hdf|img|j2k|jp2|jpe?g|json|km[lz]|mbtiles|nc|npy|parquet|pdf|png|shp|"
    r"svg|tar|vrt|webp|zarr|zip)",
    re.IGNORECASE,
)
"""Suffixes that promise what a GeoTIFF is not. Others are no promise: mktemp's, or the end of v1.2"""

_PROFILE_HELP = "How pixels are encoded. " + "; ".join(f"{name}: {row.summary}" for name, row in PROFILES.items())
_LEVEL_HELP = "How hard its codec works, or the quality of jpeg and webp. " + ", ".join(
    f"{name}: 1 to {row.level.highest} [{row.level.default}]" for name, row in PROFILES.items() if row.level
)


class LocalPath(click.Path):
    """A path of this machine. Path() would fold s3://b/x to s3:/b/x and look for that."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = os.fspath(value)
        if "://" in text:
            self.fail(f"{text.partition('?')[0]}: local paths only", param, ctx)
        if text == "-":
            self.fail("- is no file here; name a file", param, ctx)
        return super().convert(value, param, ctx)


class OutPath(LocalPath):
    """Where an export goes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = super().convert(value, param, ctx)
        if _OTHER_FORMATS.fullmatch(path.suffix):
            self.fail(f"{path}: an export writes GeoTIFF; name it {path.with_suffix('.tif').name}", param, ctx)
        return path


def request_options(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command all options that say what to export, and how this machine is to do it."""
    return _with_options(command, (*_WANTED, *_HERE, _JSON))


def wanted_options(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command all options that say what to export, wherever that is done."""
    return _with_options(command, (*_WANTED, _JSON))


def _with_options(command: Callable[P, R], options: Sequence[Callable[[Any], Any]]) -> Callable[P, R]:
    for option in reversed(options):
        command = option(command)
    return command


_WANTED = (
    click.option(
        "--scene",
        "scenes",
        multiple=True,
        metavar="FILE",
        help="A GeoTIFF, JPEG 2000, ENVI file or STAC item; a path, s3:// or https://; or one file per band: "
        "red=B04.tif,nir=B08.tif. Repeat for more; the first one wins where they overlap.",
    ),
    click.option(
        "--aoi",
        type=LocalPath(),
        help="The area: GeoJSON, zipped Shapefile, KML, KMZ, GeoPackage or FlatGeobuf. Default: all of the scenes.",
    ),
    click.option("--layer", help="Which layer of the area's file."),
    click.option("--where", help="Which of its features, such as \"name = 'North field'\"."),
    click.option("--aoi-crs", help="Its CRS, where the file does not say."),
    click.option("--repair", is_flag=True, help="Repair an invalid area instead of refusing it."),
    click.option("--bands", metavar="NAMES", help="Bands to keep, in order: red,green,blue. Default: all."),
    click.option("--process", metavar="NAME", help="An index, such as ndvi; `cutline processes` lists them."),
    click.option("--expression", metavar="TEXT", help='Arithmetic on bands, such as "(nir-red)/(nir+red)".'),
    click.option("--graph", type=LocalPath(), help="An openEO process graph (JSON)."),
    click.option("--color", metavar="TEXT", help='Colour correction, such as "gamma RGB 1.1 saturation 1.2".'),
    click.option("--stretch", metavar="LOW,HIGH", help="Stretch each scene between these percentiles to 8 bits: 2,98."),
    click.option("--band-names", metavar="NAMES", help="Names for the bands of the files, in order."),
    click.option("--mask-asset", metavar="NAME", help="The asset or band that masks a scene: scl, udm, QA_PIXEL."),
    click.option("--mask-values", metavar="LIST", help="Its values that mean do not use: 3,8-10; or bits:3,4."),
    click.option(
        "--datetime",
        "temporal",
        metavar="START/END",
        help="Use only scenes of this time; .. is open. A day as END is included, an instant is not.",
    ),
    click.option(
        "--mosaic", type=click.Choice(get_args(MosaicRule)), help="Which scene counts where several overlap. [first]"
    ),
    click.option("--crs", help="CRS of the result. Default: the scenes' own, else the UTM zone of the area."),
    click.option("--resolution", type=float, help="Units of the CRS a pixel. Default: the finest of the scenes."),
    click.option("--like", metavar="FILE", help="Take the very grid of this file; a path, s3:// or https://."),
    click.option("--resampling", type=click.Choice(get_args(Resampling)), help="[bilinear]"),
    click.option("--profile", type=click.Choice(list(PROFILES)), help=f"{_PROFILE_HELP}. [deflate]"),
    click.option("--level", type=int, help=f"{_LEVEL_HELP}."),
    click.option("--dtype", type=click.Choice(_DTYPES), help="Default: what the process gives."),
    click.option("--scale", type=float, help="Store (value - offset) / scale, rounded: needs an integer --dtype."),
    click.option("--offset", type=float, help="See --scale."),
    click.option("--nodata", type=float, help="Value without data. Default: NaN for floats, else an internal mask."),
)
_HERE = (
    click.option("--workers", type=click.IntRange(1), default=os.cpu_count() or 1, help="Processes. [one a core]"),
    click.option("--tile-size", type=int, help="Pixels along a tile's side, 512 · 2^k; changes no pixel."),
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON report.")


def request_of(options: dict[str, Any]) -> ExportRequest:
    """The request that a command's options make. Raises the family of InvalidRequest."""
    return build_request(
        Wanted(
            scenes=[parse_scene(text) for text in options["scenes"]],
            aoi=area_of(options),
            bands=names_of(options["bands"]),
            process=options["process"],
            expression=options["expression"],
            graph=graph_of(options["graph"]),
            color=options["color"],
            stretch=stretch_of(options["stretch"]),
            band_names=names_of(options["band_names"]) or (),
            mask=mask_of(options["mask_asset"], options["mask_values"]),
            temporal=_temporal(options["temporal"]),
            mosaic=options["mosaic"],
            crs=options["crs"],
            resolution=number_of(options, "resolution", positive=True),
            like=grid_of(options["like"]) if options["like"] is not None else None,
            resampling=options["resampling"],
            profile=options["profile"],
            level=options["level"],
            dtype=options["dtype"],
            scale=number_of(options, "scale", positive=True),
            offset=number_of(options, "offset"),
            nodata=options["nodata"],
        )
    )


def tile_edge_of(options: dict[str, Any]) -> int | None:
    edge: int | None = options["tile_size"]
    if edge is not None and (edge < 512 or edge & (edge - 1) or edge > 8192):
        raise InvalidRequest(f"--tile-size {edge}: choose 512, 1024, 2048, 4096 or 8192")
    return edge


def area_of(options: dict[str, Any]) -> dict[str, Any] | None:
    if options["aoi"] is None:
        return None
    area = read_aoi(
        options["aoi"],
        layer=options["layer"],
        where=options["where"],
        crs=options["aoi_crs"],
        repair=options["repair"],
    )
    return area.to_geojson()


def names_of(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise InvalidRequest(f"{text!r}: write names with commas between, such as red,green,blue")
    return names


def graph_of(path: Path | None) -> Any:
    if path is None:
        return None
    try:
        with path.open(encoding="utf-8") as file:
            return parse_graph(json.loads(file.read(_GRAPH_BYTES)))
    except OSError as error:
        raise InvalidProcess(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidProcess(f"{path} is no JSON: {error}") from error


def stretch_of(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = map(float, text.split(","))
    except ValueError as error:
        raise InvalidRequest(f"--stretch {text}: write two percentiles, such as 2,98") from error
    if not 0 <= low < high <= 100:
        raise InvalidRequest(f"--stretch {text}: percentiles lie between 0 and 100, the lower one first")
    return low, high


def mask_of(asset: str | None, values: str | None) -> MaskRequest | None:
    if asset is None and values is None:
        return None
    if asset is None or values is None:
        raise InvalidRequest("--mask-asset and --mask-values go together: which asset, and which of its values")
    parsed = parse_mask_values(values)
    return MaskRequest(asset=asset, values=parsed.values, bits=parsed.bits)


def _temporal(text: str | None) -> tuple[str | None, str | None] | None:
    if text is None:
        return None
    try:
        return parse_interval(text)
    except InvalidRequest as error:
        raise InvalidRequest(f"--datetime {error.message}", pointer=error.pointer) from error


def number_of(options: dict[str, Any], name: str, *, positive: bool = False) -> float | None:
    value: float | None = options[name]
    if value is not None and not (math.isfinite(value) and (value > 0 or not positive)):
        raise InvalidRequest(f"--{name} {value:g}: it must be a number{' above 0' if positive else ''}")
    return value
