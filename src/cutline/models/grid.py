"""The output grid, known by whole numbers so that two exports agree on every pixel they share."""

from __future__ import annotations

from affine import Affine
from pydantic import Field

from cutline.models.base import Model


class Geobox(Model):
    """A north-up pixel grid: a window (col, row, shape) of a lattice fixed to the CRS.

    The lattice has a pixel corner at ``anchor``; (0, 0) unless a grid was given. Pixel (row, col) of the lattice
    covers x from anchor_x + col·resolution_x, y down from anchor_y - row·resolution_y. Comparing two geoboxes of
    one lattice is integer arithmetic.
    """

    crs: str
    resolution: tuple[float, float]
    """(x, y), both positive, in units of the CRS"""
    anchor: tuple[float, float] = (0.0, 0.0)
    col: int
    row: int
    """Lattice index of the upper left pixel"""
    shape: tuple[int, int] = Field(description="(rows, cols)")

    @property
    def transform(self) -> Affine:
        rx, ry = self.resolution
        return Affine(rx, 0.0, self.anchor[0] + self.col * rx, 0.0, -ry, self.anchor[1] - self.row * ry)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) in the CRS"""
        rows, cols = self.shape
        left, top = self.transform @ (0, 0)
        right, bottom = self.transform @ (cols, rows)
        return left, bottom, right, top

    def window(self, row: int, col: int, shape: tuple[int, int]) -> Geobox:
        """The part that begins at pixel (row, col) of this geobox."""
        return self.model_copy(update={"row": self.row + row, "col": self.col + col, "shape": shape})
