"""Join the segments into one file: header, then every segment as it is. No pixel of a tile is decoded again.

First all is decided (``prepare``: the header, the order, the checksums), then it is written: to a local file here, to
S3 by store/multipart.py, which copies segments without reading them. Memory is bounded by one tile and 12 bytes a
block, whatever the export's size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from cutline.cog import tiff
from cutline.cog.checksum import BLAKE3
from cutline.cog.coarse import CoarserLevels
from cutline.cog.encode import agreed
from cutline.cog.layout import Layout, PlacedSegment
from cutline.cog.with_gdal import template
from cutline.errors import IncompleteExport
from cutline.grid import Tiling
from cutline.kernel import crc64, crc64_joined
from cutline.models.plan import ExportPlan
from cutline.models.receipt import BandStatistics, CogReceipt, Percentiles, Segment, TileReceipt
from cutline.statistics import NONE, combined
from cutline.store.workspace import Workspace

_COPY_BYTES = 4 << 20


@dataclass(frozen=True)
class Assembly:
    """A file that is decided to the last byte, and not written yet."""

    header: bytes
    segments: tuple[Segment, ...]
    """In the file's order, behind the header"""
    nbytes: int
    crc64: int
    """CRC-64/NVME of the whole"""
    segments_sha256: str
    """Over the header and each segment's length and CRC: what identifies the content before it is one file"""
    statistics: tuple[BandStatistics, ...]
    percentiles: tuple[Percentiles | None, ...]
    sparse_tiles: int

    def receipt(self, plan: ExportPlan, href: str, *, checksum: str | None, etag: str | None = None) -> CogReceipt:
        """It is written, to ``href``."""
        return CogReceipt(
            href=href,
            nbytes=self.nbytes,
            checksum=checksum,
            etag=etag,
            crc64=self.crc64,
            segments_sha256=self.segments_sha256,
            shape=plan.geobox.shape,
            crs=plan.geobox.crs,
            transform=tuple(plan.geobox.transform[:6]),
            statistics=self.statistics,
            percentiles=self.percentiles,
            sparse_tiles=self.sparse_tiles,
        )


def assemble(
    plan: ExportPlan, receipts: Sequence[TileReceipt | None], workspace: Workspace, out: Path, tags: dict[str, str]
) -> CogReceipt:
    """Write the COG of ``plan`` to ``out`` (which appears only when it is whole). As ``prepare``."""
    assembly = prepare(plan, receipts, workspace, tags)
    return assembly.receipt(plan, str(out), checksum=_write(out, assembly, workspace))


def prepare(
    plan: ExportPlan, receipts: Sequence[TileReceipt | None], workspace: Workspace, tags: dict[str, str]
) -> Assembly:
    """Make the levels coarser than a tile, and decide the file.

    ``receipts``: one for every tile of the plan, in its order. ``tags``: the file's own metadata. Raises
    IncompleteExport where a tile has no receipt, or a segment not its bytes.
    """
    _check_complete(plan, receipts)
    done = [
        (tile, receipt) for tile, receipt in zip(plan.tiles, receipts, strict=True) if receipt and not receipt.empty
    ]
    placed = [
        PlacedSegment(tile.row, tile.col, plan.edge >> segment.level, segment)
        for tile, receipt in done
        for segment in receipt.segments
    ]
    codec_tags = agreed(receipt.codec_tags for _, receipt in done)
    coarser = CoarserLevels(plan, workspace)
    placed += coarser.made_from(
        {(tile.row, tile.col): receipt.apex for tile, receipt in done if receipt.apex}, codec_tags
    )
    layout = Layout(plan.cog, plan.geobox.shape)
    layout.place(placed)
    per_tile = [receipt.statistics for _, receipt in done]
    statistics = tuple(combined(bands) for bands in zip(*per_tile, strict=True)) or (NONE,) * len(plan.cog.bands)
    header = layout.header(template(plan.cog, plan.geobox, statistics, tags) | _directory(codec_tags))
    segments = tuple(layout.in_file_order())
    crc, digest = crc64(header), hashlib.sha256(header)
    for segment in segments:
        crc = crc64_joined(crc, segment.crc64, segment.nbytes)
        digest.update(segment.nbytes.to_bytes(8, "big") + segment.crc64.to_bytes(8, "big"))
    tiling = Tiling(plan.geobox.shape, plan.edge)
    return Assembly(
        header=header,
        segments=segments,
        nbytes=len(header) + sum(segment.nbytes for segment in segments),
        crc64=crc,
        segments_sha256=digest.hexdigest(),
        statistics=statistics,
        percentiles=coarser.percentiles,
        sparse_tiles=tiling.rows * tiling.cols - len(done),
    )


def _check_complete(plan: ExportPlan, receipts: Sequence[TileReceipt | None]) -> None:
    """Nobody's word is taken that all tiles are there."""
    if len(receipts) != len(plan.tiles):
        raise IncompleteExport(f"{len(plan.tiles)} tiles are planned, {len(receipts)} accounted for")
    levels = list(range(Tiling(plan.geobox.shape, plan.edge).levels))
    for tile, receipt in zip(plan.tiles, receipts, strict=True):
        if receipt is None or receipt.key != tile.key:
            raise IncompleteExport(f"tile ({tile.row}, {tile.col}) has no receipt")
        if not receipt.empty and ([each.level for each in receipt.segments] != levels or receipt.apex is None):
            raise IncompleteExport(f"tile ({tile.row}, {tile.col}) holds data, but not all levels of it are there")


def _directory(codec_tags: dict[int, str]) -> tiff.Directory:
    kinds = {tiff.JPEG_TABLES: (7, 1), tiff.LERC_PARAMETERS: (tiff.LONG, 4)}
    directory: tiff.Directory = {}
    for number, data in codec_tags.items():
        (kind, size), content = kinds[number], bytes.fromhex(data)
        directory[number] = tiff.Tag(kind, len(content) // size, content)
    return directory


def _write(out: Path, assembly: Assembly, workspace: Workspace) -> str:
    """Write aside, then rename. Returns the checksum of the whole."""
    digest = blake3()
    aside = out.with_name(f".{out.name}.part")
    try:
        with aside.open("wb") as file, ThreadPoolExecutor(1) as writer:
            writing = writer.submit(file.write, assembly.header)
            digest.update(assembly.header)
            for piece in _pieces(assembly.segments, workspace):  # read and checked while the one before is written
                digest.update(piece)
                writing.result()
                writing = writer.submit(file.write, piece)
            writing.result()
        aside.replace(out)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return BLAKE3 + digest.hexdigest()


def _pieces(segments: Sequence[Segment], workspace: Workspace) -> Iterator[bytes]:
    """All bytes of the segments. Raises IncompleteExport where a segment's are not those that its receipt promises."""
    for segment in segments:
        copied = crc = 0
        while piece := workspace.get(segment.name, copied, copied + _COPY_BYTES):
            copied, crc = copied + len(piece), crc64(piece, crc)
            yield piece
        if piece is None:
            raise IncompleteExport(f"{segment.name} is gone from the work folder; run the export again")
        if copied != segment.nbytes:
            raise IncompleteExport(f"{segment.name} has {copied} of its {segment.nbytes} bytes")
        if crc != segment.crc64:
            workspace.remove(segment.name)  # so that its tile is rendered again
            raise IncompleteExport(f"{segment.name} was damaged and is thrown away; run the export again")
