"""The lattice, its levels and tiles, and the cutline: which pixels are inside, whoever asks."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import rasterio.features
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely.affinity import rotate, scale, translate
from shapely.geometry.base import BaseGeometry

from cutline.errors import InvalidGeometry, TooLarge
from cutline.grid import BLOCK, Cutline, Tiling, covering, level_shapes, padded
from cutline.models.grid import Geobox

UTM = "EPSG:32633"

few = settings(deadline=None, max_examples=50)

resolutions = st.sampled_from([0.1, 0.3, 1.0, 10.0, 1 / 3, 2.5e-4])
starts = st.floats(-5000, 5000)
lengths = st.floats(0.01, 300)
anchors = st.sampled_from([0.0, 0.05, -7.3])
edges = st.integers(1, 6000)


def geobox_of(rows: int, cols: int, *, row: int = 0, col: int = 0, resolution: float = 1.0) -> Geobox:
    return Geobox(crs=UTM, resolution=(resolution, resolution), col=col, row=row, shape=(rows, cols))


# -- the lattice -------------------------------------------------------------------------------------------------


@few
@given(st.tuples(starts, starts), st.tuples(lengths, lengths), resolutions, anchors)
def test_covering_holds_the_bounds_and_no_row_or_column_more(
    corner: tuple[float, float], size: tuple[float, float], resolution: float, anchor: float
) -> None:
    (left, bottom), (width, height) = corner, size
    bounds = (left * resolution, bottom * resolution, (left + width) * resolution, (bottom + height) * resolution)
    geobox = covering(bounds, UTM, (resolution, resolution), (anchor, anchor))
    noise = 2e-3 * resolution  # what reprojection leaves
    assert geobox.bounds[0] <= bounds[0] + noise and geobox.bounds[1] <= bounds[1] + noise
    assert geobox.bounds[2] >= bounds[2] - noise and geobox.bounds[3] >= bounds[3] - noise
    rows, cols = geobox.shape
    assert rows == 1 or (rows - 2) * resolution < bounds[3] - bounds[1] + noise
    assert cols == 1 or (cols - 2) * resolution < bounds[2] - bounds[0] + noise
    assert geobox.bounds[0] > bounds[0] - resolution - noise and geobox.bounds[3] < bounds[3] + resolution + noise


@few
@given(starts, starts, starts, starts, resolutions)
def test_two_areas_lie_on_one_lattice(x: float, y: float, other_x: float, other_y: float, resolution: float) -> None:
    one, other = (
        covering((x, y, x + 9, y + 9), UTM, (resolution, resolution)) for x, y in ((x, y), (other_x, other_y))
    )
    # The upper left corner of a pixel is the same number, whichever of the two it is asked of.
    row, col = other.row - one.row, other.col - one.col
    assert one.window(row, col, other.shape) == other
    assert one.window(row, col, other.shape).transform == other.transform


@pytest.mark.parametrize(
    ("bounds", "shape"),
    [
        ((0, 0, 10, 10), (1, 1)),
        ((0, 0, 20, 10), (1, 2)),
        ((1e-9, 1e-9, 10 + 1e-9, 10 + 1e-9), (1, 1)),  # noise
        ((0, 0, 10.1, 10), (1, 2)),
        ((3, 3, 3, 3), (1, 1)),
        ((9.9999, 0, 10.0001, 10), (1, 1)),
        ((-5, -5, 5, 5), (2, 2)),
    ],
)
def test_covering_by_hand(bounds: tuple[float, float, float, float], shape: tuple[int, int]) -> None:
    assert covering(bounds, UTM, (10.0, 10.0)).shape == shape


def test_a_square_of_no_extent_and_a_grid_of_no_end_are_refused() -> None:
    with pytest.raises(InvalidGeometry, match="no finite extent"):
        covering((0, 0, math.inf, 1), UTM, (1.0, 1.0))
    with pytest.raises(TooLarge, match="coarser") as many:
        covering((0, 0, 1e10, 1e-3), UTM, (1.0, 1.0))
    assert many.value.pointer == "/output/resolution"
    with pytest.raises(TooLarge, match="coarser"):
        covering((0, 0, 2e6, 2e6), UTM, (1.0, 1.0))


# -- levels and tiles --------------------------------------------------------------------------------------------


@few
@given(edges, edges)
def test_levels_halve_until_one_block_holds_all(rows: int, cols: int) -> None:
    shapes = level_shapes((rows, cols))
    assert shapes[0] == (rows, cols)
    assert max(shapes[-1]) <= BLOCK
    for finer, coarser in pairwise(shapes):
        assert max(finer) > BLOCK
        assert coarser == tuple(math.ceil(edge / 2) for edge in finer)


@few
@given(edges, edges)
def test_padded_halves_exactly_and_grows_by_less_than_a_pixel_of_the_last_level(rows: int, cols: int) -> None:
    geobox = geobox_of(rows, cols, row=-3, col=7)
    wider = padded(geobox)
    levels = level_shapes(wider.shape)
    assert len(levels) == len(level_shapes(geobox.shape))
    assert all((2 * coarser[0], 2 * coarser[1]) == finer for finer, coarser in pairwise(levels))
    last = 1 << (len(levels) - 1)
    assert all(0 <= grown - given < last for grown, given in zip(wider.shape, geobox.shape, strict=True))
    assert wider.model_copy(update={"shape": geobox.shape}) == geobox


@few
@given(edges, edges, st.sampled_from([512, 1024, 2048]))
def test_tiles_partition_the_grid(rows: int, cols: int, edge: int) -> None:
    tiling = Tiling((rows, cols), edge)
    shapes = {tile: tiling.tile_shape(*tile) for tile in tiling}
    assert list(shapes) == sorted(shapes)
    assert sum(shapes[row, 0][0] for row in range(tiling.rows)) == rows
    assert sum(shapes[0, col][1] for col in range(tiling.cols)) == cols
    assert all(shapes[row, col] == (shapes[row, 0][0], shapes[0, col][1]) for row, col in tiling)
    assert all(0 < side <= edge for shape in shapes.values() for side in shape)
    for level in range(tiling.levels):
        halved = level_shapes((rows, cols))[level]
        assert sum(tiling.tile_shape(row, 0, level)[0] for row in range(tiling.rows)) == halved[0]
        assert sum(tiling.tile_shape(0, col, level)[1] for col in range(tiling.cols)) == halved[1]


# -- the cutline -------------------------------------------------------------------------------------------------

coordinates = st.floats(-8, 48).map(lambda value: round(value, 3))


@st.composite
def areas(draw: st.DrawFn) -> BaseGeometry:
    """Stars with and without a hole, several at once, and slivers; some of it outside a geobox of 40 x 40."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        spikes = draw(st.integers(3, 12))
        radii = draw(st.lists(st.floats(0.2, 15), min_size=spikes, max_size=spikes))
        angles = np.arange(spikes) * 2 * np.pi / spikes
        star = shapely.Polygon(np.column_stack([np.cos(angles), np.sin(angles)]) * np.array(radii)[:, np.newaxis])
        star = rotate(scale(star, draw(st.sampled_from([1, 1, 0.01])), 1), draw(st.floats(0, 180)), origin=(0, 0))
        part = translate(star, draw(coordinates), draw(coordinates))
        if draw(st.booleans()):
            part = shapely.difference(part, scale(part, 0.4, 0.4))
        parts.append(part)
    whole = shapely.union_all(parts)
    assume(not whole.is_empty and whole.geom_type in {"Polygon", "MultiPolygon"})
    return whole


def centres(geobox: Geobox) -> tuple[np.ndarray, np.ndarray]:
    rows, cols = np.mgrid[: geobox.shape[0], : geobox.shape[1]] + 0.5
    x, y = geobox.transform @ (cols, rows)
    return x, y


def mask_of(geometry: BaseGeometry, geobox: Geobox) -> np.ndarray:
    return Cutline(geometry, geobox).mask(0, 0, geobox.shape)


BOX = geobox_of(40, 40, row=-40)  # x and y from 0 to 40


@few
@given(areas())
def test_a_pixel_is_inside_when_its_centre_is(area: BaseGeometry) -> None:
    x, y = centres(BOX)
    clear = shapely.distance(shapely.boundary(area), shapely.points(x, y)) > 1e-9
    np.testing.assert_array_equal(mask_of(area, BOX)[clear], shapely.contains_xy(area, x, y)[clear])


@few
@given(areas())
def test_gdal_fills_the_same_pixels_away_from_ties(area: BaseGeometry) -> None:
    x, y = centres(BOX)
    clear = shapely.distance(shapely.boundary(area), shapely.points(x, y)) > 1e-6
    burnt = rasterio.features.rasterize([area], BOX.shape, transform=BOX.transform) > 0
    np.testing.assert_array_equal(mask_of(area, BOX)[clear], burnt[clear])


@few
@given(areas(), st.lists(st.integers(1, 39), max_size=4), st.lists(st.integers(1, 39), max_size=4))
def test_windows_join_to_the_whole(area: BaseGeometry, row_cuts: list[int], col_cuts: list[int]) -> None:
    cutline = Cutline(area, BOX)
    joined = np.zeros(BOX.shape, np.bool_)
    for top, bottom in pairwise(sorted({0, 40, *row_cuts})):
        for left, right in pairwise(sorted({0, 40, *col_cuts})):
            joined[top:bottom, left:right] = cutline.mask(top, left, (bottom - top, right - left))
    np.testing.assert_array_equal(joined, cutline.mask(0, 0, BOX.shape))


@few
@given(areas(), st.integers(1, 20))
def test_counts_and_spans_are_those_of_the_mask(area: BaseGeometry, step: int) -> None:
    cutline = Cutline(area, BOX)
    mask = cutline.mask(0, 0, BOX.shape)
    assert cutline.pixel_count() == mask.sum()
    drawn = np.zeros(BOX.shape, int)
    for top in range(0, 40, step):
        for row, first, end in zip(*cutline.spans(top, top + step), strict=True):
            assert top <= row < top + step and first < end
            drawn[row, first:end] += 1
    np.testing.assert_array_equal(drawn, mask.astype(int))


@few
@given(areas(), st.sampled_from([512, 1024]))
def test_the_pixels_of_each_tile_are_counted(area: BaseGeometry, edge: int) -> None:
    geobox = geobox_of(1500, 1600, row=-1500)
    cutline = Cutline(scale(area, 30, 30, origin=(0, 0)), geobox)
    mask = cutline.mask(0, 0, geobox.shape)
    expected = [
        [mask[row : row + edge, col : col + edge].sum() for col in range(0, 1600, edge)] for row in range(0, 1500, edge)
    ]
    np.testing.assert_array_equal(cutline.tiles(edge), np.array(expected))


def test_counting_goes_by_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    geobox = geobox_of(1000, 30, row=-1000)
    cutline = Cutline(shapely.Polygon([(1, 3), (29, 400), (12, 990)]), geobox)
    whole = cutline.pixel_count()
    monkeypatch.setattr("cutline.grid._STRIP", 7)
    assert cutline.pixel_count() == whole == cutline.mask(0, 0, geobox.shape).sum()


# Half-integer vertices put edges right through the centres of pixels.
ties = st.integers(-4, 84).map(lambda half: half / 2)
points = st.tuples(ties, ties)


@few
@given(st.lists(points, min_size=4, max_size=9, unique=True), st.data())
def test_neighbours_share_out_the_pixels_along_their_border(
    corners: list[tuple[float, float]], data: st.DataObject
) -> None:
    """A triangulation: each triangle shares its edges with others, most of them through centres."""
    triangles = shapely.get_parts(shapely.delaunay_triangles(shapely.MultiPoint(corners)))
    assume(len(triangles) >= 2)
    turned = [shapely.reverse(t) if data.draw(st.booleans()) else t for t in triangles]
    count = sum(mask_of(triangle, BOX).astype(int) for triangle in turned)
    assert count.max(initial=0) <= 1
    np.testing.assert_array_equal(count.astype(bool), mask_of(shapely.MultiPolygon(turned), BOX))
    x, y = centres(BOX)
    hull = shapely.convex_hull(shapely.MultiPoint(corners))
    clear = shapely.distance(shapely.boundary(hull), shapely.points(x, y)) > 1e-9
    np.testing.assert_array_equal(count[clear] == 1, shapely.contains_xy(hull, x, y)[clear])


@pytest.mark.parametrize(("x", "y"), [(0.5, 0.5), (0, 0), (0.25, 0.75)])
def test_a_chessboard_covers_every_pixel_once(x: float, y: float) -> None:
    squares = [
        shapely.box(x + i * 4.5, y + j * 3.5, x + (i + 1) * 4.5, y + (j + 1) * 3.5) for i in range(8) for j in range(8)
    ]
    count = sum(mask_of(square, BOX).astype(int) for square in squares)
    assert count.max() == 1
    assert count.sum() == mask_of(shapely.union_all(squares), BOX).sum()


@few
@given(areas(), st.integers(-(10**7), 10**7), st.integers(-(10**7), 10**7))
def test_where_the_geobox_begins_does_not_matter(area: BaseGeometry, row: int, col: int) -> None:
    """The same area in three geoboxes of one lattice, far from its origin."""
    area = translate(area, col, -row)
    whole = geobox_of(60, 60, row=row - 50, col=col - 10)
    part = whole.window(13, 9, (30, 40))
    np.testing.assert_array_equal(mask_of(area, part), mask_of(area, whole)[13:43, 9:49])


NOTHING = {
    "outside": shapely.box(100, 100, 120, 120),
    "to the left": shapely.box(-30, 5, -10, 20),
    "to the right": shapely.box(50, 5, 60, 20),
    "between two centres": shapely.box(3.6, 0, 4.4, 40),
    "flat": shapely.Polygon([(0, 4), (40, 4), (20, 4)]),
}


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_is_inside(name: str) -> None:
    cutline = Cutline(NOTHING[name], BOX)
    assert cutline.pixel_count() == 0
    assert not cutline.mask(0, 0, BOX.shape).any()
    assert not cutline.tiles(512).any()


def test_all_is_inside_what_surrounds_the_geobox() -> None:
    cutline = Cutline(shapely.box(-1e7, -1e7, 1e7, 1e7), BOX)
    assert cutline.pixel_count() == 1600
    assert cutline.tiles(512).all()


def test_holes_are_not_inside_and_islands_in_them_are() -> None:
    ring = shapely.Polygon([(2, 2), (38, 2), (38, 38), (2, 38)], [[(8, 8), (32, 8), (32, 32), (8, 32)]])
    mask = mask_of(shapely.MultiPolygon([ring, shapely.box(15, 15, 20, 20)]), BOX)
    assert mask.sum() == 36 * 36 - 24 * 24 + 25
    assert not mask[40 - 10, 10] and mask[40 - 17, 17]


def test_resolutions_that_differ_and_an_anchor() -> None:
    geobox = Geobox(crs=UTM, resolution=(2.0, 0.5), anchor=(1.0, 0.25), col=0, row=-80, shape=(80, 20))
    area = shapely.Polygon([(3.01, 3), (30, 9.03), (17.02, 38)])
    x, y = centres(geobox)
    np.testing.assert_array_equal(mask_of(area, geobox), shapely.contains_xy(area, x, y))
