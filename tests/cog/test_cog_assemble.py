"""Joining segments: every block where the header says, and no file at all where a byte is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from blake3 import blake3

from cutline.cog import tiff
from cutline.cog.assemble import assemble
from cutline.cog.coarse import stages
from cutline.cog.encode import agreed, encode
from cutline.cog.layout import GHOST, Layout, PlacedSegment
from cutline.cog.pyramid import read_apex, write_pyramid
from cutline.cog.with_gdal import template
from cutline.errors import IncompleteExport
from cutline.export import export
from cutline.grid import level_shapes
from cutline.kernel import crc64
from cutline.models.plan import CogSpec, ExportPlan
from cutline.models.receipt import Segment, TileReceipt
from cutline.statistics import NONE
from cutline.store.workspace import Folder
from tests.cog.building import build, make_plan, make_raster, make_spec, write_tiles
from tests.support.cogcheck import assert_valid_cog
from tests.support.scenes import make_request, texture, write_scene

SPEC = make_spec("deflate", "uint8", 2)


# ---- layout ---------------------------------------------------------------------------------------------------------


def _placed(row: int, col: int, level: int, blocks: tuple[int, ...], masks: tuple[int, ...] = ()) -> PlacedSegment:
    name = f"{level}-{row}-{col}"
    segment = Segment(level=level, name=name, nbytes=sum(blocks) + sum(masks), crc64=0, blocks=blocks, masks=masks)
    return PlacedSegment(row, col, 512, segment)


def _header(spec: CogSpec, shape: tuple[int, int], placed: list[PlacedSegment]) -> bytes:
    layout = Layout(spec, shape)
    layout.place(placed)
    return layout.header(template(spec, make_plan(spec, shape, 512).geobox, (NONE,) * len(spec.bands), {}))


def _arrays(directory: tiff.Directory) -> tuple[list[int], list[int]]:
    return directory[tiff.TILE_OFFSETS].numbers().tolist(), directory[tiff.TILE_BYTE_COUNTS].numbers().tolist()


def test_blocks_and_masks_follow_one_another_smallest_level_first() -> None:
    spec = make_spec("deflate", "uint8", 1)
    header = _header(
        spec,
        (512, 1024),
        [_placed(0, 0, 0, (100,), (7,)), _placed(0, 1, 0, (0,), (5,)), _placed(0, 0, 1, (30,), (0,))],
    )
    image, mask, overview, overview_mask = tiff.read_directories(header)
    start = len(header)
    assert _arrays(overview) == ([start], [30])
    assert _arrays(overview_mask) == ([0], [0])
    assert _arrays(image) == ([start + 30, 0], [100, 0])
    assert _arrays(mask) == ([start + 130, start + 137], [7, 5])


def test_planes_of_a_block_lie_together_in_the_file_and_apart_in_the_index() -> None:
    spec = make_spec("deflate", "uint8", 9, 0.0)
    sizes = tuple(range(1, 19))  # 2 blocks x 9 planes
    header = _header(spec, (512, 1024), [PlacedSegment(0, 0, 1024, _placed(0, 0, 0, sizes).segment)])
    offsets, counts = _arrays(tiff.read_directories(header)[0])
    in_index_order = [block * 9 + plane for plane in range(9) for block in range(2)]
    assert counts == [sizes[at] for at in in_index_order]
    assert offsets == [len(header) + sum(sizes[:at]) for at in in_index_order]


def test_bigtiff_only_where_the_end_needs_it() -> None:
    spec = make_spec("deflate", "uint8", 1, 0.0)
    shape = (512, 1024)
    small = len(_header(spec, shape, [_placed(0, 0, 0, (1,))]))
    for total, big in ((2**32 - 1, False), (2**32, True), (2**32 + 2**31, True)):
        data = total - small
        first = min(data - 1, 2**32 - 1)
        header = _header(spec, shape, [_placed(0, 0, 0, (first,)), _placed(0, 1, 0, (data - first,))])
        assert header[:4] == (b"II+\0" if big else b"II*\0")
        image, overview = tiff.read_directories(header)
        assert _arrays(image) == ([len(header), len(header) + first], [first, data - first])
        assert image[tiff.TILE_OFFSETS].type == (tiff.LONG8 if big else tiff.LONG)
        assert _arrays(overview) == ([0], [0])
        start = 16 if big else 8
        assert header[start : start + len(GHOST)] == GHOST
        assert min(tiff.locate_directories(header)) == start + len(GHOST) + len(GHOST) % 2


def test_a_bigtiff_is_read_by_gdal(tmp_path: Path) -> None:
    """A hole where nobody wrote takes no room on the disk."""
    spec = make_spec("none", "uint8", 1, 0.0)
    pixels, size = np.full((512, 512), 9, np.uint8), 512 * 512
    hole = 2**32 - 1
    segments = [_placed(0, 0, 0, (hole,)), _placed(0, 1, 0, (size,)), _placed(0, 0, 1, (size,))]
    header = _header(spec, (512, 1024), segments)
    path = tmp_path / "big.tif"
    with path.open("wb") as file:
        file.write(header + pixels.tobytes())
        file.seek(hole, 1)
        file.write(pixels.tobytes())
    with rasterio.open(path) as dataset:
        assert (dataset.read(1)[:, 512:] == 9).all()
        assert dataset.get_tag_item("BLOCK_OFFSET_1_0", "TIFF", bidx=1) == str(len(header) + size + hole)
    assert_valid_cog(path)


@pytest.mark.parametrize(
    ("blocks", "masks", "nbytes"),
    [((5,), (), 5), ((5, 5), (1, 1), 12), ((5,), (1,), 7), ((), (), 0), ((5,), (1, 1), 7)],
    ids=["no mask", "too many", "not their bytes", "none", "another mask"],
)
def test_a_segment_with_other_blocks_than_its_tile_has(
    blocks: tuple[int, ...], masks: tuple[int, ...], nbytes: int
) -> None:
    layout = Layout(make_spec("deflate", "uint8", 1), (512, 512))
    segment = Segment(level=0, name="s", nbytes=nbytes, crc64=0, blocks=blocks, masks=masks)
    with pytest.raises(IncompleteExport, match=r"segment s .* tile \(0, 0\) at level 0"):
        layout.place([PlacedSegment(0, 0, 512, segment)])


@pytest.mark.parametrize("edge", [512, 1024, 4096])
@pytest.mark.parametrize("shape", [(1, 1), (512, 512), (513, 5), (1301, 1407), (30_000, 70_001)])
def test_every_level_is_made_once(shape: tuple[int, int], edge: int) -> None:
    made = [first + level for first, tiling in stages(shape, edge) for level in range(tiling.levels)]
    assert made == list(range(len(level_shapes(shape))))


# ---- encoding -------------------------------------------------------------------------------------------------------


def test_tables_are_the_same_for_all_tiles_and_levels(tmp_path: Path) -> None:
    for kind in (
        ("jpeg", "uint8", 3),
        ("jpeg", "uint8", 1),
        ("lerc", "float32", 2, float("nan")),
        ("lerc", "int16", 1),
    ):
        spec = make_spec(*kind)
        raster = make_raster(spec, (1000, 1100), noise=True)
        raster.values[:, :512, :512] = 0
        receipts = write_tiles(make_plan(spec, (1000, 1100), 512), raster, Folder(tmp_path))
        (tags,) = {tuple(receipt.codec_tags.items()) for receipt in receipts if not receipt.empty}
        assert len(tags) == 1


def test_the_same_pixels_become_the_same_bytes() -> None:
    for kind in (
        ("jpeg", "uint8", 3),
        ("webp", "uint8", 3),
        ("lerc", "float32", 1, float("nan")),
        ("zstd", "int16", 9),
    ):
        spec = make_spec(*kind)
        raster = make_raster(spec, (600, 700), noise=True)
        assert encode(raster.values, raster.valid, spec) == encode(raster.values.copy(), raster.valid.copy(), spec)


def test_different_tables_are_refused() -> None:
    assert agreed([]) == {}
    assert agreed([{347: "ff"}, {347: "ff"}]) == {347: "ff"}
    for other in ({}, {347: "fe"}, {347: "ff", 50674: "00"}):
        with pytest.raises(IncompleteExport, match="different tables"):
            agreed([{347: "ff"}, other])


# ---- faults ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def work(tmp_path: Path) -> tuple[ExportPlan, list[TileReceipt], Folder]:
    """Four tiles of two levels each, an empty one, and one level above them."""
    shape = (1100, 1800)
    workspace = Folder(tmp_path / "work")
    plan = make_plan(SPEC, shape, 1024)
    return plan, write_tiles(plan, make_raster(SPEC, shape), workspace), workspace


Fault = Callable[[list[TileReceipt], Folder], object]


def _changed(receipt: TileReceipt, level: int, **fields: object) -> TileReceipt:
    segments = list(receipt.segments)
    segments[level] = segments[level].model_copy(update=fields)
    return receipt.model_copy(update={"segments": tuple(segments)})


def _set(receipts: list[TileReceipt], receipt: object) -> None:
    receipts[0] = receipt  # type: ignore[call-overload]


def _flip(workspace: Folder, name: str) -> None:
    content = bytearray(workspace.path(name).read_bytes())
    content[len(content) // 2] ^= 1
    workspace.path(name).write_bytes(content)


def _cut(workspace: Folder, name: str, keep: int) -> None:
    path = workspace.path(name)
    path.write_bytes(path.read_bytes()[:keep])


FAULTS: dict[str, tuple[Fault, str]] = {
    "no receipt": (lambda receipts, _: _set(receipts, None), r"tile \(0, 0\) has no receipt"),
    "a receipt less": (lambda receipts, _: receipts.pop(), "4 tiles are planned, 3 accounted for"),
    "another tile's receipt": (lambda receipts, _: _set(receipts, receipts[1]), r"tile \(0, 0\) has no receipt"),
    "no segments": (
        lambda receipts, _: _set(receipts, receipts[0].model_copy(update={"segments": ()})),
        "not all levels",
    ),
    "a level less": (
        lambda receipts, _: _set(receipts, receipts[0].model_copy(update={"segments": receipts[0].segments[:1]})),
        "not all levels",
    ),
    "no apex": (lambda receipts, _: _set(receipts, receipts[0].model_copy(update={"apex": None})), "not all levels"),
    "a block less": (
        lambda receipts, _: _set(receipts, _changed(receipts[0], 0, blocks=receipts[0].segments[0].blocks[:-1])),
        r"does not hold the 4 blocks of tile \(0, 0\) at level 0",
    ),
    "masks missing": (
        lambda receipts, _: _set(
            receipts, _changed(receipts[0], 1, masks=(), nbytes=sum(receipts[0].segments[1].blocks))
        ),
        r"does not hold the 1 blocks of tile \(0, 0\) at level 1",
    ),
    "other tables": (
        lambda receipts, _: _set(receipts, receipts[0].model_copy(update={"codec_tags": {347: "ff"}})),
        "different tables",
    ),
    "a segment's file gone": (lambda _, work: work.path("tile-0-1/1.segment").unlink(), r"1\.segment is gone"),
    "a segment cut off": (lambda _, work: _cut(work, "tile-0-1/0.segment", 99), r"0\.segment has 99 of its \d+ bytes"),
    "a segment empty": (lambda _, work: _cut(work, "tile-1-0/0.segment", 0), r"0\.segment has 0 of its \d+ bytes"),
    "a byte of a segment changed": (lambda _, work: _flip(work, "tile-1-0/0.segment"), r"0\.segment was damaged"),
    "an apex's file gone": (lambda _, work: work.path("tile-0-0/apex.npz").unlink(), r"apex\.npz is gone"),
    "an apex cut off": (lambda _, work: _cut(work, "tile-0-0/apex.npz", 100), r"apex\.npz was damaged"),
    "an apex empty": (lambda _, work: _cut(work, "tile-0-0/apex.npz", 0), r"apex\.npz was damaged"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_missing_is_named_and_no_file_remains(
    tmp_path: Path, work: tuple[ExportPlan, list[TileReceipt], Folder], fault: str
) -> None:
    plan, receipts, workspace = work
    spoil, message = FAULTS[fault]
    spoil(receipts, workspace)
    with pytest.raises(IncompleteExport, match=message):
        assemble(plan, receipts, workspace, tmp_path / "out.tif", {})
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


def test_the_checksums_are_those_of_the_file(
    tmp_path: Path, work: tuple[ExportPlan, list[TileReceipt], Folder]
) -> None:
    receipt = assemble(*work, tmp_path / "out.tif", {})
    content = (tmp_path / "out.tif").read_bytes()
    assert receipt.crc64 == crc64(content)  # though made of those of its segments
    assert receipt.checksum == "1e20" + blake3(content).hexdigest()


def test_a_damaged_segment_is_made_again(tmp_path: Path) -> None:
    """The export that meets it fails; the next one makes its tile anew."""
    scene, work, out = (
        write_scene(tmp_path / "scene.tif", texture((1, 600, 700))),
        tmp_path / "work",
        tmp_path / "out.tif",
    )
    first = export(make_request(scene), out, edge=512, work=work, workers=1)
    out.unlink()
    _flip(Folder(work), f"{first.plan.tiles[1].key}/0.segment")
    with pytest.raises(IncompleteExport, match="was damaged"):
        export(make_request(scene), out, edge=512, work=work, workers=1)
    again = export(make_request(scene), out, edge=512, work=work, workers=1)
    assert (again.reused, again.receipt.checksum) == (len(first.plan.tiles) - 1, first.receipt.checksum)


def test_a_failure_leaves_the_former_file_alone(
    tmp_path: Path, work: tuple[ExportPlan, list[TileReceipt], Folder]
) -> None:
    plan, receipts, workspace = work
    out = tmp_path / "out.tif"
    assemble(plan, receipts, workspace, out, {})
    before = out.read_bytes()
    workspace.path("tile-0-0/0.segment").unlink()
    with pytest.raises(IncompleteExport):
        assemble(plan, receipts, workspace, out, {})
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.tif", "work"]


def test_the_same_segments_make_the_same_file(tmp_path: Path) -> None:
    raster = make_raster(SPEC, (600, 1100))
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    one, other = (build(tmp_path / folder, SPEC, raster) for folder in ("a", "b"))
    assert one.path.read_bytes() == other.path.read_bytes()
    assert one.receipt.checksum == other.receipt.checksum


def test_an_apex_comes_back(tmp_path: Path) -> None:
    raster = make_raster(SPEC, (300, 301))
    workspace = Folder(tmp_path)
    pyramid = write_pyramid(raster, SPEC, first_level=0, levels=1, name="t", workspace=workspace)
    apex = read_apex(workspace.get(pyramid.apex) or b"")
    assert apex.values.shape == (2, 150, 151) and apex.valid.shape == (150, 151)
    assert apex.valid.dtype == np.bool_
