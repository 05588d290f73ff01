"""Every rule about what an area may be, each with a file that breaks it."""

from __future__ import annotations

import json
import sqlite3
import struct

import antimeridian
import numpy as np
import pytest
import shapely
from conftest import SQUARE, polygon

from cutline.aoi import check_aoi, read_aoi
from cutline.aoi.ogr import pyogrio
from cutline.errors import InvalidGeometry, TooLarge, UnsupportedCRS

BOWTIE = polygon([[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]])


def codes(report):
    return [finding.code for finding in report.findings]


def box(west, south, east, north):
    return polygon([[west, south], [east, south], [east, north], [west, north], [west, south]])


def test_features_become_one_multipolygon_and_holes_stay(geojson):
    hole = [[0.2, 0.2], [0.2, 0.4], [0.4, 0.4], [0.4, 0.2], [0.2, 0.2]]
    aoi = read_aoi(geojson(polygon(SQUARE, hole), box(2, 0, 3, 1)))
    assert aoi.geometry.geom_type == "MultiPolygon"
    assert aoi.geometry.area == pytest.approx(1.96)
    assert aoi.report.features == 2
    assert not aoi.report.findings
    assert aoi.report.valid
    assert shapely.geometry.shape(aoi.to_geojson()).equals(aoi.geometry)


def test_overlaps_dissolve(geojson):
    aoi = read_aoi(geojson(box(0, 0, 2, 1), box(1, 0, 3, 1)))
    assert aoi.geometry.area == pytest.approx(3.0)
    assert codes(aoi.report) == ["overlaps-dissolved"]


def test_area_is_that_of_the_ellipsoid(geojson):
    earth = read_aoi(geojson(box(-180, -90, 180, 90)))
    assert earth.report.area_km2 == pytest.approx(510_065_622, rel=1e-5)
    assert not earth.report.findings
    assert earth.report.bounds == (-180, -90, 180, 90)


def test_clockwise_and_3d_come_back_as_rfc_7946_has_it(geojson):
    aoi = read_aoi(geojson(polygon([[0, 0, 9], [0, 1, 9], [1, 1, 9], [1, 0, 9], [0, 0, 9]])))
    assert aoi.geometry.geoms[0].exterior.is_ccw
    assert not aoi.geometry.has_z


def test_curves_become_lines(tmp_path):
    # A circle as a CurvePolygon of one CircularString: WKB that shapely cannot write.
    circle = struct.pack("<BIIBII10d", 1, 10, 1, 1, 8, 5, 0, 0, 1, 1, 2, 0, 1, -1, 0, 0)
    path = tmp_path / "curve.gpkg"
    pyogrio().raw.write(
        path,
        geometry=np.array([circle], dtype=object),
        field_data=[np.arange(1)],
        fields=["n"],
        geometry_type="Unknown",
        crs="EPSG:4326",
        driver="GPKG",
    )
    assert read_aoi(path).geometry.area == pytest.approx(3.14159, rel=1e-3)


def test_a_collection_gives_its_polygons(geojson):
    point = {"type": "Point", "coordinates": [5, 5]}
    collection = {"type": "GeometryCollection", "geometries": [point, polygon(SQUARE)]}
    aoi = read_aoi(geojson({"type": "GeometryCollection", "geometries": [collection]}))
    assert aoi.geometry.area == pytest.approx(1.0)
    assert codes(aoi.report) == ["dropped-parts"]
    assert "1 point" in aoi.report.findings[0].message


@pytest.mark.parametrize(
    ("geometries", "words"),
    [
        ([{"type": "Point", "coordinates": [0, 0]}], "only 1 point;"),
        ([{"type": "LineString", "coordinates": SQUARE}] * 2, "only 2 lines;"),
        ([None], "no geometry"),
        ([], "no features"),
        ([{"type": "Polygon", "coordinates": []}], "no geometry"),
    ],
)
def test_without_polygons(geojson, geometries, words):
    with pytest.raises(InvalidGeometry, match=words):
        read_aoi(geojson(*geometries))


def test_null_geometries_are_counted(geojson):
    aoi = read_aoi(geojson(None, polygon(SQUARE), None))
    assert codes(aoi.report) == ["null-geometry"]
    assert "2 of the features" in aoi.report.findings[0].message


def test_bowtie_is_told_with_its_place_and_repaired_on_request(geojson):
    path = geojson(polygon(SQUARE), BOWTIE)
    with pytest.raises(InvalidGeometry, match=r"crosses itself at longitude 0.5, latitude 0.5 \(feature 1\).*--repair"):
        read_aoi(path)
    aoi, report = check_aoi(path)
    assert aoi is None
    assert report.findings[0].location == (0.5, 0.5)
    assert not report.valid
    repaired = read_aoi(geojson(BOWTIE), repair=True)
    assert repaired.geometry.is_valid
    assert repaired.geometry.area == pytest.approx(0.5)
    assert repaired.report.findings[0].severity == "repaired"
    assert repaired.report.area_change_km2 == pytest.approx(repaired.report.area_km2, rel=1e-2)


def test_a_fault_in_a_projected_file_is_told_in_lonlat(vector):
    bowtie = shapely.Polygon([(500_000, 0), (501_000, 1000), (501_000, 0), (500_000, 1000)])
    _, report = check_aoi(vector("a.gpkg", bowtie, driver="GPKG", crs="EPSG:32633"))
    assert report.findings[0].location == pytest.approx((15.0045, 0.0045), abs=1e-3)


def test_several_faults_are_all_told(geojson):
    assert codes(check_aoi(geojson(BOWTIE, BOWTIE))[1]) == ["self-intersection"] * 2


def test_an_open_ring(geojson):
    path = geojson(polygon(SQUARE[:-1]))
    _, report = check_aoi(path)
    assert codes(report) == ["unclosed-ring"]
    assert report.findings[0].location == (0, 1)
    aoi = read_aoi(path, repair=True)
    assert aoi.geometry.area == pytest.approx(1.0)
    assert aoi.report.findings[0].severity == "repaired"


def test_a_line_drawn_as_a_polygon_encloses_nothing(geojson):
    flat = polygon([[0, 0], [1, 1], [0, 0], [0, 0]])
    assert check_aoi(geojson(flat))[0] is None
    assert codes(check_aoi(geojson(flat), repair=True)[1])[-1] == "no-area"


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN"])
def test_numbers_that_are_not_finite(text, number):
    path = text("a.geojson", f'{{"type":"Polygon","coordinates":[[[0,0],[{number},0],[1,1],[0,0]]]}}')
    with pytest.raises(InvalidGeometry, match="vertex 1 of feature 0"):
        read_aoi(path)


@pytest.mark.parametrize(
    ("geometry", "code"),
    [
        (box(500_000, 4_000_000, 501_000, 4_001_000), "metres"),
        (box(51.5, -120.1, 51.6, -120.0), "swapped-axes"),
        (box(10, 80, 11, 91), "swapped-axes"),
        (box(100, 80, 101, 91), "out-of-range"),
        (box(400, 0, 401, 1), "out-of-range"),
    ],
)
def test_numbers_that_are_no_lonlat(geojson, geometry, code):
    assert codes(check_aoi(geojson(geometry))[1]) == [code]


def test_the_user_knows_the_crs_better(geojson):
    aoi = read_aoi(geojson(box(500_000, 0, 501_000, 1000)), crs="EPSG:32633")
    assert aoi.report.crs == "EPSG:32633"
    assert aoi.report.bounds == pytest.approx((15.0, 0.0, 15.00898, 0.00904), abs=1e-4)
    assert codes(aoi.report) == ["crs-overridden"]
    with pytest.raises(UnsupportedCRS, match="no coordinate reference system"):
        read_aoi(geojson(box(0, 0, 1, 1)), crs="EPSG:1")


def test_geojson_with_a_crs_member(geojson):
    name = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    aoi = read_aoi(geojson(box(0, 0, 111_319.49, 111_325.14), crs=name))
    assert aoi.report.bounds == pytest.approx((0, 0, 1, 1), abs=1e-6)


@pytest.mark.filterwarnings("ignore:.crs. was not provided")
def test_no_prj(vector):
    lonlat = vector("a.shp", shapely.box(10, 20, 11, 21), driver="ESRI Shapefile", crs=None)
    assert codes(check_aoi(lonlat)[1]) == ["assumed-lonlat"]
    metres = vector("b.shp", shapely.box(5e5, 0, 6e5, 1e5), driver="ESRI Shapefile", crs=None)
    with pytest.raises(InvalidGeometry, match=r"names no CRS.*--aoi-crs"):
        read_aoi(metres)
    assert read_aoi(metres, crs="EPSG:32633").report.features == 1


@pytest.mark.parametrize("words", ["PROJCS[broken", 'LOCAL_CS["site"]'])
def test_garbage_prj(vector, words):
    path = vector("a.shp", shapely.box(10, 20, 11, 21), driver="ESRI Shapefile")
    path.with_suffix(".prj").write_text(words)
    with pytest.raises((InvalidGeometry, UnsupportedCRS), match="--aoi-crs"):
        read_aoi(path)
    assert read_aoi(path, crs="EPSG:4326").geometry.area == pytest.approx(1.0)


def test_lying_prj(vector):
    path = vector("a.shp", shapely.box(10, 20, 11, 21), driver="ESRI Shapefile", crs="EPSG:3857")
    with pytest.raises(InvalidGeometry, match=r"look like degrees.*--aoi-crs EPSG:4326"):
        read_aoi(path)
    assert read_aoi(path, crs="EPSG:4326").geometry.area == pytest.approx(1.0)
    assert codes(check_aoi(path, crs="EPSG:3857")[1]) == ["degrees-as-metres"]


def test_outside_the_area_of_use(vector):
    path = vector("a.gpkg", shapely.box(4e6, 4e6, 4.1e6, 4.1e6), driver="GPKG", crs="EPSG:2056")
    assert "outside-area-of-use" in codes(check_aoi(path)[1])


def test_truncated_shapefile(vector):
    path = vector("a.shp", *[shapely.box(n, 0, n + 0.5, 1) for n in range(9)], driver="ESRI Shapefile")
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(InvalidGeometry, match="ends at byte 700 of the"):
        read_aoi(path)


# The antimeridian and the poles


@pytest.mark.parametrize("drawn", [box(179, -18, -179, -17), box(179, -18, 181, -17), box(-181, -18, -179, -17)])
def test_over_the_antimeridian(geojson, drawn):
    aoi = read_aoi(geojson(drawn))
    assert aoi.geometry.area == pytest.approx(2.0)
    assert len(aoi.geometry.geoms) == 2
    assert aoi.report.crosses_antimeridian
    assert aoi.report.bounds == (179, -18, -179, -17)


@pytest.mark.parametrize("crs", ["EPSG:4269", "EPSG:4267", "EPSG:4258"])
@pytest.mark.parametrize("west", [179.0, -181.0, -180.0])
def test_over_the_antimeridian_on_another_datum(vector, crs, west):
    aoi = read_aoi(vector("a.gpkg", shapely.box(west, 50, west + 2, 51), driver="GPKG", crs=crs))
    assert aoi.geometry.area == pytest.approx(2.0, rel=1e-3)


def test_a_global_rectangle_on_another_datum(vector):
    aoi = read_aoi(vector("a.gpkg", shapely.box(-180, -60, 180, 60), driver="GPKG", crs="EPSG:4258"))
    assert aoi.geometry.area == pytest.approx(360 * 120, rel=1e-6)
    mercator = vector("b.gpkg", shapely.box(-20037508, -8e6, 20037508, 8e6), driver="GPKG", crs="EPSG:3857")
    assert read_aoi(mercator).geometry.bounds == pytest.approx((-180, -58.15524, 180, 58.15524), abs=1e-3)


def test_only_a_guess_is_warned_of(geojson):
    assert codes(check_aoi(geojson(box(179, -18, -179, -17)))[1]) == ["crosses-antimeridian"]
    assert not check_aoi(geojson(box(179, -18, 181, -17)))[1].findings


@pytest.mark.parametrize(("west", "east"), [(-180, 180), (0, 360), (-360, 0)])
def test_a_global_rectangle_stays_global(geojson, west, east):
    aoi = read_aoi(geojson(box(west, -60, east, 60)))
    assert aoi.geometry.area == pytest.approx(360 * 120)
    assert not aoi.report.findings


def test_a_wide_area_beyond_180_is_taken_as_drawn(geojson):
    assert read_aoi(geojson(box(0, 0, 270, 10))).geometry.area == pytest.approx(2700)


def test_holes_go_with_their_exterior(geojson):
    hole = [[-179.8, 0.2], [-179.8, 0.4], [-179.6, 0.4], [-179.6, 0.2], [-179.8, 0.2]]
    over = [[179.9, 0.5], [-179.9, 0.5], [-179.9, 0.6], [179.9, 0.6], [179.9, 0.5]]
    drawn = polygon([[179, 0], [-179, 0], [-179, 1], [179, 1], [179, 0]], hole, over)
    assert read_aoi(geojson(drawn)).geometry.area == pytest.approx(2.0 - 0.04 - 0.02)


@pytest.mark.parametrize(("latitude", "pole"), [(80, 90), (-70, -90)])
@pytest.mark.parametrize("turn", [1, -1])
def test_around_a_pole(geojson, latitude, pole, turn):
    ring = [[lon, latitude] for lon in range(-170, 171, 20)][::turn]
    aoi = read_aoi(geojson(polygon([*ring, ring[0]])))
    assert aoi.geometry.equals(shapely.box(-180, min(latitude, pole), 180, max(latitude, pole)))
    assert codes(aoi.report) == ["encloses-pole"]


def test_a_polar_projection_over_the_pole(vector):
    square = shapely.box(-1e6, -1e6, 1e6, 1e6)
    aoi = read_aoi(vector("a.gpkg", square, driver="GPKG", crs="EPSG:3031"))
    assert aoi.geometry.contains(shapely.Point(0, -90).buffer(0.1).intersection(shapely.box(-180, -90, 180, 90)))
    assert aoi.report.area_km2 == pytest.approx(4e6 * 1.05, rel=0.05)
    assert not aoi.report.findings


def test_a_utm_area_over_the_antimeridian(vector):
    aoi = read_aoi(vector("a.gpkg", shapely.box(7e5, 5e6, 8e5, 5.1e6), driver="GPKG", crs="EPSG:32660"))
    assert aoi.report.crosses_antimeridian
    assert aoi.report.area_km2 == pytest.approx(1e4, rel=0.01)


@pytest.mark.parametrize("ring", [[(170, 0), (-170, -10), (-160, 5), (-175, 20), (175, 15), (170, 0)]])
def test_the_antimeridian_package_agrees(geojson, ring):
    expected = shapely.geometry.shape(antimeridian.fix_shape(polygon(ring), great_circle=False, fix_winding=True))
    assert read_aoi(geojson(polygon(ring))).geometry.symmetric_difference(expected).area < 1e-5


# Hostile files


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.geojson", "", "empty-file"),
        ("a.geojson", "<OGRVRTDataSource/>", "unsupported-format"),
        ("a.geojson", '{"type":"gdal_streamed_alg","command_line":"gdal vector read x"}', "unsupported-format"),
        ("a.geojson", '{"type":"Polygon","coordinates":' + "[" * 9999, "too-deep"),
        ("a.geojson", '{"type":"Polygon","coordinates":[[[0,0],', "broken-file"),
        ("a.geojson", '{"type":"Polygon","\\u0063rs":1}', "obfuscated"),
        ("a.geojson", '{"type":"FeatureCollection","x":[' + "{}," * 999_999 + "{}]}", "too-large"),
        ("a.kml", '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><kml/>', "xml-declarations"),
        ("a.kml", "<kml><Document>", "broken-file"),
        ("a.kml", "<kml>" + "<Folder>" * 99_999, "broken-file"),
        ("a.zip", b"PK\x03\x04 and no more", "broken-zip"),
        ("a.gpkg", b"SQLite format 3\x00" + b"\xff" * 4096, "broken-file"),
        ("a.fgb", b"fgb\x03fgb\x01" + b"\xff" * 4096, "no-polygons"),
        ("a.shp", b"\x00\x00\x27\x0a" + b"\xff" * 4096, "truncated"),
    ],
)
def test_hostile_content(text, name, content, code):
    aoi, report = check_aoi(text(name, content))
    assert aoi is None
    assert codes(report) == [code]


def test_a_crs_behind_a_link_is_not_fetched(geojson):
    link = {"type": "link", "properties": {"href": "http://127.0.0.1:1/x"}}
    assert codes(check_aoi(geojson(polygon(SQUARE), crs=link))[1]) == ["remote-reference"]


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"a.geojson": "[" * 30_000_000}, "too-large"),
        ({"a.geojson": " " * 120_000_000}, "too-large"),
        ({"b.zip": b"PK"}, "nested-archive"),
        ({"a.gdb/a.gdbtable": b""}, "unsupported-format"),
        ({"readme.txt": b""}, "unsupported-format"),
        ({"a.shp": "PAR1"}, "unsupported-format"),
        ({"a.shp": "<kml/>"}, "disguised"),
        ({f"{n}.kml": "<kml/>" for n in range(50)}, "too-large"),
        ({f"{'n' * 900}{n}": b"" for n in range(5000)}, "too-large"),
    ],
)
def test_hostile_zips(zipped, members, code):
    aoi, report = check_aoi(zipped(members))
    assert aoi is None
    assert codes(report) == [code]


def test_a_zip_that_lies_about_sizes(zipped, text):
    path = zipped({"a.geojson": json.dumps(polygon(SQUARE))})
    broken = path.read_bytes().replace(b"a.geojson", b"b.geojson", 1)
    assert codes(check_aoi(text("b.zip", broken))[1]) == ["broken-zip"]


def test_layers_that_are_computed_are_refused(vector):
    path = vector("a.gpkg", shapely.box(0, 0, 1, 1), driver="GPKG", layer="a")
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT * FROM n"
        )
        database.execute("INSERT INTO gpkg_contents (table_name, data_type) VALUES ('endless', 'features')")
    assert codes(check_aoi(path)[1]) == ["computed-layer"]


def test_too_many_vertices(vector, monkeypatch):
    monkeypatch.setattr("cutline.aoi.ogr.MAX_VERTICES", 3)
    with pytest.raises(TooLarge, match="more than the 3 allowed"):
        read_aoi(vector("a.gpkg", shapely.box(0, 0, 1, 1), driver="GPKG"))
