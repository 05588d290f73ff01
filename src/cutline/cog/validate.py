"""Is this file a whole COG, and the one its item describes? Structure, completeness, checksum."""

from __future__ import annotations

import itertools
import json
import mmap
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from cutline.cog import tiff
from cutline.cog.checksum import HASHES, crc64_text
from cutline.errors import InvalidRequest
from cutline.grid import BLOCK
from cutline.kernel import crc64
from cutline.models.base import Model

_READ_BYTES = 8 << 20
_MAX_BLOCK_BYTES = 2**31 - 1
"""GDAL reads no larger ones"""
_DEFLATE, _PLANAR = 8, 2
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType

Check = Literal["structure", "completeness", "checksum"]


class Fault(Model):
    """One thing that is wrong."""

    check: Check
    message: str


class Validation(Model):
    """What was found."""

    path: str
    valid: bool
    checks: tuple[Check, ...]
    """Those that were made: without an item there is no checksum to compare"""
    faults: tuple[Fault, ...]
    levels: tuple[tuple[int, int], ...]
    """(rows, cols) of each"""
    blocks: int
    sparse_blocks: int


def validate(path: Path, item: Path | None = None) -> Validation:
    """Check ``path``; ``item`` is its STAC item, by default the .json beside it if there is one.

    Every block is decoded. Raises InvalidRequest where there is no such file.
    """
    if not path.is_file():
        raise InvalidRequest(f"there is no file {path}")
    item = item or (beside if (beside := path.with_suffix(".json")).is_file() else None)
    try:
        with _mapped(path) as content:
            images = _images(content)
            faults = [*_structure(images, len(content)), *_completeness(path, images, content)]
    except tiff.NotTiff as error:
        images, faults = [], [Fault(check="structure", message=str(error))]
    checks: list[Check] = ["structure", "completeness"] if images else ["structure"]
    if item is not None:
        checks.append("checksum")
        faults += _checksum(path, item)
    levels = [image for image in images if not image.mask]
    return Validation(
        path=str(path),
        valid=not faults,
        checks=tuple(checks),
        faults=tuple(faults),
        levels=tuple(level.shape for level in levels),
        blocks=sum(level.counts.size for level in levels),
        sparse_blocks=sum(int((level.counts == 0).sum()) for level in levels),
    )


@contextmanager
def _mapped(path: Path) -> Iterator[memoryview]:
    """The content, mapped, not read: of a file of gigabytes only one block at a time is in memory."""
    with path.open("rb") as file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:  # nothing to map
            raise tiff.NotTiff("the file is empty") from error
        with mapped, memoryview(mapped) as content:
            yield content


@dataclass(frozen=True)
class _Image:
    """A directory of the file: a level, or the mask of one."""

    at: int
    """Where the directory is"""
    name: str
    mask: bool
    reduced: bool
    shape: tuple[int, int]
    tiled: bool
    compression: int
    block_bytes: int
    """Of one block, decoded"""
    offsets: NDArray[np.uint64]
    counts: NDArray[np.uint64]

    def beyond(self, nbytes: int) -> NDArray[np.int64]:
        """The blocks that a file of so many bytes does not hold. (Offsets may be anything: no sum of them is safe.)"""
        room = nbytes - np.minimum(self.offsets, nbytes)
        return np.flatnonzero((self.counts > 0) & (self.counts > room))


def _images(content: memoryview) -> list[_Image]:
    images: list[_Image] = []
    for at, directory in tiff.locate_directories(content).items():
        images.append(_image(at, directory, images))
    if not images:
        raise tiff.NotTiff("the file holds no image")
    return images


def _image(at: int, directory: tiff.Directory, before: Sequence[_Image]) -> _Image:
    kind = _number(directory, tiff.NEW_SUBFILE_TYPE, 0)
    shape = _number(directory, tiff.IMAGE_LENGTH), _number(directory, tiff.IMAGE_WIDTH)
    levels = [image for image in before if not image.mask]
    of_level = [number for number, level in enumerate(levels) if level.shape == shape]
    mask, tiled = bool(kind & _MASK), tiff.TILE_OFFSETS in directory
    name = f"the mask of level {of_level[0] if of_level else '?'}" if mask else f"level {len(levels)}"
    nothing = np.zeros(0, np.uint64)
    blocks, block_bytes = _blocks(shape, directory) if tiled else (0, 0)
    image = _Image(
        at=at,
        name=name,
        mask=mask,
        reduced=bool(kind & _REDUCED),
        shape=shape,
        tiled=tiled,
        compression=_number(directory, tiff.COMPRESSION, 1),
        block_bytes=block_bytes,
        offsets=_numbers(directory, tiff.TILE_OFFSETS) if tiled else nothing,
        counts=_numbers(directory, tiff.TILE_BYTE_COUNTS) if tiled else nothing,
    )
    if not image.offsets.size == image.counts.size == blocks:
        raise tiff.NotTiff(f"{name} has not as many blocks as its size needs")
    return image


def _blocks(shape: tuple[int, int], directory: tiff.Directory) -> tuple[int, int]:
    """How many blocks an image of that shape has, and the bytes of one, decoded."""
    rows, cols = _number(directory, tiff.TILE_LENGTH), _number(directory, tiff.TILE_WIDTH)
    samples, planes = _number(directory, tiff.SAMPLES_PER_PIXEL, 1), 1
    if _number(directory, tiff.PLANAR_CONFIGURATION, 1) == _PLANAR:
        samples, planes = 1, samples
    block_bytes = rows * -(-cols * samples * _number(directory, tiff.BITS_PER_SAMPLE, 1) // 8)
    if not 0 < block_bytes <= _MAX_BLOCK_BYTES:
        raise tiff.NotTiff(f"blocks of {rows} x {cols} pixels, {block_bytes} bytes, cannot be")
    return -(-shape[0] // rows) * -(-shape[1] // cols) * planes, block_bytes


def _number(directory: tiff.Directory, tag: int, default: int | None = None) -> int:
    return default if default is not None and tag not in directory else int(_numbers(directory, tag)[0])


def _numbers(directory: tiff.Directory, tag: int) -> NDArray[np.uint64]:
    if tag not in directory:
        raise tiff.NotTiff(f"tag {tag} is missing")
    return directory[tag].numbers().astype(np.uint64)


def _structure(images: Sequence[_Image], nbytes: int) -> Iterator[Fault]:
    """What the COG specification asks (https://docs.ogc.org/is/21-026/21-026.html), and what a damaged file breaks."""
    levels = [image for image in images if not image.mask]
    for image in images:
        if not image.tiled:
            yield _structural(f"{image.name} is in strips, not tiles")
        if (beyond := image.beyond(nbytes)).size:
            yield _structural(
                f"{beyond.size} blocks of {image.name}, the first of them number {beyond[0]}, lie beyond the end of "
                "the file: it is cut off"
            )
    if any(not level.reduced for level in levels[1:]):
        yield _structural("the file holds several images, not one and its overviews")
    if any(finer.shape < coarser.shape for finer, coarser in itertools.pairwise(levels)):
        yield _structural("the overviews are not in order of size")
    rows, cols = levels[-1].shape if levels else (0, 0)
    if max(rows, cols) > BLOCK:
        yield _structural(f"the smallest overview is {cols} x {rows}; a viewer needs one of {BLOCK}")
    starts = [int(level.offsets[level.counts > 0].min()) for level in levels if (level.counts > 0).any()]
    if starts and min(starts) < max(image.at for image in images):
        yield _structural("pixels lie before the directories, which a reader wants first")
    if starts != sorted(starts, reverse=True):
        yield _structural("the pixels of an overview lie behind those of a finer level")


def _structural(message: str) -> Fault:
    return Fault(check="structure", message=message)


def _completeness(path: Path, images: Sequence[_Image], content: memoryview) -> Iterator[Fault]:
    """Decode everything: a block that is there but broken shows only so. One fault an image.

    Of the codecs only DEFLATE and LERC have checksums. In the others a changed byte often decodes to something (JPEG
    most of all); only the item's checksum shows it.
    """
    level = -1
    for image in images:
        level += not image.mask
        if image.compression == _DEFLATE:
            broken = _inflated(image, content)
        else:
            broken = None if image.mask else _decoded(path, level)
        if broken is not None:
            yield Fault(check="completeness", message=f"a block of {image.name} cannot be decoded: {broken}")


def _inflated(image: _Image, content: memoryview) -> str | None:
    """What zlib says against the image's blocks. It compares their checksums; libtiff does not."""
    for number, (offset, count) in enumerate(zip(image.offsets.tolist(), image.counts.tolist(), strict=True)):
        if not count:
            continue
        inflate = zlib.decompressobj()
        try:
            # One byte more than there should be: only then is the end, with the checksum, looked at.
            size = len(inflate.decompress(content[offset : offset + count], image.block_bytes + 1))
        except zlib.error as error:
            return f"number {number}, {error}"
        if size != image.block_bytes or not inflate.eof:
            return f"number {number}, it is cut off or holds other than {image.block_bytes} bytes"
    return None


def _decoded(path: Path, level: int) -> str | None:
    """What GDAL says against a level's blocks."""
    options = {"OVERVIEW_LEVEL": level - 1} if level else {}
    try:
        with (
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),  # no overviews or masks from files beside it
            rasterio.open(path, driver="GTiff", **options) as file,
        ):
            for _, window in file.block_windows(1):
                file.read(window=window)
    except RasterioError as error:
        return str(error.__cause__ or error)
    return None


def _checksum(path: Path, item: Path) -> Iterator[Fault]:
    try:
        described: dict[str, Any] = json.loads(item.read_text())
        (asset,) = [each for each in described["assets"].values() if Path(each["href"]).name == path.name]
        expected, size = str(asset.get("file:checksum") or asset["cutline:crc64nvme"]), int(asset["file:size"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        yield Fault(check="checksum", message=f"{item} is no STAC item with a checksum of {path.name}")
        return
    if size != path.stat().st_size:
        yield Fault(check="checksum", message=f"{path.stat().st_size} bytes; its item says {size}")
    elif "file:checksum" not in asset:
        if (crc := _crc64(path)) != expected:
            yield Fault(check="checksum", message=f"the content's CRC-64/NVME is {crc}; its item says {expected}")
    elif expected[:4] not in HASHES:
        yield Fault(check="checksum", message=f"{expected} is neither a BLAKE3 nor a SHA-256 multihash")
    elif (actual := expected[:4] + _hashed(path, HASHES[expected[:4]]())) != expected:
        yield Fault(check="checksum", message=f"the content hashes to {actual}; its item says {expected}")


def _crc64(path: Path) -> str:
    crc = 0
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            crc = crc64(piece, crc)
    return crc64_text(crc)


def _hashed(path: Path, digest: Any) -> str:
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
    made: str = digest.hexdigest()
    return made
