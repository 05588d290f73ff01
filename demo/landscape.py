"""The ground: farmland along a river, as reflectance and land cover, one function of place.

Places are metres east and north of a point in Lower Bavaria (see ``scenes.GROUND``). Two sensors that look at the same
place see the same ground, so any seam between their images is the exporter's doing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from demo.lines import Segments, Villages, distance, motorway, river
from demo.noise import Floats, Ints, chance, exact_noise, fractal, fraction, noise, smoothstep, whole

VEGETATION, BARE, WATER = 4, 5, 6
"""Land cover, by the classes of Sentinel-2's scene classification (SCL)"""

# Reflectance in percent: blue, green, red, near infrared.
CROPS = np.array(
    [
        (3.2, 6.2, 3.6, 42.0),  # winter wheat
        (3.6, 6.6, 5.0, 35.0),  # wheat, turning
        (6.0, 9.8, 11.4, 29.0),  # barley, ripe
        (2.6, 6.0, 3.0, 49.0),  # maize
        (4.6, 7.6, 7.4, 29.0),  # maize, young
        (2.9, 7.2, 3.4, 53.0),  # sugar beet
        (5.0, 12.5, 11.5, 43.0),  # oilseed rape in flower
        (4.0, 8.4, 5.6, 40.0),  # oilseed rape
        (3.0, 6.4, 4.0, 45.0),  # potatoes
        (3.4, 7.4, 4.8, 39.0),  # meadow
        (4.4, 8.6, 7.0, 34.0),  # meadow, mown
        (5.6, 7.6, 9.6, 17.0),  # bare, dark
        (7.8, 10.8, 13.8, 23.0),  # bare, light
        (5.6, 8.0, 11.8, 21.0),  # bare, reddish
        (7.2, 10.6, 13.4, 27.0),  # stubble
    ],
    dtype=np.float32,
)
FIRST_BARE = 11
CROP_SHARES = np.array([15, 13, 10, 12, 10, 7, 3, 6, 4, 9, 5, 5, 4, 3, 4])
_CROP_OF_1024 = np.repeat(np.arange(len(CROPS)), np.diff(np.r_[0, CROP_SHARES.cumsum() * 1024 // CROP_SHARES.sum()]))

ROOFS = np.array(
    [(6.5, 8.0, 14.0, 19.0), (12.0, 12.5, 13.0, 16.0), (8.0, 8.5, 10.5, 14.0), (19.0, 20.0, 20.5, 23.0)],
    dtype=np.float32,
)
GARDEN = (3.4, 6.0, 4.6, 33.0)
TRACK = (7.0, 9.4, 11.0, 20.0)
HEDGE = (2.4, 4.4, 3.0, 30.0)
ASPHALT = (9.0, 9.8, 10.4, 13.0)
GRAVEL = (14.0, 16.5, 18.0, 22.0)
RIVER = (4.4, 6.4, 4.2, 2.0)
POND = (3.4, 4.6, 2.6, 1.2)
SPRUCE = (1.7, 2.7, 1.8, 20.0)
BEECH = (1.9, 4.1, 2.2, 37.0)


@dataclass
class Block:
    """The ground under one block, while it is painted: later strokes cover earlier ones."""

    x: Floats
    y: Floats
    pixel: float
    """Metres"""
    color: Floats
    """(4, rows, cols), percent"""
    cover: npt.NDArray[np.uint8]

    def paint(self, amount: Floats, color: tuple[float, ...] | Floats, cover: int) -> None:
        """Lay a colour over the block, ``amount`` (0..1) of it at each pixel."""
        color = np.asarray(color, dtype=np.float32)
        if color.ndim == 1:
            color = color[:, None, None]
        self.color += amount * (color - self.color)
        self.cover[amount > 0.5] = cover

    def within(self, metres: Floats, limit: Floats | float) -> Floats:
        """The share of a pixel nearer than ``limit``, given its centre's distance: lines thinner than a pixel fade."""
        reach = np.minimum(metres + self.pixel / 2, limit) - np.maximum(metres - self.pixel / 2, -np.asarray(limit))
        return np.clip(reach / self.pixel, 0, 1).astype(np.float32)


@dataclass(frozen=True)
class Landscape:
    """All there is within ``reach`` metres of the origin."""

    reach: float
    river: Segments = field(init=False)
    motorway: Segments = field(init=False)
    villages: Villages = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "river", river(self.reach))
        object.__setattr__(self, "motorway", motorway(self.reach))
        object.__setattr__(self, "villages", Villages.around(self.reach))

    def at(self, x: Floats, y: Floats) -> tuple[Floats, npt.NDArray[np.uint8]]:
        """Reflectance (4, rows, cols) and land cover of a block."""
        pixel = float(np.hypot(x[0, 1] - x[0, 0], y[0, 1] - y[0, 0]))
        block = Block(x, y, pixel, np.empty((4, *x.shape), np.float32), np.full(x.shape, VEGETATION, np.uint8))
        from_river = distance(x, y, self.river, 1600.0)
        land = _parcels(block)
        _pivots(block)
        _forest(block, land, from_river)
        self._villages(block, from_river)
        _river(block, from_river)
        block.paint(block.within(distance(x, y, self.villages.roads, 60.0), 5.0), ASPHALT, BARE)
        block.paint(block.within(distance(x, y, self.motorway, 60.0), 15.0), ASPHALT, BARE)
        return block.color / 100, block.cover

    def _villages(self, block: Block, from_river: Floats) -> None:
        for x, y, radius in self.villages.near(block.x, block.y):
            _village(block, block.x - np.float32(x), block.y - np.float32(y), radius, from_river)


def _edges(t: Floats, *keys: Ints | int) -> tuple[Floats, Floats]:
    """A line cut at irregular places, about one a unit: the piece's number and the distance to the nearest cut."""
    unit = np.floor(t)
    along = t - unit
    cut = np.float32(0.15) + np.float32(0.7) * fraction(chance(unit.astype(np.int32), *keys))
    return unit + (along >= cut), np.abs(along - cut)


def _parcels(block: Block) -> Ints:
    """Fields: the land is cut into irregular rectangles, each of those into strips that lie its own way.

    Returns the hash of each rectangle, for what else follows the lie of the land.
    """
    wide, tall = np.float32(900), np.float32(1150)
    x = block.x + 3400 * fractal(block.x, block.y, 9500, 3, 11) + 60 * noise(block.x, block.y, 480, 15)
    y = block.y + 3400 * fractal(block.x, block.y, 9500, 3, 18) + 60 * noise(block.x, block.y, 480, 16)
    row, to_row = _edges(y / tall, 1)
    col, to_col = _edges(x / wide, row.astype(np.int32), 2)
    land = chance(row.astype(np.int32), col.astype(np.int32), 3)

    turn = 0.5 * (fraction(land, 0) - 0.5) + np.float32(np.pi / 2) * (fraction(land, 1) > 0.5)
    cosine, sine = np.cos(turn), np.sin(turn)
    across, along = cosine * x + sine * y, cosine * y - sine * x
    width = 80 + 260 * fraction(land, 2) ** 1.5
    length = 260 + 420 * fraction(chance(land, 4))
    strip, to_strip = _edges(across / width, land)
    piece, to_piece = _edges(along / length, land, strip.astype(np.int32))
    parcel = chance(land, strip.astype(np.int32), piece.astype(np.int32))
    _sow(block, parcel)
    block.paint(0.6 * block.within(np.minimum(to_strip * width, to_piece * length), 2.0), GARDEN, VEGETATION)
    rim = np.minimum(to_row * tall, to_col * wide)
    hedged = fraction(chance(land, 6)) > 0.7
    block.paint(block.within(rim, 3.0) * ~hedged, TRACK, VEGETATION)
    block.paint(block.within(rim, 7.0) * hedged, HEDGE, VEGETATION)
    return land


def _sow(block: Block, parcel: Ints) -> None:
    """A crop for each parcel: its own vigour, its own soil showing through, uneven within."""
    crop = _CROP_OF_1024[parcel & np.uint32(1023)]
    vigour, shade = fraction(chance(parcel, 1)), fraction(chance(parcel, 2))
    patches = fractal(block.x, block.y, 260, 3, 21) - np.float32(0.5)
    bare = crop >= FIRST_BARE
    soil = CROPS[FIRST_BARE + (parcel >> np.uint32(20)) % 3].transpose(2, 0, 1)
    showing = np.clip(0.28 * vigour**2 + 0.25 * patches, 0, 0.5) * ~bare
    block.color[:] = CROPS[crop].transpose(2, 0, 1)
    block.color += showing * (soil - block.color)
    block.color *= 0.87 + 0.26 * shade + np.where(bare, 0.45, 0.12) * patches
    block.color[3] *= 0.92 + 0.16 * vigour
    block.cover[bare] = BARE


def _pivots(block: Block) -> None:
    """Circles of centre-pivot irrigation, wherever the plain is dry enough."""
    spacing, radius = np.float32(840), np.float32(385)
    dry = noise(block.x, block.y, 7800, 31)
    if float(dry.max()) < 0.7:
        return
    col, row = whole(block.x / spacing), whole(block.y / spacing)
    luck = chance(col, row, 8)
    dx, dy = block.x - (col + np.float32(0.5)) * spacing, block.y - (row + np.float32(0.5)) * spacing
    centre_dry = _at_centres(block, col, row, spacing)
    here = (centre_dry > 0.74) & (fraction(luck, 0) < 0.85)
    if not here.any():
        return
    slices = 1 + (fraction(luck, 1) * 3.99).astype(np.int32)
    sector = whole((np.arctan2(dy, dx) / np.float32(2 * np.pi) + fraction(luck, 2) + 1) * slices) % slices
    crop = np.array([5, 3, 8, 9, 2, 12])[chance(luck, sector) % np.uint32(6)]
    from_centre = np.hypot(dx, dy)
    disc = block.within(from_centre, radius) * here
    ring = 1 + 0.03 * np.sin(from_centre / 9)
    corners = np.asarray(CROPS[14])[:, None, None] * (0.85 + 0.3 * noise(block.x, block.y, 190, 33))
    block.paint(here.astype(np.float32), corners, BARE)
    block.paint(disc, CROPS[crop].transpose(2, 0, 1) * ring, VEGETATION)


def _at_centres(block: Block, col: npt.NDArray[np.int32], row: npt.NDArray[np.int32], spacing: np.float32) -> Floats:
    """How dry it is in the middle of each pixel's lattice cell, so that circles are there whole or not at all."""
    return exact_noise((col + np.float32(0.5)) * spacing, (row + np.float32(0.5)) * spacing, 7800, 31)


def _forest(block: Block, land: Ints, from_river: Floats) -> None:
    """Woods on the poorer land, whose edges follow parcels as much as soil, and trees along the river."""
    poor = fractal(block.x, block.y, 5600, 4, 41) + 0.15 * (fraction(chance(land, 9)) - np.float32(0.5))
    ragged = noise(block.x, block.y, 120, 46) - np.float32(0.5)
    wood = smoothstep(0.615, 0.623, poor + 0.03 * ragged - 0.00008 * np.clip(900 - from_river, 0, None))
    banks = noise(block.x, block.y, 800, 47)
    wood = np.maximum(wood, block.within(from_river, 30 + 330 * np.clip(banks - 0.42, 0, None) + 50 * ragged))
    stands = smoothstep(0.42, 0.58, noise(block.x, block.y, 380, 48) + 0.2 * ragged - 0.3 * (from_river < 400))
    crowns = 0.72 + 0.56 * noise(block.x, block.y, 17, 49)
    beech, spruce = (np.array(color, np.float32)[:, None, None] for color in (BEECH, SPRUCE))
    block.paint(wood, (beech + stands * (spruce - beech)) * crowns, VEGETATION)


def _village(block: Block, dx: Floats, dy: Floats, radius: float, from_river: Floats) -> None:
    """Houses and gardens along a grid of streets that thins out, with a few halls at the rim."""
    turn = radius % 1.5
    u = np.float32(np.cos(turn)) * dx + np.float32(np.sin(turn)) * dy
    v = np.float32(np.cos(turn)) * dy - np.float32(np.sin(turn)) * dx
    rim = np.hypot(dx, dy) / (radius * (0.55 + 0.9 * noise(block.x, block.y, 260, 51)))
    inside = (rim < 1) & (from_river > 90)
    if not inside.any():
        return
    plot = chance(whole(u / 24), whole(v / 19), 52)
    hall = chance(whole(u / 110), whole(v / 75), 53)
    halls = (fraction(hall) < 0.16) & (rim > 0.55)
    built = (fraction(plot) < 0.62 - 0.25 * rim) | halls
    roof = ROOFS[np.where(halls, 1 + 2 * (hall >> 20 & 1), (fraction(plot, 1) ** 2 * 3).astype(np.int64))]
    garden = np.asarray(GARDEN, np.float32)[:, None, None] * (0.8 + 0.4 * fraction(plot, 2))
    block.paint(inside.astype(np.float32), garden, VEGETATION)
    block.paint(0.85 * (inside & built), roof.transpose(2, 0, 1) * (0.85 + 0.3 * fraction(plot, 2)), BARE)
    street = np.minimum(np.abs(u % 96 - 48), np.abs(v % 152 - 76))
    block.paint(0.9 * block.within(street, 4.0) * inside, ASPHALT, BARE)


def _river(block: Block, from_river: Floats) -> None:
    """The river with gravel bars, and the ponds of old gravel pits beside it."""
    bars = noise(block.x, block.y, 330, 61)
    width = 34 + 14 * noise(block.x, block.y, 1900, 62)
    block.paint(block.within(from_river, width + 45 * np.clip(bars - 0.55, 0, None)), GRAVEL, BARE)
    murk = (0.85 + 0.3 * noise(block.x, block.y, 240, 63))[None]
    block.paint(block.within(from_river, width), np.asarray(RIVER, np.float32)[:, None, None] * murk, WATER)
    pit = noise(block.x, block.y, 620, 64) + 0.06 * noise(block.x, block.y, 90, 65)
    pit = pit - 0.25 * smoothstep(500, 1300, from_river)
    block.paint(smoothstep(0.898, 0.904, pit), GRAVEL, BARE)
    block.paint(smoothstep(0.915, 0.921, pit), POND, WATER)
