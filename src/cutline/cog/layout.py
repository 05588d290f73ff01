"""Where every block of the finished file lies, and the header that says so.

The order in the file is what GDAL's and rio-cogeo's validators ask of a COG: signature, ghost area, all
directories, all block arrays, then the pixels, smallest overview first. Within a level the tiles follow one
another whole; the ghost area therefore does not claim row-major blocks, nor block leaders.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cutline.cog import tiff
from cutline.errors import IncompleteExport
from cutline.grid import BLOCK, level_shapes
from cutline.models.plan import CogSpec
from cutline.models.receipt import Segment

_GHOST_BODY = (
    b"LAYOUT=IFDS_BEFORE_DATA\nKNOWN_INCOMPATIBLE_EDITION=NO\n "  # GDAL overwrites NO\n with YES when it edits
)
GHOST = b"GDAL_STRUCTURAL_METADATA_SIZE=%06d bytes\n" % len(_GHOST_BODY) + _GHOST_BODY

_MAIN_ONLY = frozenset(
    {
        tiff.MODEL_PIXEL_SCALE,
        tiff.MODEL_TIEPOINT,
        tiff.MODEL_TRANSFORMATION,
        tiff.GEO_KEY_DIRECTORY,
        tiff.GEO_DOUBLE_PARAMS,
        tiff.GEO_ASCII_PARAMS,
        tiff.GDAL_METADATA,
    }
)
_IMAGE_ONLY = frozenset(
    {
        tiff.PREDICTOR,
        tiff.EXTRA_SAMPLES,
        tiff.SAMPLE_FORMAT,
        tiff.JPEG_TABLES,
        tiff.YCBCR_SUBSAMPLING,
        tiff.REFERENCE_BLACK_WHITE,
        tiff.GDAL_NODATA,
        tiff.LERC_PARAMETERS,
    }
)
_MASK_TAGS = {
    tiff.BITS_PER_SAMPLE: tiff.Tag.short(1),
    tiff.COMPRESSION: tiff.Tag.short(8),  # deflate
    tiff.PHOTOMETRIC: tiff.Tag.short(4),  # transparency mask
    tiff.SAMPLES_PER_PIXEL: tiff.Tag.short(1),
    tiff.PLANAR_CONFIGURATION: tiff.Tag.short(1),
}
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType

Arrays = tuple[NDArray[np.uint64], NDArray[np.uint32]]
"""Offsets and byte counts, (planes, block rows, block cols)"""


@dataclass(frozen=True)
class PlacedSegment:
    """A segment, and the tile it belongs to: (row, col) among the tiles of its level."""

    row: int
    col: int
    edge: int
    """Pixels along the tile's side at the segment's own level"""
    segment: Segment


class Layout:
    """Places segments one after the other and remembers where each block went. 12 bytes of memory a block."""

    def __init__(self, spec: CogSpec, shape: tuple[int, int]) -> None:
        self._spec = spec
        self._shapes = level_shapes(shape)
        self._planes = len(spec.bands) if spec.planar else 1
        self._image = [_no_blocks(self._planes, level) for level in self._shapes]
        self._mask = [_no_blocks(1, level) for level in self._shapes] if spec.masked else []
        self._segments: dict[int, list[Segment]] = {}
        self._size = 0

    def place(self, segments: Iterable[PlacedSegment]) -> None:
        """Give every segment its place: levels from the smallest, within a level in the order given."""
        for placed in sorted(segments, key=lambda each: -each.segment.level):
            self._place(placed)
            self._segments.setdefault(placed.segment.level, []).append(placed.segment)

    def in_file_order(self) -> Iterator[Segment]:
        for level in sorted(self._segments, reverse=True):
            yield from self._segments[level]

    def _place(self, placed: PlacedSegment) -> None:
        segment, per_tile = placed.segment, placed.edge // BLOCK
        brows, bcols = self._image[segment.level][0].shape[1:]
        row, col = placed.row * per_tile, placed.col * per_tile
        rows, cols = min(per_tile, brows - row), min(per_tile, bcols - col)
        expected = (rows * cols * self._planes, rows * cols if self._spec.masked else 0)
        found = len(segment.blocks), len(segment.masks)
        if found != expected or sum(segment.blocks) + sum(segment.masks) != segment.nbytes:
            raise IncompleteExport(
                f"segment {segment.name} does not hold the {rows * cols} blocks of tile ({placed.row}, {placed.col}) "
                f"at level {segment.level}"
            )
        stacked = np.zeros((rows * cols, self._planes + self._spec.masked), np.uint64)  # in file order
        stacked[:, : self._planes] = np.reshape(segment.blocks, (-1, self._planes))
        if segment.masks:
            stacked[:, self._planes] = segment.masks
        ends = self._size + np.cumsum(stacked, dtype=np.uint64).reshape(stacked.shape)
        at = np.s_[row : row + rows, col : col + cols]
        for plane in range(stacked.shape[1]):
            offsets, counts = self._image[segment.level] if plane < self._planes else self._mask[segment.level]
            count = stacked[:, plane].reshape(rows, cols)
            where = (plane if plane < self._planes else 0, *at)
            offsets[where] = np.where(count > 0, ends[:, plane].reshape(rows, cols) - count, 0)
            counts[where] = count
        self._size += segment.nbytes

    def header(self, main: tiff.Directory) -> bytes:
        """The bytes before the first segment. ``main``: the tags of the full-resolution image."""
        for big in (False, True) if self._size < 2**32 else (True,):
            size = len(self._write(main, data_start=0, big=big))
            if big or size + self._size < 2**32:
                return self._write(main, data_start=size, big=big)
        raise AssertionError("BigTIFF has no limit to reach")

    def _write(self, main: tiff.Directory, *, data_start: int, big: bool) -> bytes:
        directories = []
        for level, shape in enumerate(self._shapes):
            directories.append(_image_tags(main, level) | _level_tags(shape, self._image[level], data_start, big=big))
            if self._spec.masked:
                mask = _mask_tags(main, level) | _level_tags(shape, self._mask[level], data_start, big=big)
                directories.append(mask)
        return tiff.write_directories(directories, GHOST, big=big)


def _no_blocks(planes: int, shape: tuple[int, int]) -> Arrays:
    blocks = (planes, -(-shape[0] // BLOCK), -(-shape[1] // BLOCK))
    return np.zeros(blocks, np.uint64), np.zeros(blocks, np.uint32)


def _image_tags(main: tiff.Directory, level: int) -> tiff.Directory:
    if level == 0:
        return dict(main)
    tags = {number: tag for number, tag in main.items() if number not in _MAIN_ONLY}
    return tags | {tiff.NEW_SUBFILE_TYPE: tiff.Tag.long(_REDUCED)}


def _mask_tags(main: tiff.Directory, level: int) -> tiff.Directory:
    tags = {number: tag for number, tag in main.items() if number not in _MAIN_ONLY | _IMAGE_ONLY}
    return tags | _MASK_TAGS | {tiff.NEW_SUBFILE_TYPE: tiff.Tag.long(_MASK | (_REDUCED if level else 0))}


def _level_tags(shape: tuple[int, int], arrays: Arrays, data_start: int, *, big: bool) -> tiff.Directory:
    offsets, counts = arrays
    absolute = np.where(counts > 0, offsets + np.uint64(data_start), 0)
    kind, dtype = (tiff.LONG8, "<u8") if big else (tiff.LONG, "<u4")
    return {
        tiff.IMAGE_LENGTH: tiff.Tag.long(shape[0]),
        tiff.IMAGE_WIDTH: tiff.Tag.long(shape[1]),
        tiff.TILE_OFFSETS: tiff.Tag(kind, offsets.size, absolute.astype(dtype).tobytes()),
        tiff.TILE_BYTE_COUNTS: tiff.Tag(tiff.LONG, counts.size, counts.astype("<u4").tobytes()),
    }
