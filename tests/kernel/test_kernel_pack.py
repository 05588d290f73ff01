"""Blocks before compression, against what GDAL writes into an uncompressed TIFF of the same pixels."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.io import MemoryFile

from cutline.cog import tiff
from cutline.kernel import Packer

EDGE = 32
DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]


def pixels(dtype: str, shape: tuple[int, int, int], seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.normal(0, 1e3, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def undone(block: memoryview, dtype: str, bands: int, predictor: int) -> np.ndarray:
    """(bands, rows, cols) of a block, as libtiff reads it."""
    options: dict[str, Any] = {"tiled": True, "blockxsize": EDGE, "blockysize": EDGE, "interleave": "pixel"}
    profile = {"driver": "GTiff", "width": EDGE, "height": EDGE, "count": bands, "dtype": dtype, **options}
    with MemoryFile() as memory:
        with memory.open(**profile, compress="deflate", predictor=predictor, zlevel=1) as file:
            file.write(np.ones((bands, EDGE, EDGE), dtype))
        directory, *_ = tiff.read_directories(memory.getbuffer())
    compressed = zlib.compress(bytes(block))
    tags = {**directory, tiff.TILE_BYTE_COUNTS: tiff.Tag.long(len(compressed))}
    tags[tiff.TILE_OFFSETS] = tiff.Tag.long(0)
    start = len(tiff.write_directories([tags], b"", big=False))
    tags[tiff.TILE_OFFSETS] = tiff.Tag.long(start)
    with MemoryFile(tiff.write_directories([tags], b"", big=False) + compressed) as memory, memory.open() as file:
        return np.asarray(file.read())


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("bands", [1, 3, 4])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gdal_reads_what_was_packed(dtype: str, bands: int) -> None:
    values = pixels(dtype, (bands, EDGE + 7, 2 * EDGE - 5))
    for predictor in (1, 3 if np.dtype(dtype).kind == "f" else 2):
        packer = Packer(values, 5, EDGE, predictor)  # type: ignore[arg-type]
        for row, col in ((0, 0), (0, EDGE), (EDGE, 0), (EDGE, EDGE)):
            (block,) = packer.blocks(row, col)
            assert block is not None
            part = values[:, row : row + EDGE, col : col + EDGE]
            expected = np.full((bands, EDGE, EDGE), 5, dtype)
            expected[:, : part.shape[1], : part.shape[2]] = part
            np.testing.assert_array_equal(undone(block, dtype, bands, predictor), expected)


@given(st.sampled_from(DTYPES), st.integers(1, 5), st.integers(0, EDGE - 1), st.integers(0, EDGE - 1))
def test_a_block_is_empty_only_when_every_sample_is(dtype: str, bands: int, row: int, col: int) -> None:
    values = np.full((bands, EDGE, EDGE), 7, dtype)
    packer = Packer(values, 7, EDGE, 1)
    assert list(packer.blocks(0, 0)) == [None]
    values[bands - 1, row, col] = 8
    assert list(packer.blocks(0, 0)) != [None]


def test_planes_are_packed_one_by_one() -> None:
    values = pixels("int16", (3, EDGE, EDGE))
    values[1] = -9
    planes = [
        None if block is None else bytes(block) for block in Packer(values, -9, EDGE, 1, planar=True).blocks(0, 0)
    ]
    assert planes == [values[0].tobytes(), None, values[2].tobytes()]


def test_nan_is_empty_where_it_stands_for_no_data() -> None:
    values = np.full((2, EDGE, EDGE), np.nan, "float32")
    assert list(Packer(values, np.nan, EDGE, 3).blocks(0, 0)) == [None]
    assert list(Packer(values, 0, EDGE, 3).blocks(0, 0)) != [None]


def test_what_cannot_be_packed_is_refused() -> None:
    values = pixels("float32", (1, EDGE, EDGE))
    with pytest.raises(TypeError, match="predictor 2 is not for float32"):
        Packer(values, 0, EDGE, 2)
    with pytest.raises(TypeError, match="predictor 3 is not for uint8"):
        Packer(values.astype("uint8"), 0, EDGE, 3)
    with pytest.raises(ValueError, match="contiguous"):
        Packer(values[:, :, ::2], 0, EDGE, 3)
    with pytest.raises(ValueError, match="no block at"):
        list(Packer(values, 0, EDGE, 3).blocks(EDGE, 0))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_gdal_is_the_oracle() -> None:
    """The oracle itself can fail: bytes that were not predicted are not read as if they were."""
    values = pixels("uint16", (1, EDGE, EDGE))
    (block,) = Packer(values, 0, EDGE, 1).blocks(0, 0)
    assert block is not None
    assert not np.array_equal(undone(block, "uint16", 1, 2), values)
