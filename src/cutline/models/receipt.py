"""What was done: proofs that the next step checks instead of trusting."""

from __future__ import annotations

from pydantic import Field

from cutline.models.base import AffineCoefficients, Model


class BandStatistics(Model):
    """Of the valid pixels of a band, as stored. Two of them combine exactly (Chan et al. 1979)."""

    count: int
    minimum: float
    maximum: float
    mean: float
    squares: float
    """Sum of squared differences from the mean"""


Percentiles = tuple[float, float]
"""The 2nd and the 98th of a band, which viewers stretch to"""


class Segment(Model):
    """The encoded blocks of one tile at one level, as one object."""

    level: int
    name: str
    """In the workspace"""
    nbytes: int
    etag: str | None = None
    """Where the workspace knows such: what S3 compares before it copies"""
    crc64: int
    """CRC-64/NVME of its bytes: a whole file's can be made of its segments' without reading them again"""
    blocks: tuple[int, ...]
    """Bytes of each block, in file order: row by row, the planes of a block together; 0: no data at all"""
    masks: tuple[int, ...] = ()
    """Bytes of each block's mask, which follows the block; () without an internal mask"""


class TileReceipt(Model):
    """A tile is rendered: its segments, or the statement that it holds no data."""

    key: str
    segments: tuple[Segment, ...]
    apex: str | None
    """The tile's pixels one level above its last segment, from which coarser overviews are made"""
    apex_nbytes: int = 0
    codec_tags: dict[int, str] = Field(default_factory=dict)
    """TIFF tags that decoding needs and that all blocks share, in hexadecimal (JPEGTables, LercParameters)"""
    statistics: tuple[BandStatistics, ...]
    empty: bool
    """No valid pixel; a legitimate result, which the file keeps sparse"""


class CogReceipt(Model):
    """The finished file."""

    href: str
    nbytes: int
    checksum: str | None
    """A multihash in hexadecimal, as STAC's file:checksum; None where nobody has read the file"""
    etag: str | None = None
    crc64: int
    """CRC-64/NVME, the checksum that S3 keeps of a whole object"""
    segments_sha256: str
    """Hexadecimal, over the header and the ordered lengths and CRCs of the segments"""
    shape: tuple[int, int]
    crs: str
    transform: AffineCoefficients
    statistics: tuple[BandStatistics, ...]
    percentiles: tuple[Percentiles | None, ...]
    """Of the pixels one level above the smallest overview; None for a band without data"""
    sparse_tiles: int
    """Tiles with nothing in them"""
