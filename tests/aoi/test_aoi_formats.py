"""Each format gives the same square, however it is packed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import shapely

from cutline.aoi import check_aoi, read_aoi
from cutline.aoi.ogr import ALLOWED_DRIVERS, pyogrio
from cutline.errors import InvalidGeometry

SQUARE = shapely.box(10.0, 20.0, 11.0, 21.0)
KML = (
    '<?xml version="1.0"?>\n<!-- drawn --><kml xmlns="http://www.opengis.net/kml/2.2"><Document>{}<Placemark><Polygon>'
    "<outerBoundaryIs><LinearRing><coordinates>10,20,5 11,20,5 11,21,5 10,21,5 10,20,5</coordinates></LinearRing>"
    "</outerBoundaryIs></Polygon></Placemark></Document></kml>"
)


def codes(report):
    return [finding.code for finding in report.findings]


def shapefile(vector, **options):
    path = vector("square.shp", SQUARE, driver="ESRI Shapefile", **options)
    return {suffix: path.with_suffix(f".{suffix}") for suffix in ("shp", "shx", "dbf", "prj", "cpg")}


def is_the_square(aoi):
    return aoi.geometry.equals(SQUARE) and not aoi.geometry.has_z and aoi.geometry.geoms[0].exterior.is_ccw


@pytest.mark.parametrize(
    "document",
    [
        shapely.geometry.mapping(SQUARE),
        {"type": "Feature", "properties": None, "geometry": shapely.geometry.mapping(SQUARE)},
        {
            "type": "FeatureCollection",
            "features": [{"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(SQUARE)}],
        },
    ],
)
@pytest.mark.parametrize("prefix", ["", "\ufeff", "\n \n"])
def test_geojson(text, document, prefix):
    assert is_the_square(read_aoi(text("a.json", prefix + json.dumps(document))))


@pytest.mark.parametrize("separator", ["\n", "\n\x1e"])
def test_geojson_text_sequence(text, separator):
    halves = [shapely.box(10, 20, 10.5, 21), shapely.box(10.5, 20, 11, 21)]
    records = [
        json.dumps({"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(half)}) for half in halves
    ]
    aoi = read_aoi(text("a.geojsonl", separator.lstrip("\n") + separator.join(records) + "\n"))
    assert aoi.report.features == 2
    assert aoi.geometry.area == pytest.approx(1.0)


@pytest.mark.parametrize(("name", "driver"), [("a.gpkg", "GPKG"), ("a.fgb", "FlatGeobuf"), ("a.shp", "ESRI Shapefile")])
def test_binary_formats(vector, name, driver):
    aoi = read_aoi(vector(name, SQUARE, driver=driver))
    assert is_the_square(aoi)
    assert aoi.report.driver == driver
    assert aoi.report.crs == "EPSG:4326"


def test_kml(text):
    assert is_the_square(read_aoi(text("a.kml", KML.format(""))))


@pytest.mark.parametrize("member", ["doc.kml", "inner/area.kml", "../../doc.kml"])
def test_kmz(zipped, member):
    assert is_the_square(read_aoi(zipped({"files/a.png": b"x", member: KML.format("")}, "a.kmz")))


def test_kmz_main_document_wins(zipped):
    assert is_the_square(read_aoi(zipped({"z.kml": "<kml/>", "doc.kml": KML.format("")}, "a.kmz")))


@pytest.mark.parametrize(
    "members",
    [
        {"square.shp": "shp", "square.shx": "shx", "square.dbf": "dbf", "square.prj": "prj"},
        {"a/b/square.SHP": "shp", "a/b/Square.shx": "shx", "a/b/square.Dbf": "dbf", "a/b/square.PRJ": "prj"},
        {"square.shp": "shp", "square.dbf": "dbf", "square.prj": "prj"},
        {"square.shp": "shp", "square.prj": "prj"},
        {"__MACOSX/._square.shp": "cpg", "square.shp": "shp", "square.shx": "shx", "square.prj": "prj"},
        {"..\\..\\evil\\square.shp": "shp", "..\\..\\evil\\square.prj": "prj"},
        {"metadata.json": "cpg", "square.shp": "shp", "square.shx": "shx", "square.prj": "prj"},
    ],
)
def test_zipped_shapefile(vector, zipped, members):
    parts = shapefile(vector)
    aoi = read_aoi(zipped({name: parts[part] for name, part in members.items()}))
    assert is_the_square(aoi)
    assert not aoi.report.findings


def test_zipped_geojson_and_geopackage(vector, zipped, text):
    document = text("a.geojson", json.dumps(shapely.geometry.mapping(SQUARE)))
    assert is_the_square(read_aoi(zipped({"deep/down/a.geojson": document})))
    assert is_the_square(read_aoi(zipped({"a.gpkg": vector("a.gpkg", SQUARE, driver="GPKG")})))


def test_a_shapefile_beside_its_parts_is_left_as_it_was(vector, tmp_path):
    parts = shapefile(vector)
    parts["shx"].unlink()
    before = sorted(tmp_path.iterdir())
    assert is_the_square(read_aoi(parts["shp"]))
    assert sorted(tmp_path.iterdir()) == before


def test_two_layers_have_to_be_chosen_from(vector):
    vector("a.gpkg", SQUARE, driver="GPKG", layer="fields")
    path = vector("a.gpkg", shapely.box(0, 0, 1, 1), driver="GPKG", layer="lakes", append=True)
    _, report = check_aoi(path)
    assert codes(report) == ["choose-layer"]
    assert report.layers == ("fields", "lakes")
    with pytest.raises(InvalidGeometry, match=r"'fields', 'lakes'.*--layer"):
        read_aoi(path)
    assert is_the_square(read_aoi(path, layer="fields"))
    with pytest.raises(InvalidGeometry, match="no layer 'roads'"):
        read_aoi(path, layer="roads")


def test_two_shapefiles_in_a_zip_are_layers(vector, zipped):
    parts = shapefile(vector)
    twins = {f"{name}.{part}": parts[part] for name in ("one", "two") for part in ("shp", "shx", "dbf", "prj")}
    path = zipped(twins)
    assert check_aoi(path)[1].layers == ("one", "two")
    aoi = read_aoi(path, layer="two")
    assert is_the_square(aoi)
    assert aoi.report.layer == "two"


@pytest.mark.parametrize("name", ["a.gpkg", "a.fgb", "a.shp", "a.geojson"])
def test_where(vector, name):
    drivers = {"a.gpkg": "GPKG", "a.fgb": "FlatGeobuf", "a.shp": "ESRI Shapefile", "a.geojson": "GeoJSON"}
    path = vector(name, shapely.box(0, 0, 1, 1), SQUARE, driver=drivers[name])
    aoi = read_aoi(path, where="number = 1")
    assert is_the_square(aoi)
    assert aoi.report.features == 1
    assert codes(check_aoi(path, where="number = 7")[1]) == ["no-polygons"]


@pytest.mark.parametrize(
    "where",
    ["nothing = 1", "number = ", "1 = (SELECT count(*) FROM gpkg_contents)", "1 = 1; DROP TABLE a", "1 = 1 -- and"],
)
def test_bad_where(vector, where):
    _, report = check_aoi(vector("a.gpkg", SQUARE, driver="GPKG"), where=where)
    assert codes(report) == ["bad-where"]


def test_where_may_quote_forbidden_words(vector):
    path = vector("a.gpkg", SQUARE, driver="GPKG")
    assert is_the_square(read_aoi(path, where="number = 0 AND 'select; it''s' = 'select; it''s'"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.parquet", b"PAR1....", "GeoParquet"),
        ("a.gpx", '<?xml version="1.0"?><gpx/>', "GPX"),
        ("a.gml", "<gml:FeatureCollection/>", "GML"),
        ("a.topojson", '{"type":"Topology","arcs":[]}', "TopoJSON"),
        ("a.json", '{"a": 1}', "not GeoJSON"),
        ("a.csv", "x,y\n1,2\n", "no format known"),
        ("a.tif", b"II*\x00....", "TIFF"),
        ("a.sqlite", b"SQLite format 3\x00" + bytes(84), "GeoPackage"),
    ],
)
def test_other_formats_are_refused_with_what_is_supported(text, name, content, words):
    with pytest.raises(InvalidGeometry, match=words):
        read_aoi(text(name, content))


def test_a_folder_and_a_missing_file(tmp_path):
    gdb = tmp_path / "a.gdb"
    gdb.mkdir()
    with pytest.raises(InvalidGeometry, match="FileGDB"):
        read_aoi(gdb)
    with pytest.raises(InvalidGeometry, match="no file 'none'"):
        read_aoi(tmp_path / "none")


def test_only_the_drivers_of_our_formats_are_left():
    assert set(pyogrio().list_drivers()) <= ALLOWED_DRIVERS


def test_the_environment_is_as_it_was_and_a_foreign_import_fails_closed():
    program = (
        "import os; before = dict(os.environ)\n"
        "from cutline.aoi.ogr import pyogrio; pyogrio()\n"
        "assert dict(os.environ) == before"
    )
    environment = {**os.environ, "OGR_SKIP": "GPX"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    result = subprocess.run(
        [sys.executable, "-c", "import pyogrio; pyogrio.list_drivers(); import cutline.aoi.ogr as o; o.pyogrio()"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "InternalError" in result.stderr
