"""What holds for any area, any damage and any link."""

from __future__ import annotations

import json
import random
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cutline.aoi import check_aoi, read_aoi
from cutline.aoi.ogr import pyogrio

DRIVERS = {"a.geojson": "GeoJSON", "a.gpkg": "GPKG", "a.fgb": "FlatGeobuf", "a.shp": "ESRI Shapefile"}


def write(path: Path, areas: list[shapely.Geometry]) -> None:
    pyogrio().raw.write(
        path,
        geometry=np.array(shapely.to_wkb(areas), dtype=object),
        field_data=[np.arange(len(areas))],
        fields=["number"],
        geometry_type="Polygon",
        crs="EPSG:4326",
        driver=DRIVERS[path.name],
        layer_options={"COORDINATE_PRECISION": "15"} if path.suffix == ".geojson" else {},
    )


@st.composite
def stars(draw):
    """A polygon around a place, with a vertex in each of several directions."""
    x, y = draw(st.floats(-170, 170)), draw(st.floats(-80, 80))
    reach = draw(st.lists(st.floats(0.1, 5.0), min_size=3, max_size=12))
    turn = np.linspace(0, 2 * np.pi, len(reach), endpoint=False)
    return shapely.Polygon(np.column_stack([x + reach * np.cos(turn), y + reach * np.sin(turn)]))


@settings(deadline=None, max_examples=40)
@given(areas=st.lists(stars(), min_size=1, max_size=4), name=st.sampled_from(sorted(DRIVERS)))
def test_what_is_written_is_read(areas, name):
    with TemporaryDirectory() as directory:
        path = Path(directory) / name
        write(path, areas)
        aoi = read_aoi(path)
    assert aoi.geometry.is_valid
    assert aoi.report.features == len(areas)
    assert aoi.geometry.symmetric_difference(shapely.union_all(areas)).area < 1e-9


@settings(deadline=None, max_examples=40)
@given(area=stars(), turn=st.floats(-180, 180))
def test_an_area_has_the_same_size_wherever_on_its_parallel_it_is_drawn(area, turn):
    moved = shapely.transform(area, lambda xy: xy + np.array([turn, 0.0]))
    sizes = []
    with TemporaryDirectory() as directory:
        for number, drawn in enumerate((area, moved)):
            path = Path(directory) / f"{number}.geojson"
            path.write_text(json.dumps(shapely.geometry.mapping(drawn)))
            aoi = read_aoi(path)
            west, south, east, north = aoi.geometry.bounds
            assert (west, south) >= (-180, -90)
            assert (east, north) <= (180, 90)
            sizes.append(aoi.report.area_km2)
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-6)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", sorted(DRIVERS))
def test_damage_is_told_and_never_raised(tmp_path, name):
    path = tmp_path / name
    write(path, [shapely.box(n, 0, n + 1, 1) for n in range(5)])
    whole, luck = path.read_bytes(), random.Random(name)  # noqa: S311
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(luck.choice([1, 1, 3, 20])):
            damaged[luck.randrange(len(damaged))] = luck.randrange(256)
        path.write_bytes(damaged[: luck.choice([len(damaged), luck.randrange(1, len(damaged))])])
        aoi, report = check_aoi(path, repair=luck.random() < 0.5)
        assert report.valid == (aoi is not None)
        assert report.valid or any(finding.severity == "error" for finding in report.findings)


@pytest.fixture
def visits():
    """The address of a server of ours, and every path that was asked of it."""
    asked: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_nothing_is_fetched(tmp_path, visits):
    address, asked = visits
    square = json.dumps(shapely.geometry.mapping(shapely.box(0, 0, 1, 1)))
    link = f'{{"type":"link","properties":{{"href":"{address}/crs","type":"ogcwkt"}}}}'
    collection = f'{{"type":"FeatureCollection","crs":{link},"features":[{{"type":"Feature","geometry":{square}}}]}}'
    kml = (
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><NetworkLink><Link><href>{0}/more.kml</href></Link>'
        "</NetworkLink><Placemark><styleUrl>{0}/style.kml#a</styleUrl><Polygon><outerBoundaryIs><LinearRing>"
        "<coordinates>0,0 1,0 1,1 0,0</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
        "</Document></kml>"
    )
    (tmp_path / "a.kml").write_text(kml.format(address))
    assert read_aoi(tmp_path / "a.kml").report.features == 1
    (tmp_path / "a.geojson").write_text(collection)
    assert check_aoi(tmp_path / "a.geojson")[0] is None
    pyogrio().raw.read(tmp_path / "a.geojson", columns=[])  # not even by OGR itself
    assert not asked
