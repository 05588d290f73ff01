"""Reprojection: edges stay where they were, shared edges stay shared, and what has no place is told."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cutline.aoi.project import contiguous, to_crs
from cutline.errors import InvalidGeometry, UnsupportedCRS

PROJECTED = ["EPSG:32633", "EPSG:3857", "EPSG:3035", "EPSG:2056"]
places = st.tuples(st.floats(5.0, 20.0), st.floats(40.0, 60.0))


def forward(crs, xy):
    return np.column_stack(pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(*np.asarray(xy).T))


@settings(deadline=None, max_examples=60)
@given(start=places, end=places, crs=st.sampled_from(PROJECTED), fraction=st.floats(0.0, 1.0))
def test_every_point_of_an_edge_is_on_the_projected_edge(start, end, crs, fraction):
    projected = to_crs(shapely.LineString([start, end]), "EPSG:4326", crs, 0.5)
    between = np.asarray(start) + (np.asarray(end) - start) * fraction
    assert projected.distance(shapely.Point(forward(crs, [between])[0])) < 0.6


@settings(deadline=None, max_examples=60)
@given(start=places, end=places, crs=st.sampled_from(PROJECTED))
def test_an_edge_gets_the_same_points_in_either_direction(start, end, crs):
    there, back = (to_crs(shapely.LineString(line), "EPSG:4326", crs, 0.1) for line in ([start, end], [end, start]))
    assert (shapely.get_coordinates(there) == shapely.get_coordinates(back)[::-1]).all()


@settings(deadline=None, max_examples=30)
@given(corner=places, width=st.floats(0.1, 5.0), height=st.floats(0.1, 5.0), crs=st.sampled_from(PROJECTED))
def test_neighbours_stay_neighbours(corner, width, height, crs):
    x, y = corner
    west, east = shapely.box(x, y, x + width, y + height), shapely.box(x + width, y, x + 2 * width, y + height)
    left, right = (to_crs(part, "EPSG:4326", crs, 1.0) for part in (west, east))
    union = shapely.union(left, right)
    assert union.geom_type == "Polygon"
    assert not union.interiors
    assert union.area == pytest.approx(left.area + right.area, rel=1e-12)


@settings(deadline=None, max_examples=30)
@given(corner=places, size=st.floats(0.01, 5.0), crs=st.sampled_from(PROJECTED))
def test_there_and_back(corner, size, crs):
    area = shapely.box(*corner, corner[0] + size, corner[1] + size)
    again = to_crs(to_crs(area, "EPSG:4326", crs, 0.01), crs, "EPSG:4326", 1e-7)
    assert area.symmetric_difference(again).area < 4 * size * 1e-6


def test_holes_parts_and_types_stay():
    ring = shapely.box(10, 50, 11, 51).difference(shapely.box(10.2, 50.2, 10.4, 50.4))
    assert len(to_crs(ring, "EPSG:4326", "EPSG:32632", 1.0).interiors) == 1
    both = shapely.MultiPolygon([ring, shapely.box(12, 50, 13, 51)])
    projected = to_crs(both, "EPSG:4326", "EPSG:32632", 1.0)
    assert projected.geom_type == "MultiPolygon"
    assert projected.is_valid
    assert not to_crs(shapely.Polygon([(0, 0, 1), (1, 0, 1), (1, 1, 1)]), "EPSG:4326", "EPSG:3857", 1.0).has_z


def test_the_same_crs_and_nothing_come_back_as_they_are():
    area = shapely.box(0, 0, 1, 1)
    assert to_crs(area, "EPSG:4326", "OGC:CRS84", 1.0) is area
    assert to_crs(area, "EPSG:32633", pyproj.CRS(32633), 1.0) is area
    assert to_crs(shapely.Polygon(), "EPSG:4326", "EPSG:3857", 1.0).is_empty


def test_a_finer_tolerance_takes_more_vertices_and_a_straight_edge_none():
    area = shapely.box(10, 50, 15, 55)
    counts = [shapely.get_num_coordinates(to_crs(area, "EPSG:4326", "EPSG:3035", size)) for size in (1000, 10, 0.1)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
    assert shapely.get_num_coordinates(to_crs(area, "EPSG:4326", "EPSG:3857", 0.1)) == 5


def test_an_edge_that_bends_both_ways_is_not_taken_for_straight():
    # Through the centre of the projection the middle of this edge is on the chord.
    projected = to_crs(shapely.LineString([(5, 40), (25, 60)]), "EPSG:4326", "+proj=laea +lat_0=50 +lon_0=15", 1.0)
    assert shapely.get_num_coordinates(projected) > 100


def test_places_without_a_projection_are_told():
    with pytest.raises(UnsupportedCRS, match=r"EPSG:32633 has no place for longitude 10\d, latitude 0; "):
        to_crs(shapely.box(100, 0, 105, 1), "EPSG:4326", "EPSG:32633", 1.0)
    with pytest.raises(InvalidGeometry, match="outside EPSG:3035"):
        to_crs(shapely.box(1e9, 1e9, 2e9, 2e9), "EPSG:3035", "EPSG:4326", 1e-7)
    with pytest.raises(UnsupportedCRS, match="no coordinate reference system"):
        to_crs(shapely.box(0, 0, 1, 1), "EPSG:4326", "nonsense", 1.0)


def test_contiguous():
    fiji = shapely.MultiPolygon([shapely.box(177, -19, 180, -16), shapely.box(-180, -19, -178, -16)])
    joined = contiguous(fiji)
    assert joined.geom_type == "Polygon"
    assert joined.bounds == (177, -19, 182, -16)
    assert joined.area == fiji.area
    for unmoved in (
        shapely.box(0, 0, 1, 1),
        shapely.MultiPolygon([shapely.box(-20, 0, -10, 1), shapely.box(20, 0, 30, 1)]),
    ):
        assert contiguous(unmoved) is unmoved
    globe = shapely.MultiPolygon([shapely.box(-180, -90, 0, 90), shapely.box(0.5, -90, 180, 90)])
    assert contiguous(globe).bounds[2] - contiguous(globe).bounds[0] == pytest.approx(359.5)
