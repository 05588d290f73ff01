"""The overviews coarser than a tile, made from the tiles' apexes: the only pixels that assembling computes.

Stage by stage: the apexes of the plan's tiles are the pixels of a smaller raster, which is cut into tiles of the same
edge, each with an apex of its own, and so on until one block holds all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from cutline.cog.encode import agreed
from cutline.cog.layout import PlacedSegment
from cutline.cog.profile import empty_value
from cutline.cog.pyramid import Raster, percentiles, read_apex, write_pyramid
from cutline.errors import IncompleteExport
from cutline.grid import Tiling, level_shapes
from cutline.models.plan import ExportPlan
from cutline.models.receipt import Percentiles
from cutline.store.workspace import Workspace

_FETCHED_AT_ONCE = 32

Apexes = dict[tuple[int, int], str]
"""(row, col) of a tile that holds data -> the name of its apex in the workspace"""


def stages(shape: tuple[int, int], edge: int) -> list[tuple[int, Tiling]]:
    """The tilings that make all levels, each with its first level: the plan's own, then those above it."""
    shapes = level_shapes(shape)
    found: list[tuple[int, Tiling]] = []
    level = 0
    while level < len(shapes):
        tiling = Tiling(shapes[level], edge)
        found.append((level, tiling))
        level += tiling.levels
    return found


class CoarserLevels:
    """Makes and writes the levels above a plan's tiles."""

    def __init__(self, plan: ExportPlan, workspace: Workspace) -> None:
        self._plan = plan
        self._workspace = workspace
        inputs = plan.geobox.model_dump_json() + "".join(tile.key for tile in plan.tiles)
        self.percentiles: tuple[Percentiles | None, ...] = (None,) * len(plan.cog.bands)
        """Of each band, from the last apex: known when all levels are made"""
        self._name = f"coarse-{hashlib.sha256(inputs.encode()).hexdigest()[:32]}"

    def made_from(self, apexes: Apexes, codec_tags: dict[int, str]) -> Iterator[PlacedSegment]:
        """Raises IncompleteExport where an apex has gone, or where other ``codec_tags`` than these would be needed."""
        (_, below), *above = stages(self._plan.geobox.shape, self._plan.edge)
        for first_level, tiling in above:
            grown: Apexes = {}
            for row, col in tiling:
                raster = self._gathered(tiling, row, col, below, apexes)
                if raster is None:
                    continue
                pyramid = write_pyramid(
                    raster,
                    self._plan.cog,
                    first_level=first_level,
                    levels=tiling.levels,
                    name=f"{self._name}/{first_level}-{row}-{col}",
                    workspace=self._workspace,
                )
                agreed([codec_tags, pyramid.codec_tags])
                grown[row, col] = pyramid.apex
                for segment in pyramid.segments:
                    yield PlacedSegment(row, col, tiling.edge >> (segment.level - first_level), segment)
            below, apexes = tiling, grown
        for top in apexes.values():  # one, or none where nothing has data
            self.percentiles = percentiles(self._apex(top, self._workspace.get(top)), self._plan.cog)

    def _gathered(self, tiling: Tiling, row: int, col: int, below: Tiling, apexes: Apexes) -> Raster | None:
        """The pixels of one tile, from the apexes that it covers; None where there is none of those."""
        edge = below.edge >> below.levels  # pixels along an apex's side
        across = tiling.edge // edge
        covered = [
            (place_row, place_col, apexes[row * across + place_row, col * across + place_col])
            for place_row in range(across)
            for place_col in range(across)
            if (row * across + place_row, col * across + place_col) in apexes
        ]
        if not covered:
            return None
        shape = tiling.tile_shape(row, col)
        values = np.full((len(self._plan.cog.bands), *shape), empty_value(self._plan.cog))
        valid = np.zeros(shape, np.bool_)
        for (place_row, place_col, _), apex in zip(covered, self._read([name for *_, name in covered]), strict=True):
            rows, cols = apex.valid.shape
            top, left = place_row * edge, place_col * edge
            values[:, top : top + rows, left : left + cols] = apex.values
            valid[top : top + rows, left : left + cols] = apex.valid
        return Raster(values, valid)

    def _read(self, names: Sequence[str]) -> Iterator[Raster]:
        """The apexes of these names, several fetched at once: each is small, and may be far away."""
        with ThreadPoolExecutor(_FETCHED_AT_ONCE) as threads:
            for start in range(0, len(names), _FETCHED_AT_ONCE):
                some = names[start : start + _FETCHED_AT_ONCE]
                for name, content in zip(some, threads.map(self._workspace.get, some), strict=True):
                    yield self._apex(name, content)

    def _apex(self, name: str, content: bytes | None) -> Raster:
        if content is None:
            raise IncompleteExport(f"{self._workspace.where(name)} is gone; run the export again")
        try:
            return read_apex(content)
        except ValueError as error:
            self._workspace.remove(name)  # so that its tile is rendered again
            raise IncompleteExport(
                f"{self._workspace.where(name)} was damaged and is thrown away; run the export again"
            ) from error
