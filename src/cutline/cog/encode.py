"""Pixels to TIFF blocks, each encoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import deflate
import numpy as np
import zstandard
from numpy.typing import NDArray

from cutline.cog.profile import PROFILES, empty_value, level_of, predictor_of
from cutline.cog.with_gdal import blocks_by_gdal
from cutline.errors import IncompleteExport
from cutline.grid import BLOCK
from cutline.kernel import Packer
from cutline.models.plan import CogSpec

Encoded = bytes | bytearray
Compress = Callable[[memoryview], Encoded]

_COMPRESSORS: Mapping[str, Callable[[int], Compress]] = {
    "DEFLATE": lambda level: partial(deflate.zlib_compress, compresslevel=level),
    "ZSTD": lambda level: zstandard.ZstdCompressor(level=level).compress,
    "NONE": lambda _: bytes,
}
"""Codecs that take bytes, by GDAL's names of them; the others take pixels, and GDAL has them"""

_MASK_LEVEL = 1
"""Bits that are mostly alike: harder work makes them no smaller"""


@dataclass(frozen=True)
class EncodedLevel:
    """One tile at one level: its blocks row by row (the planes of a block together), b"" where all is empty."""

    blocks: list[Encoded]
    masks: list[Encoded]
    """As many as there are blocks; none without an internal mask"""
    codec_tags: dict[int, str]
    """In hexadecimal, as receipts keep them"""


def encode(values: NDArray[Any], valid: NDArray[np.bool_], spec: CogSpec) -> EncodedLevel:
    """Encode a tile: values (bands, rows, cols) of the spec's dtype, valid (rows, cols); both C-contiguous."""
    blocks: list[Encoded]
    compress = _COMPRESSORS.get(PROFILES[spec.profile].compress)
    if compress is None:
        by_plane, codec_tags = blocks_by_gdal(values, spec)
        planes = len(spec.bands) if spec.planar else 1
        per_plane = len(by_plane) // planes
        blocks = [by_plane[plane * per_plane + at] for at in range(per_plane) for plane in range(planes)]
    else:
        blocks, codec_tags = list(_compressed(values, spec, compress(level_of(spec)))), {}
    return EncodedLevel(blocks, list(_masks(valid)) if spec.masked else [], codec_tags)


def _compressed(values: NDArray[Any], spec: CogSpec, compress: Compress) -> Iterator[Encoded]:
    packer = Packer(values, empty_value(spec), BLOCK, predictor_of(spec), planar=spec.planar)
    for row, col in _corners(values.shape[1:]):
        for block in packer.blocks(row, col):
            yield b"" if block is None else compress(block)


def _masks(valid: NDArray[np.bool_]) -> Iterator[Encoded]:
    """One bit a pixel, the highest first."""
    for row, col in _corners(valid.shape):
        part = valid[row : row + BLOCK, col : col + BLOCK]
        if not part.any():
            yield b""
            continue
        block = np.zeros((BLOCK, BLOCK), np.bool_)
        block[: part.shape[0], : part.shape[1]] = part
        yield deflate.zlib_compress(np.packbits(block).data, _MASK_LEVEL)


def _corners(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    return ((row, col) for row in range(0, shape[0], BLOCK) for col in range(0, shape[1], BLOCK))


def agreed(codec_tags: Iterable[Mapping[int, str]]) -> dict[int, str]:
    """The one set of decoding tables that all blocks share; none of no blocks. Raises IncompleteExport."""
    found = {tuple(sorted(tags.items())) for tags in codec_tags}
    if len(found) > 1:
        raise IncompleteExport("the tiles were encoded with different tables; delete the work folder and export again")
    return dict(next(iter(found), ()))
