"""Is this file a whole COG, and the one its item describes? Structure, completeness, checksum."""

from __future__ import annotations

import hashlib
import itertools
import json
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from cutline.cog import tiff
from cutline.errors import InvalidRequest
from cutline.grid import BLOCK
from cutline.models.base import Model

_READ_BYTES = 8 << 20

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
        directories = _directories(path)
    except tiff.NotTiff as error:
        return _nothing_but(path, Fault(check="structure", message=str(error)))
    faults = [*_structure(directories, path.stat().st_size), *_completeness(path)]
    checks: tuple[Check, ...] = ("structure", "completeness")
    if item is not None:
        checks += ("checksum",)
        faults += _checksum(path, item)
    images = [each for each in directories if not _is_mask(each)]
    counts = np.concatenate([each[tiff.TILE_BYTE_COUNTS].numbers() for each in images if tiff.TILE_BYTE_COUNTS in each])
    return Validation(
        path=str(path),
        valid=not faults,
        checks=checks,
        faults=tuple(faults),
        levels=tuple((each[tiff.IMAGE_LENGTH].number(), each[tiff.IMAGE_WIDTH].number()) for each in images),
        blocks=counts.size,
        sparse_blocks=int((counts == 0).sum()),
    )


def _nothing_but(path: Path, fault: Fault) -> Validation:
    return Validation(
        path=str(path), valid=False, checks=("structure",), faults=(fault,), levels=(), blocks=0, sparse_blocks=0
    )


def _directories(path: Path) -> list[tiff.Directory]:
    """Mapped, not read: a file of gigabytes costs only its head."""
    with path.open("rb") as file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:  # nothing to map
            raise tiff.NotTiff("the file is empty") from error
        with mapped, memoryview(mapped) as content:
            return tiff.read_directories(content)


def _is_mask(directory: tiff.Directory) -> bool:
    return tiff.NEW_SUBFILE_TYPE in directory and bool(directory[tiff.NEW_SUBFILE_TYPE].number() & 4)


def _structure(directories: list[tiff.Directory], nbytes: int) -> Iterator[Fault]:
    """What the COG specification asks (https://docs.ogc.org/is/21-026/21-026.html), and what a damaged file breaks."""
    images = [each for each in directories if not _is_mask(each)]
    sizes = [(each[tiff.IMAGE_WIDTH].number(), each[tiff.IMAGE_LENGTH].number()) for each in images]
    ends: list[int] = []
    for number, directory in enumerate(directories):
        if tiff.TILE_OFFSETS not in directory:
            yield _structural(f"image {number} is in strips, not tiles")
            continue
        offsets = directory[tiff.TILE_OFFSETS].numbers().astype(np.int64)
        counts = directory[tiff.TILE_BYTE_COUNTS].numbers().astype(np.int64)
        if ((offsets + counts) > nbytes).any():
            at = int(np.argmax(offsets + counts > nbytes))
            yield _structural(f"block {at} of image {number} lies beyond the end of the file: it is cut off")
        used = offsets[counts > 0]
        if used.size and not _is_mask(directory):
            ends.append(int(used.min()))
    if any(wider < narrower for wider, narrower in itertools.pairwise(sizes)):
        yield _structural("the overviews are not in order of size")
    if sizes and max(sizes[-1]) > BLOCK:
        yield _structural(f"the smallest overview is {sizes[-1][0]} x {sizes[-1][1]}; a viewer needs one of {BLOCK}")
    if ends != sorted(ends, reverse=True):
        yield _structural("the pixels of an overview lie behind those of a finer level")


def _structural(message: str) -> Fault:
    return Fault(check="structure", message=message)


def _completeness(path: Path) -> Iterator[Fault]:
    """Decode everything: a block that is there but broken shows only so."""
    try:
        with rasterio.open(path, driver="GTiff") as file:
            for _, window in file.block_windows(1):
                file.read(window=window)
                file.dataset_mask(window=window)
    except RasterioError as error:
        cause = error.__cause__ or error
        yield Fault(check="completeness", message=f"a block cannot be decoded: {cause}")


def _checksum(path: Path, item: Path) -> Iterator[Fault]:
    try:
        described: dict[str, Any] = json.loads(item.read_text())
        (asset,) = [each for each in described["assets"].values() if Path(each["href"]).name == path.name]
        expected, size = str(asset["file:checksum"]), int(asset["file:size"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        yield Fault(check="checksum", message=f"{item} is no STAC item with a file:checksum of {path.name}")
        return
    if size != path.stat().st_size:
        yield Fault(check="checksum", message=f"{path.stat().st_size} bytes; its item says {size}")
    elif (actual := "1220" + sha256(path)) != expected:
        yield Fault(check="checksum", message=f"the content hashes to {actual}; its item says {expected}")


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()
