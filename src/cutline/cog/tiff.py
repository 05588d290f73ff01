"""TIFF directories as plain data: read them from bytes, write them as bytes. Pixels are none of its business.

Format: TIFF 6.0 (https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf) and BigTIFF
(https://www.awaresystems.be/imaging/tiff/bigtiff.html), little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEW_SUBFILE_TYPE, IMAGE_WIDTH, IMAGE_LENGTH, BITS_PER_SAMPLE = 254, 256, 257, 258
COMPRESSION, PHOTOMETRIC, SAMPLES_PER_PIXEL, PLANAR_CONFIGURATION = 259, 262, 277, 284
PREDICTOR, TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_BYTE_COUNTS = 317, 322, 323, 324, 325
EXTRA_SAMPLES, SAMPLE_FORMAT, JPEG_TABLES = 338, 339, 347
YCBCR_SUBSAMPLING, REFERENCE_BLACK_WHITE = 530, 532
MODEL_PIXEL_SCALE, MODEL_TIEPOINT, MODEL_TRANSFORMATION = 33550, 33922, 34264
GEO_KEY_DIRECTORY, GEO_DOUBLE_PARAMS, GEO_ASCII_PARAMS = 34735, 34736, 34737
GDAL_METADATA, GDAL_NODATA, LERC_PARAMETERS = 42112, 42113, 50674

SHORT, LONG, LONG8 = 3, 4, 16
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_UNSIGNED = {1: "<u1", SHORT: "<u2", LONG: "<u4", LONG8: "<u8"}


class NotTiff(ValueError):
    """The bytes are no little-endian TIFF, or a damaged one."""


@dataclass(frozen=True)
class Tag:
    """A tag's TIFF type, its count, and its bytes."""

    type: int
    count: int
    data: bytes

    @classmethod
    def short(cls, *values: int) -> Tag:
        return cls(SHORT, len(values), struct.pack(f"<{len(values)}H", *values))

    @classmethod
    def long(cls, value: int) -> Tag:
        return cls(LONG, 1, struct.pack("<I", value))

    def numbers(self) -> NDArray[np.unsignedinteger]:
        """Raises NotTiff where the tag holds none, or others than whole ones."""
        if self.type not in _UNSIGNED or not self.count:
            raise NotTiff(f"a tag of type {self.type} and count {self.count} stands where whole numbers belong")
        return np.frombuffer(self.data, _UNSIGNED[self.type])

    def number(self) -> int:
        return int(self.numbers()[0])


Directory = dict[int, Tag]
"""An image file directory (IFD): tag number -> tag"""


@dataclass(frozen=True)
class _Flavour:
    """What differs between classic TIFF and BigTIFF."""

    big: bool

    @property
    def header(self) -> int:
        return 16 if self.big else 8

    @property
    def entry(self) -> struct.Struct:
        return struct.Struct("<HHQ" if self.big else "<HHI")

    @property
    def number(self) -> struct.Struct:
        """A count of tags"""
        return struct.Struct("<Q" if self.big else "<H")

    @property
    def offset(self) -> struct.Struct:
        return struct.Struct("<Q" if self.big else "<I")

    def directory_size(self, tags: int) -> int:
        return self.number.size + tags * (self.entry.size + self.offset.size) + self.offset.size


def read_directories(data: bytes | memoryview) -> list[Directory]:
    """Every directory of a little-endian TIFF whose directories and tag values lie within ``data``."""
    return list(locate_directories(data).values())


def locate_directories(data: bytes | memoryview) -> dict[int, Directory]:
    """Where each directory begins, and the directory. Raises NotTiff for what is damaged, and for nothing else."""
    reader = _Reader(data)
    order, version = struct.unpack("<2sH", reader.take(0, 4))
    if order != b"II" or version not in (42, 43):
        raise NotTiff("no little-endian TIFF")
    flavour = _Flavour(version == 43)
    at = reader.number(flavour.offset, flavour.header - flavour.offset.size)
    found: dict[int, Directory] = {}
    while at:
        if at in found:
            raise NotTiff("the chain of TIFF directories runs in a circle")
        found[at] = directory = {}
        tags = reader.number(flavour.number, at)
        at += flavour.number.size
        for _ in range(tags):
            number, tag = _read_tag(reader, at, flavour)
            directory[number] = tag
            at += flavour.entry.size + flavour.offset.size
        at = reader.number(flavour.offset, at)
    return found


def _read_tag(reader: _Reader, at: int, flavour: _Flavour) -> tuple[int, Tag]:
    number, kind, count = flavour.entry.unpack(reader.take(at, flavour.entry.size))
    if kind not in _SIZES:
        raise NotTiff(f"tag {number} is of an unknown type, {kind}")
    at, size = at + flavour.entry.size, _SIZES[kind] * count
    if size > flavour.offset.size:
        at = reader.number(flavour.offset, at)
    return number, Tag(kind, count, reader.take(at, size))


class _Reader:
    """Gives away the bytes of a file, not more of them than it has: damage can claim no memory and no time."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = data
        self._left = len(data)

    def take(self, at: int, size: int) -> bytes:
        if at + size > len(self._data):
            raise NotTiff("the TIFF directories are damaged or cut off: they point beyond the end")
        self._left -= size
        if self._left < 0:
            raise NotTiff("the TIFF directories are damaged: they overlap")
        return bytes(self._data[at : at + size])

    def number(self, kind: struct.Struct, at: int) -> int:
        return int(kind.unpack(self.take(at, kind.size))[0])


def write_directories(directories: Sequence[Directory], preamble: bytes, *, big: bool) -> bytes:
    """A file's head: signature, ``preamble``, all directories with their small values, then the block arrays.

    With all directories first, a reader learns everything but the arrays from the first few kilobytes.
    """
    flavour = _Flavour(big)
    first = _even(flavour.header + len(preamble))
    starts, at = [], first
    for directory in directories:
        starts.append(at)
        at = _even(at + flavour.directory_size(len(directory)))
        at += sum(_even(len(tag.data)) for number, tag in directory.items() if _outside(number, tag, flavour))
    head = bytearray(at)
    head[: flavour.header] = _signature(flavour, first)
    head[flavour.header : flavour.header + len(preamble)] = preamble
    for start, directory, following in zip(starts, directories, [*starts[1:], 0], strict=True):
        _write_directory(head, start, directory, following, flavour)
    return bytes(head)


def _signature(flavour: _Flavour, first: int) -> bytes:
    return struct.pack("<2sHHHQ", b"II", 43, 8, 0, first) if flavour.big else struct.pack("<2sHI", b"II", 42, first)


def _write_directory(head: bytearray, start: int, directory: Directory, following: int, flavour: _Flavour) -> None:
    flavour.number.pack_into(head, start, len(directory))
    entry = start + flavour.number.size
    value = _even(start + flavour.directory_size(len(directory)))
    for number, tag in sorted(directory.items()):
        flavour.entry.pack_into(head, entry, number, tag.type, tag.count)
        inline = entry + flavour.entry.size
        if _is_inline(tag, flavour):
            head[inline : inline + len(tag.data)] = tag.data
        elif number in (TILE_OFFSETS, TILE_BYTE_COUNTS):
            flavour.offset.pack_into(head, inline, len(head))
            head += tag.data + bytes(len(tag.data) % 2)
        else:
            flavour.offset.pack_into(head, inline, value)
            head[value : value + len(tag.data)] = tag.data
            value += _even(len(tag.data))
        entry = inline + flavour.offset.size
    flavour.offset.pack_into(head, entry, following)


def _is_inline(tag: Tag, flavour: _Flavour) -> bool:
    return len(tag.data) <= flavour.offset.size


def _outside(number: int, tag: Tag, flavour: _Flavour) -> bool:
    return not _is_inline(tag, flavour) and number not in (TILE_OFFSETS, TILE_BYTE_COUNTS)


def _even(position: int) -> int:
    return position + position % 2
