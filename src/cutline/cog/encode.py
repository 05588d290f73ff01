"""Pixels to TIFF blocks: GDAL writes a small TIFF in memory, and its encoded blocks are taken out as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from cutline.cog import tiff
from cutline.cog.profile import creation_options
from cutline.errors import IncompleteExport
from cutline.grid import BLOCK
from cutline.models.grid import Geobox
from cutline.models.plan import CogSpec
from cutline.models.receipt import BandStatistics

CODEC_TAGS = (tiff.JPEG_TABLES, tiff.LERC_PARAMETERS)
"""What a decoder needs beside a block, and GDAL keeps once for the image"""


@dataclass(frozen=True)
class EncodedLevel:
    """One tile at one level: its blocks row by row (the planes of a block together), b"" where all is empty."""

    blocks: list[bytes]
    masks: list[bytes]
    """As many as there are blocks; none without an internal mask"""
    codec_tags: dict[int, str]
    """In hexadecimal, as receipts keep them"""


def encode(values: NDArray[Any], valid: NDArray[np.bool_], spec: CogSpec) -> EncodedLevel:
    """Encode a tile: values (bands, rows, cols) of the spec's dtype, valid (rows, cols)."""
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), MemoryFile() as memory:
        with memory.open(
            height=values.shape[1],
            width=values.shape[2],
            transform=Affine(1, 0, 0, 0, -1, 1),  # of no meaning, but without one rasterio warns
            **creation_options(spec),
        ) as file:
            file.write(values)
            if spec.masked:
                file.write_mask(valid)
        encoded = memory.getbuffer()
        image, *rest = tiff.read_directories(encoded)
        planes = len(spec.bands) if spec.planar else 1
        blocks = _blocks(encoded, image)
        per_plane = len(blocks) // planes
        return EncodedLevel(
            blocks=[blocks[plane * per_plane + at] for at in range(per_plane) for plane in range(planes)],
            masks=_blocks(encoded, rest[0]) if spec.masked else [],
            codec_tags={number: image[number].data.hex() for number in CODEC_TAGS if number in image},
        )


def _blocks(encoded: memoryview, directory: tiff.Directory) -> list[bytes]:
    offsets = directory[tiff.TILE_OFFSETS].numbers().tolist()
    counts = directory[tiff.TILE_BYTE_COUNTS].numbers().tolist()
    return [bytes(encoded[at : at + count]) for at, count in zip(offsets, counts, strict=True)]


def agreed(codec_tags: Iterable[Mapping[int, str]]) -> dict[int, str]:
    """The one set of decoding tables that all blocks share; none of no blocks. Raises IncompleteExport."""
    found = {tuple(sorted(tags.items())) for tags in codec_tags}
    if len(found) > 1:
        raise IncompleteExport("the tiles were encoded with different tables; delete the work folder and export again")
    return dict(next(iter(found), ()))


def template(
    spec: CogSpec, geobox: Geobox, statistics: tuple[BandStatistics, ...], tags: dict[str, str]
) -> tiff.Directory:
    """The tags of the finished file's main image, as GDAL itself would write them (GeoKeys, nodata, metadata)."""
    with MemoryFile() as memory:
        with memory.open(
            height=BLOCK,  # the tags that know the size are written anew
            width=BLOCK,
            crs=geobox.crs,
            transform=_trimmed(geobox.transform),
            BIGTIFF="YES",
            **creation_options(spec),
        ) as file:
            file.update_tags(**tags)
            file.scales, file.offsets = (spec.scale,) * file.count, (spec.offset,) * file.count
            for index, (name, known) in enumerate(zip(spec.bands, statistics, strict=True), start=1):
                file.set_band_description(index, name)
                file.update_tags(index, **_statistics_tags(known, geobox.shape))
        return tiff.read_directories(memory.getbuffer())[0]


def _trimmed(transform: Affine) -> Affine:
    """Without negative zeros, which would show in the file."""
    return Affine(*(value + 0.0 for value in transform[:6]))


def _statistics_tags(known: BandStatistics, shape: tuple[int, int]) -> dict[str, str]:
    """GDAL's names, so that viewers need not compute them again."""
    if not known.count:
        return {"STATISTICS_VALID_PERCENT": "0"}
    return {
        "STATISTICS_MINIMUM": repr(known.minimum),
        "STATISTICS_MAXIMUM": repr(known.maximum),
        "STATISTICS_MEAN": repr(known.mean),
        "STATISTICS_STDDEV": repr((known.squares / known.count) ** 0.5),
        "STATISTICS_VALID_PERCENT": f"{100 * known.count / (shape[0] * shape[1]):.4g}",
    }
