"""A tile's levels: its pixels encoded, halved, encoded again … down to one block, and the apex above that."""

from __future__ import annotations

import functools
import io
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutline.cog.encode import Encoded, agreed, encode
from cutline.cog.profile import empty_value
from cutline.kernel import crc64, finish, halve
from cutline.models.plan import CogSpec
from cutline.models.receipt import Percentiles, Segment
from cutline.store.workspace import Workspace


@dataclass(frozen=True)
class Raster:
    """Pixels as they will be stored: values (bands, rows, cols), valid (rows, cols)."""

    values: NDArray[Any]
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class Pyramid:
    """What was written of one tile."""

    segments: tuple[Segment, ...]
    apex: str
    apex_nbytes: int
    codec_tags: dict[int, str]


def write_pyramid(
    raster: Raster, spec: CogSpec, *, first_level: int, levels: int, name: str, workspace: Workspace
) -> Pyramid:
    """Encode ``levels`` levels of a tile into ``workspace`` under ``name``, and keep what is one level above.

    Lossy profiles make every level from the exact pixels of the one below, not from its decoded bytes.
    """
    segments: list[Segment] = []
    codec_tags: list[dict[int, str]] = []
    for level in range(first_level, first_level + levels):
        encoded = encode(raster.values, raster.valid, spec)
        pieces = _interleaved(encoded.blocks, encoded.masks)
        segment_name = f"{name}/{level}.segment"
        segment = Segment(
            level=level,
            name=segment_name,
            nbytes=sum(map(len, pieces)),
            etag=workspace.put(segment_name, *pieces),
            crc64=functools.reduce(lambda crc, piece: crc64(piece, crc), pieces, 0),
            blocks=tuple(map(len, encoded.blocks)),
            masks=tuple(map(len, encoded.masks)),
        )
        segments.append(segment)
        codec_tags.append(encoded.codec_tags)
        raster = reduced(raster, spec)
    apex, pixels = f"{name}/apex.npz", _apex_bytes(raster)
    workspace.put(apex, pixels)
    return Pyramid(tuple(segments), apex, len(pixels), agreed(codec_tags))


def reduced(raster: Raster, spec: CogSpec) -> Raster:
    """The next overview of ``raster``. A pixel without some of its bands (NaN) counts in the others."""
    if np.dtype(spec.dtype).kind != "f" or spec.masked:
        return finished(Raster(*halve(raster.values, raster.valid, spec.overview)), spec)
    known = raster.valid & ~_is_empty(raster.values, spec)
    bands = [
        finished(Raster(*halve(band[None], where, spec.overview)), spec)
        for band, where in zip(raster.values, known, strict=True)
    ]
    return Raster(np.concatenate([band.values for band in bands]), np.logical_or.reduce([band.valid for band in bands]))


def finished(raster: Raster, spec: CogSpec, *, gaps: bool = False) -> Raster:
    """``raster``, changed: nodata (or 0 beside a mask) where it is not valid, and no valid value that equals nodata;
    unless such are the ``gaps`` of a band, as the sources have them."""
    beside = None if spec.masked or gaps else _beside_nodata(spec)
    finish(raster.values, raster.valid, empty_value(spec), beside)
    return raster


def percentiles(raster: Raster, spec: CogSpec) -> tuple[Percentiles | None, ...]:
    """Of each band, among its valid and finite pixels."""
    known = np.broadcast_to(raster.valid, raster.values.shape) & np.isfinite(raster.values)
    if not spec.masked:
        known &= ~_is_empty(raster.values, spec)
    found = [values[where].astype(np.float64) for values, where in zip(raster.values, known, strict=True)]
    ends = [np.percentile(values, (2, 98)).tolist() if values.size else None for values in found]
    return tuple((two[0], two[1]) if two else None for two in ends)


def _is_empty(values: NDArray[Any], spec: CogSpec) -> NDArray[np.bool_]:
    """Which stored values say that there is no data. NaN equals nothing, not even itself."""
    empty = empty_value(spec)
    found: NDArray[np.bool_] = np.isnan(values) if np.isnan(empty) else values == empty
    return found


def _beside_nodata(spec: CogSpec) -> Any:
    """What a valid pixel becomes that happens to equal nodata: its neighbour among the numbers, as GDAL has it."""
    empty = empty_value(spec)
    if empty.dtype.kind == "f":
        return np.nextafter(empty, np.inf, dtype=empty.dtype)
    return empty - 1 if empty == np.iinfo(empty.dtype).max else empty + 1


def read_apex(content: bytes) -> Raster:
    """Raises ValueError where ``content`` is none."""
    try:
        with np.load(io.BytesIO(content)) as arrays:
            values, bits = arrays["values"], arrays["valid"]
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise ValueError("not an apex, or a damaged one") from error
    shape = values.shape[1:]
    return Raster(values, np.unpackbits(bits, count=shape[0] * shape[1]).reshape(shape).view(np.bool_))


def _apex_bytes(raster: Raster) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, values=raster.values, valid=np.packbits(raster.valid))
    return buffer.getvalue()


def _interleaved(blocks: list[Encoded], masks: list[Encoded]) -> list[Encoded]:
    """File order: each block with all of its planes, and its mask behind it."""
    if not masks:
        return blocks
    planes = len(blocks) // len(masks)
    return [piece for at, mask in enumerate(masks) for piece in (*blocks[at * planes : (at + 1) * planes], mask)]
