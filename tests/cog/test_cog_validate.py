"""Every fault is found and named; what is good is left alone, whoever made it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine

from cutline.cog import tiff
from cutline.cog.validate import Validation, validate
from cutline.errors import InvalidRequest
from cutline.grid import level_shapes
from tests.cog.building import build, make_raster, make_spec
from tests.support.cogcheck import assert_valid_cog, gdal_findings

SHAPE = (700, 1100)
"""2 x 3 tiles of one block, and two levels above"""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    spec = make_spec("deflate", "uint8", 2)
    return build(tmp_path_factory.mktemp("good"), spec, make_raster(spec, SHAPE)).path.read_bytes()


@pytest.fixture
def cog(tmp_path: Path, good: bytes) -> Path:
    path = tmp_path / "cog.tif"
    path.write_bytes(good)
    return path


def _item(cog: Path, **fields: object) -> Path:
    content = cog.read_bytes()
    asset = {"href": f"./{cog.name}", "file:size": len(content)}
    asset |= {"file:checksum": "1220" + hashlib.sha256(content).hexdigest(), **fields}
    path = cog.with_suffix(".json")
    path.write_text(json.dumps({"type": "Feature", "assets": {"data": asset}}))
    return path


def _messages(found: Validation) -> str:
    assert not found.valid
    return "\n".join(f"{fault.check}: {fault.message}" for fault in found.faults)


def test_a_good_file(cog: Path) -> None:
    found = validate(cog)
    assert found.valid and found.faults == () and found.checks == ("structure", "completeness")
    assert found.levels == tuple(level_shapes(SHAPE))
    assert (found.blocks, found.sparse_blocks) == (6 + 2 + 1, 2 + 1)
    _item(cog)
    assert validate(cog).checks == ("structure", "completeness", "checksum")
    assert validate(cog).valid


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.tif"):
        with pytest.raises(InvalidRequest, match="there is no file"):
            validate(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"II", "cut off"),
        (b"\x89PNG\r\n\x1a\n" * 20, "no little-endian TIFF"),
        (b"II*\0\0\0\0\0", "holds no image"),
        (b"II*\0\x08\0\0\0" + bytes(6), "tag 257 is missing"),
    ],
    ids=["empty", "two bytes", "a PNG", "no directory", "a directory without tags"],
)
def test_what_is_no_image(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "other.tif"
    path.write_bytes(content)
    found = validate(path)
    assert reason in _messages(found)
    assert found.checks == ("structure",) and found.levels == () and found.blocks == 0


@pytest.mark.parametrize("keep", [0.999, 0.5, 0.1, 0.01, 0.001])
def test_a_file_cut_off(cog: Path, good: bytes, keep: float) -> None:
    cog.write_bytes(good[: int(len(good) * keep)])
    assert "structure: " in (said := _messages(validate(cog)))
    assert "cut off" in said


def _blocks(content: bytes) -> list[tuple[str, int, int]]:
    """(what it belongs to, offset, bytes) of one block of each image that has any."""
    names = [f"{kind}level {level}" for level in range(3) for kind in ("", "the mask of ")]
    found = []
    for name, image in zip(names, tiff.read_directories(content), strict=True):
        counts = image[tiff.TILE_BYTE_COUNTS].numbers()
        at = int(np.argmax(counts))
        found.append((name, int(image[tiff.TILE_OFFSETS].numbers()[at]), int(counts[at])))
    return found


@pytest.mark.parametrize("where", [0.0, 0.3, 0.7, 1.0])
def test_a_byte_changed_in_a_block_of_any_level_or_mask(cog: Path, good: bytes, where: float) -> None:
    """The last ones are zlib's checksum, which GDAL does not compare."""
    for name, offset, count in _blocks(good):
        changed = bytearray(good)
        changed[offset + int(where * (count - 1))] ^= 0x40
        cog.write_bytes(changed)
        assert f"completeness: a block of {name} cannot be decoded" in _messages(validate(cog))


@pytest.mark.parametrize("profile", ["jpeg", "webp", "lerc", "zstd", "none"])
def test_a_changed_byte_shows_against_the_item_whatever_the_codec(tmp_path: Path, profile: str) -> None:
    spec = make_spec(profile, "uint8", 3)
    path = build(tmp_path, spec, make_raster(spec, SHAPE)).path
    _item(path)
    assert validate(path).valid
    changed = bytearray(path.read_bytes())
    changed[-5000] ^= 1
    path.write_bytes(changed)
    assert "checksum: the content hashes to" in _messages(validate(path))


@pytest.mark.parametrize("profile", ["lerc", "zstd"])
def test_a_hole_in_a_block_shows_without_an_item(tmp_path: Path, profile: str) -> None:
    spec = make_spec(profile, "uint8", 3)
    content = build(tmp_path, spec, make_raster(spec, SHAPE)).path.read_bytes()
    level = next(block for block in _blocks(content) if block[0] == "level 1")
    changed = bytearray(content)
    changed[level[1] + level[2] // 2 : level[1] + level[2]] = bytes(level[2] - level[2] // 2)
    path = tmp_path / "changed.tif"
    path.write_bytes(changed)
    assert "completeness: a block of level 1 cannot be decoded" in _messages(validate(path))


def test_a_block_that_would_unpack_to_more_than_it_should(cog: Path, good: bytes) -> None:
    """Tiles declared smaller than the blocks are: no more is unpacked than a tile holds."""
    changed = bytearray(good)
    (image, *_) = tiff.locate_directories(good)
    length = good.index(b"\x43\x01", image)  # the entry of TileLength
    changed[length + 8 : length + 10] = (400).to_bytes(2, "little")  # the same number of blocks
    cog.write_bytes(changed)
    assert "holds other than" in _messages(validate(cog))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda cog, item: item.unlink(), "no STAC item"),
        (lambda cog, item: item.write_text("{}"), "no STAC item"),
        (lambda cog, item: item.write_text("not JSON"), "no STAC item"),
        (lambda cog, item: item.write_text('["a list"]'), "no STAC item"),
        (lambda cog, item: cog.write_bytes(cog.read_bytes() + b"\0"), "its item says"),
        (lambda cog, item: _item(cog, **{"file:checksum": "1220" + "0" * 64}), "hashes to 1220"),
        (lambda cog, item: _item(cog, **{"file:size": 7}), "its item says 7"),
        (lambda cog, item: _item(cog, href="./another.tif"), "no STAC item with a checksum of cog.tif"),
    ],
    ids=["gone", "empty", "no JSON", "a list", "longer", "another checksum", "another size", "of another file"],
)
def test_an_item_that_does_not_fit(cog: Path, spoil: Callable[[Path, Path], object], reason: str) -> None:
    item = _item(cog)
    spoil(cog, item)
    said = _messages(validate(cog, item))
    assert "checksum: " in said and reason in said
    assert "structure" not in said and "completeness" not in said


# ---- files by others ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A striped TIFF, as most programs write them."""
    path = tmp_path_factory.mktemp("plain") / "plain.tif"
    spec = make_spec("none", "uint8", 3)
    pixels = make_raster(spec, (900, 1300)).values
    with rasterio.open(
        path, "w", driver="GTiff", width=1300, height=900, count=3, dtype="uint8", crs="EPSG:32633",
        transform=Affine(10, 0, 4e5, 0, -10, 5.6e6), nodata=0,
    ) as file:  # fmt: skip
        file.write(pixels)
    return path


def _copied(plain: Path, path: Path, **options: object) -> Path:
    rasterio.shutil.copy(plain, path, **options)
    return path


@pytest.mark.parametrize(
    "options",
    [
        {"blocksize": 512},
        {"blocksize": 256},
        {"compress": "JPEG"},
        {"compress": "WEBP", "nodata": 0},
        {"compress": "LZW", "interleave": "BAND"},
        {"compress": "ZSTD", "bigtiff": "YES", "predictor": "YES"},
        {"compress": "NONE", "add_mask": "YES"},
    ],
    ids=str,
)
def test_gdals_own_cogs_are_good(plain: Path, tmp_path: Path, options: dict[str, object]) -> None:
    path = _copied(plain, tmp_path / "gdal.tif", driver="COG", **options)
    assert_valid_cog(path)
    found = validate(path)
    assert found.valid, found.faults
    assert found.levels[0] == (900, 1300) and max(found.levels[-1]) <= 512


def test_strips(plain: Path) -> None:
    said = _messages(validate(plain))
    assert "level 0 is in strips, not tiles" in said
    assert "the smallest overview is 1300 x 900" in said
    assert gdal_findings(plain)


def test_overviews_missing(plain: Path, tmp_path: Path) -> None:
    path = _copied(plain, tmp_path / "tiled.tif", driver="COG", overviews="NONE")
    assert _messages(validate(path)) == "structure: the smallest overview is 1300 x 900; a viewer needs one of 512"


def test_overviews_added_later(plain: Path, tmp_path: Path) -> None:
    path = _copied(plain, tmp_path / "tiled.tif", driver="GTiff", tiled=True)
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4])
    said = _messages(validate(path))
    assert "pixels lie before the directories" in said
    assert "the pixels of an overview lie behind those of a finer level" in said
    assert gdal_findings(path)


def test_overviews_in_a_file_beside_do_not_count(plain: Path, tmp_path: Path) -> None:
    path = _copied(plain, tmp_path / "tiled.tif", driver="GTiff", tiled=True)
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4])
    assert path.with_suffix(".tif.ovr").exists()
    assert "the smallest overview is 1300 x 900" in _messages(validate(path))


def test_several_pages(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    _copied(plain, path, driver="GTiff", tiled=True)
    _copied(plain, path, driver="GTiff", tiled=True, APPEND_SUBDATASET="YES")
    assert "several images" in _messages(validate(path))


def test_any_byte_of_the_head_may_be_wrong(cog: Path, good: bytes) -> None:
    """A verdict, never a crash; not every byte of a head can be checked."""
    head = min(offset for _, offset, _ in _blocks(good))
    rng = np.random.default_rng(5)
    for at in rng.choice(head, 120, replace=False):
        changed = bytearray(good)
        changed[at] ^= int(rng.integers(1, 256))
        cog.write_bytes(changed)
        validate(cog)
