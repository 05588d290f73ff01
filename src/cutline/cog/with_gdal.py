"""What only GDAL writes: it makes a small TIFF in memory, and what is wanted of that is taken out as it is.

In our own environment: without one, rasterio makes a session with AWS for each file, which takes longer than the file.
"""

from __future__ import annotations

from typing import Any

from affine import Affine
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from cutline.cog import tiff
from cutline.cog.profile import creation_options
from cutline.grid import BLOCK
from cutline.imagery.environment import environment
from cutline.models.grid import Geobox
from cutline.models.plan import CogSpec
from cutline.models.receipt import BandStatistics

_CODEC_TAGS = (tiff.JPEG_TABLES, tiff.LERC_PARAMETERS)
"""What a decoder needs beside a block, and GDAL keeps once for the image"""


def blocks_by_gdal(values: NDArray[Any], spec: CogSpec) -> tuple[list[bytes], dict[int, str]]:
    """The encoded blocks of (bands, rows, cols), plane by plane and row by row, b"" where all is empty; and the tags,
    in hexadecimal, that decoding them needs."""
    with environment(), MemoryFile() as memory:
        with memory.open(
            height=values.shape[1],
            width=values.shape[2],
            transform=Affine(1, 0, 0, 0, -1, 1),  # of no meaning, but without one rasterio warns
            **creation_options(spec),
        ) as file:
            file.write(values)
        encoded = memory.getbuffer()
        image, *_ = tiff.read_directories(encoded)
        offsets = image[tiff.TILE_OFFSETS].numbers().tolist()
        counts = image[tiff.TILE_BYTE_COUNTS].numbers().tolist()
        blocks = [bytes(encoded[at : at + count]) for at, count in zip(offsets, counts, strict=True)]
        return blocks, {number: image[number].data.hex() for number in _CODEC_TAGS if number in image}


def template(
    spec: CogSpec, geobox: Geobox, statistics: tuple[BandStatistics, ...], tags: dict[str, str]
) -> tiff.Directory:
    """The tags of the finished file's main image, as GDAL itself would write them (GeoKeys, nodata, metadata)."""
    with environment(), MemoryFile() as memory:
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
