"""A tile's levels: its pixels encoded, halved, encoded again … down to one block, and the apex above that."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutline.cog.encode import encode
from cutline.kernel import halve
from cutline.models.plan import CogSpec
from cutline.models.receipt import Segment
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
    codec_tags: dict[int, str]


def write_pyramid(
    raster: Raster, spec: CogSpec, *, first_level: int, levels: int, name: str, workspace: Workspace
) -> Pyramid:
    """Encode ``levels`` levels of a tile into ``workspace`` under ``name``, and keep what is one level above.

    Lossy profiles make every level from the exact pixels of the one below, not from its decoded bytes.
    """
    segments: list[Segment] = []
    codec_tags: dict[int, str] = {}
    for level in range(first_level, first_level + levels):
        encoded = encode(raster.values, raster.valid, spec)
        pieces = _interleaved(encoded.blocks, encoded.masks)
        segment = Segment(
            level=level,
            name=f"{name}/{level}.segment",
            nbytes=sum(map(len, pieces)),
            blocks=tuple(map(len, encoded.blocks)),
            masks=tuple(map(len, encoded.masks)),
        )
        workspace.put(segment.name, b"".join(pieces))
        segments.append(segment)
        codec_tags |= {number: data.hex() for number, data in encoded.codec_tags.items()}
        raster = reduced(raster, spec)
    apex = f"{name}/apex.npz"
    workspace.put(apex, _packed(raster))
    return Pyramid(tuple(segments), apex, codec_tags)


def reduced(raster: Raster, spec: CogSpec) -> Raster:
    """The next overview of ``raster``."""
    values, valid = halve(raster.values, raster.valid, spec.overview)
    return Raster(np.where(valid, values, empty_value(spec)), valid)


def empty_value(spec: CogSpec) -> Any:
    """What is stored where there is no data: a numpy scalar of the spec's dtype."""
    return np.dtype(spec.dtype).type(0 if spec.nodata is None else spec.nodata)


def read_apex(content: bytes) -> Raster:
    with np.load(io.BytesIO(content)) as arrays:
        shape = arrays["values"].shape[1:]
        valid = np.unpackbits(arrays["valid"], count=shape[0] * shape[1]).reshape(shape).view(np.bool_)
        return Raster(arrays["values"], valid)


def _packed(raster: Raster) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, values=raster.values, valid=np.packbits(raster.valid))
    return buffer.getvalue()


def _interleaved(blocks: list[bytes], masks: list[bytes]) -> list[bytes]:
    """File order: each block with all of its planes, and its mask behind it."""
    if not masks:
        return blocks
    planes = len(blocks) // len(masks)
    return [piece for at, mask in enumerate(masks) for piece in (*blocks[at * planes : (at + 1) * planes], mask)]
