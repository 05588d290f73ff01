"""What an export will take, from its plan alone: pixels and tiles exactly, bytes at most, seconds and cost between."""

from __future__ import annotations

from dataclasses import dataclass

from cutline.cog.profile import PROFILES, bytes_bound, raw_bytes
from cutline.grid import BLOCK, Tiling, level_shapes
from cutline.models.base import Interval, Model
from cutline.models.plan import ExportPlan
from cutline.placement import choose_overview
from cutline.tags import tags_of


@dataclass(frozen=True)
class Prices:
    """US dollars, us-east-1, read 2026-11 from AWS's price list. Egress is not an export's: who downloads pays it."""

    lambda_gb_second: float = 0.0000166667
    step_functions_transition: float = 0.025 / 1000
    s3_put: float = 0.005 / 1000
    s3_get: float = 0.0004 / 1000
    dynamodb_write: float = 0.625 / 1e6


@dataclass(frozen=True)
class Throughput:
    """Millions of output samples (pixel x band x scene) that one core reads, resamples and encodes in a second.

    Set wide around what single profiles showed, not calibrated.
    Worst: wide cubic kernels, DEFLATE of noise, remote sources; best: nearest, local, ZSTD.
    """

    low: float = 3.0
    high: float = 60.0
    read_low: float = 10.0
    """Millions of source samples that are read and decoded in a second"""
    read_high: float = 150.0


_MANY = 16.0
"""Source pixels an output pixel: more than any scene with overviews asks for"""

_LAMBDA_GB = 3.0
_COLD_START_SECONDS = (0.5, 4.0)
_PER_TILE_TRANSITIONS, _PER_TILE_PUTS, _PER_TILE_GETS, _PER_TILE_WRITES = 4, 7, 60, 3


class Estimate(Model):
    """Of one export."""

    rows: int
    cols: int
    pixels: int
    """Inside the area, exactly"""
    tiles: int
    """That will be rendered, exactly"""
    tile_edge: int
    bands: int
    dtype: str
    crs: str
    resolution: tuple[float, float]
    raw_bytes: int
    """Of the pixels inside the area, decoded, without overviews"""
    bytes_min: int
    """The file is seldom smaller: imagery does not compress better, unless large parts of it are one value"""
    bytes_max: int
    """The file cannot be larger"""
    seconds: Interval
    """On this machine with the given workers"""
    aws_cost_usd: Interval
    """Lambda, Step Functions, S3 and DynamoDB; without storage and egress"""
    warnings: tuple[str, ...]


def estimate(plan: ExportPlan, workers: int) -> Estimate:
    """What ``plan`` takes, with ``workers`` processes here, or one Lambda a tile on AWS."""
    core_seconds = _core_seconds(plan)
    return Estimate(
        rows=plan.geobox.shape[0],
        cols=plan.geobox.shape[1],
        pixels=plan.pixels,
        tiles=len(plan.tiles),
        tile_edge=plan.edge,
        bands=len(plan.cog.bands),
        dtype=plan.cog.dtype,
        crs=plan.geobox.crs,
        resolution=plan.geobox.resolution,
        raw_bytes=raw_bytes(plan.cog, plan.pixels),
        bytes_min=bytes_min(plan),
        bytes_max=bytes_max(plan),
        seconds=Interval(low=0.3 + core_seconds.low / workers, high=4.0 + core_seconds.high / min(workers, 2)),
        aws_cost_usd=_aws_cost(len(plan.tiles), core_seconds),
        warnings=plan.warnings + _warnings(plan),
    )


def _core_seconds(plan: ExportPlan) -> Interval:
    """Every tile reads at least one scene and at most all that touch it, at the resolution of some overview."""
    samples = plan.pixels * max(len(plan.bands), 1) / 1e6
    scenes = max(sum(len(tile.scenes) for tile in plan.tiles) / max(len(plan.tiles), 1), 1.0)
    source = source_pixels(plan)
    rate = Throughput()
    low = samples / rate.high + samples * min(source) / rate.read_high
    high = samples * scenes * (1 / rate.low + max(source) / rate.read_low)
    return Interval(low=low, high=high + 0.05 * len(plan.tiles))


def _warnings(plan: ExportPlan) -> tuple[str, ...]:
    gigapixels = plan.pixels * max(source_pixels(plan)) / 1e9
    if max(source_pixels(plan)) < _MANY or gigapixels < 1:
        return ()
    return (f"scenes without overviews: about {gigapixels:.3g} billion of their pixels are read",)


def source_pixels(plan: ExportPlan) -> list[float]:
    """For each scene, how many pixels of its files are read for one of the output: more than a few where it lacks
    overviews."""
    found = []
    for scene in plan.scenes:
        used = {band.asset for band in scene.bands if band.name in plan.bands}
        scales = [choose_overview(scene.assets[key], plan.geobox)[1] for key in used]
        found.append(max((1 / (across * down) for across, down in scales), default=1.0))
    return found or [1.0]


def bytes_min(plan: ExportPlan) -> int:
    """What it takes where pixels compress as well as they seldom do."""
    return raw_bytes(plan.cog, plan.pixels) // PROFILES[plan.cog.profile].compression


def bytes_max(plan: ExportPlan) -> int:
    """All blocks that can come about, raw and then as large as the codec can make them, and the header."""
    tiling = Tiling(plan.geobox.shape, plan.edge)
    blocks = sum(
        _blocks(tiling.tile_shape(tile.row, tile.col, level)) for tile in plan.tiles for level in range(tiling.levels)
    )
    blocks += sum(_blocks(shape) for shape in level_shapes(plan.geobox.shape)[tiling.levels :])
    return bytes_bound(plan.cog, blocks) + _index_bytes(plan) + _HEADER_BYTES


_HEADER_BYTES = 1 << 16
"""Directories, GeoKeys and what GDAL adds, apart from block arrays and our tags; a WKT fits many times"""

_ESCAPED = 6
"""Bytes of a character in GDAL's XML metadata at most: a quote is &quot;"""


def _index_bytes(plan: ExportPlan) -> int:
    """The block arrays, which count sparse blocks too, and the tags."""
    planes = len(plan.cog.bands) if plan.cog.planar else 1
    every_block = sum(_blocks(shape) for shape in level_shapes(plan.geobox.shape))
    texts = [*tags_of(plan).values(), *plan.cog.bands]
    tags = sum(_ESCAPED * len(text.encode()) for text in texts)
    return every_block * (planes + plan.cog.masked) * 12 + tags + 1024 * len(plan.cog.bands)


def _blocks(shape: tuple[int, int]) -> int:
    return -(-shape[0] // BLOCK) * -(-shape[1] // BLOCK)


def cost_of(milliseconds: int) -> float:
    """US dollars for Lambda time of the render function."""
    return milliseconds / 1000 * _LAMBDA_GB * Prices().lambda_gb_second


def _aws_cost(tiles: int, core_seconds: Interval) -> Interval:
    prices = Prices()
    per_tile = (
        _PER_TILE_TRANSITIONS * prices.step_functions_transition
        + _PER_TILE_PUTS * prices.s3_put
        + _PER_TILE_GETS * prices.s3_get
        + _PER_TILE_WRITES * prices.dynamodb_write
    )
    cold_low, cold_high = _COLD_START_SECONDS
    gb_second = _LAMBDA_GB * prices.lambda_gb_second
    return Interval(
        low=round(tiles * per_tile / 2 + (core_seconds.low + cold_low) * gb_second, 6),
        high=round(tiles * per_tile + (core_seconds.high + cold_high * (tiles + 4)) * gb_second, 6),
    )
