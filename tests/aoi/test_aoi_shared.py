"""Every vector file of the shared data has a defined outcome, at a bounded cost, and never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

VECTORS = Path(__file__).parents[3] / "shared/data/vectors"
MAX_MEMORY_MB = 500
MAX_SECONDS = 60

pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason="the shared data is not beside the repository")

COUNTRIES = 147_362_968
CORNER = 6154

AREAS = {
    "antimeridian/force-north-pole.json": (64_219_753, "encloses-pole"),
    "antimeridian/issues-124.json": (254_876_575, "encloses-pole"),
    "antimeridian/issues-164.json": (71_230_871, "encloses-pole"),
    "antimeridian/overlap.json": (59_760_164, "encloses-pole"),
    "geojson/SEN_adm0.geojson": (196_691,),
    "geojson/french_fields.geojson": (0.55,),
    "geojson/grenada.geojson": (4940,),
    "geojson/iowa.geojson": (145_726,),
    "geojson/issue627.geojson": (932.3,),
    "geojson/mt-dana-small.geojson": (129.1,),
    "geojson/polygon-samples.geojson": (4787,),
    "geojson/rmnp.geojson": (1117,),
    "geojson/trio.geojson": (0.03945, "dropped-parts"),
    "geojson/warren-county.geojson": (1602,),
    "gpkg/BuildingFootprintsOSM.gpkg": (2.82, "overlaps-dissolved"),
    "gpkg/aviris_landfills.gpkg": (137.2, "overlaps-dissolved"),
    "gpkg/holes.gpkg": (0.1562,),
    "gpkg/multisurface.gpkg": (706_671,),
    "gpkg/nc.gpkg": (127_037,),
    "hostile/am.geojson": (23_507, "crosses-antimeridian"),
    "hostile/am360.geojson": (23_507,),
    "hostile/baregeom.geojson": (CORNER,),
    "hostile/bom.geojson": (CORNER,),
    "hostile/crs3857.geojson": (494_658,),
    "hostile/dotdot.kmz": (CORNER,),
    "hostile/dotdot.zip": (COUNTRIES,),
    "hostile/gc.geojson": (CORNER, "dropped-parts"),
    "hostile/kmz_otherdoc.kmz": (CORNER,),
    "hostile/latin1.geojson": (CORNER,),
    "hostile/latin1_dbf.zip": (COUNTRIES,),
    "hostile/macosx.zip": (COUNTRIES,),
    "hostile/nested_dir.zip": (COUNTRIES,),
    "hostile/netlink.kml": (CORNER,),
    "hostile/no_shx.zip": (COUNTRIES,),
    "hostile/z3d.geojson": (CORNER,),
    "kml/states.kml": (9_288_612, "dropped-parts"),
    "malformed/NullExample.zip": (1255,),
    "shapefile/blockgroups.zip": (166.1, "assumed-lonlat"),
    "shapefile/coutwildrnp.zip": (16_365,),
    "shapefile/gre_nested.zip": (4940,),
    "shapefile/multisurface.zip": (4.77,),
    "shapefile/naturalearth_lowres.zip": (COUNTRIES,),
    "shapefile/nybb_16a.zip": (783.2,),
}
"""Files that are read as they are: km², and the codes of what is remarked"""

REPAIRED = {
    "geojson/brazil.geojson": 8_483_954,
    "geojson/counties5.zip": 9_301_715,
    "hostile/bowtie.geojson": 6154,
    "hostile/unclosed.geojson": 12_309,
    "shapefile/mixedcase.zip": 20_936,
    "shapefile/no-dbf.zip": 20_936,
}
"""Files refused for their geometry, and mended by repair: km²"""

REFUSED = {
    "geojson/brazil.geojson": "self-intersection",
    "geojson/counties5.zip": "self-intersection",
    "geojson/vienna-streets.geojson": "no-polygons",
    "gpkg/nospatial.gpkg": "no-polygons",
    "gpkg/test_gpkg_nulls.gpkg": "no-polygons",
    "hostile/bomb.kmz": "too-large",
    "hostile/bomb.zip": "too-large",
    "hostile/bowtie.geojson": "self-intersection",
    "hostile/deep.geojson": "too-deep",
    "hostile/empty_fc.geojson": "no-polygons",
    "hostile/emptyfile.geojson": "empty-file",
    "hostile/gdalg2.geojson": "unsupported-format",
    "hostile/inf.geojson": "not-finite",
    "hostile/liar_prj.zip": "degrees-as-metres",
    "hostile/lol.kml": "xml-declarations",
    "hostile/nan.geojson": "not-finite",
    "hostile/nullgeom.geojson": "no-polygons",
    "hostile/projected_nocrs.geojson": "metres",
    "hostile/swapped.geojson": "swapped-axes",
    "hostile/trunc.kml": "broken-file",
    "hostile/trunc_shp.zip": "truncated",
    "hostile/unclosed.geojson": "unclosed-ring",
    "hostile/vrt_as.geojson": "unsupported-format",
    "hostile/wrong_prj.zip": "unreadable-crs",
    "kml/gxmultitrack.kml": "no-polygons",
    "kml/iceland.kmz": "no-polygons",
    "kml/linear_ring.kml": "unreadable-geometry",
    "kml/multigeometry_sibling.kml": "no-polygons",
    "malformed/bad.shp": "unsupported-format",
    "malformed/badzip.zip": "unsupported-format",
    "malformed/invalid": "unsupported-format",
    "other/test_gpx.gpx": "unsupported-format",
    "other/testopenfilegdb.gdb.zip": "unsupported-format",
    "shapefile/blockgroups_multishapefile.zip": "choose-layer",
    "shapefile/mixedcase.zip": "ring-self-intersection",
    "shapefile/no-dbf.zip": "self-intersection",
    "shapefile/overlap.zip": "unsupported-format",
}
"""Files that are refused: the code of the first error"""

WORKER = """
import json, os, sys, time
from cutline.aoi import check_aoi, ogr
ogr.pyogrio()
for line in sys.stdin:
    path, repair = json.loads(line)
    reader, writer = os.pipe()
    start = time.monotonic()
    child = os.fork()  # a process for each file, so that its memory can be told apart
    if child == 0:
        os.close(reader)
        with os.fdopen(writer, "w") as pipe:
            pipe.write(check_aoi(path, repair=repair)[1].model_dump_json())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        report = pipe.read()
    _, status, usage = os.wait4(child, 0)
    print(json.dumps([status, usage.ru_maxrss / 1024, time.monotonic() - start, report]), flush=True)
"""


@pytest.fixture(scope="module")
def outcomes():
    """(file, repair) -> (report, megabytes, seconds)"""
    files = sorted(str(path.relative_to(VECTORS)) for path in VECTORS.rglob("*") if path.is_file())
    tasks = [(name, False) for name in files] + [(name, True) for name in REPAIRED]
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", WORKER],
        input="\n".join(json.dumps([str(VECTORS / name), repair]) for name, repair in tasks),
        capture_output=True,
        text=True,
        check=True,
    )
    assert not result.stderr
    found = {}
    for task, line in zip(tasks, result.stdout.splitlines(), strict=True):
        status, megabytes, seconds, report = json.loads(line)
        assert status == 0, f"{task} broke the process"
        found[task] = (json.loads(report), megabytes, seconds)
    return found


def test_every_file_has_its_outcome(outcomes):
    assert {name for name, repair in outcomes if not repair} == AREAS.keys() | REFUSED.keys()


def test_no_file_costs_too_much(outcomes):
    for task, (_, megabytes, seconds) in outcomes.items():
        assert megabytes < MAX_MEMORY_MB, task
        assert seconds < MAX_SECONDS, task


@pytest.mark.parametrize("name", AREAS)
def test_read(outcomes, name):
    area, *codes = AREAS[name]
    report, *_ = outcomes[name, False]
    assert report["valid"]
    assert report["area_km2"] == pytest.approx(area, rel=5e-3)
    assert [finding["code"] for finding in report["findings"]] == codes


@pytest.mark.parametrize("name", REFUSED)
def test_refused(outcomes, name):
    report, *_ = outcomes[name, False]
    assert not report["valid"]
    errors = [finding for finding in report["findings"] if finding["severity"] == "error"]
    assert errors[0]["code"] == REFUSED[name]
    assert "Error" not in errors[0]["message"]


@pytest.mark.parametrize("name", REPAIRED)
def test_repaired(outcomes, name):
    report, *_ = outcomes[name, True]
    assert report["valid"]
    assert report["area_km2"] == pytest.approx(REPAIRED[name], rel=5e-3)
    assert "repaired" in {finding["severity"] for finding in report["findings"]}
