"""What `make layers` built runs with nothing else: an interpreter without site-packages, a layer and the code.

Not part of `make test`, as it takes minutes and a package index: `make layers` names this file, after a build for the
Python that runs it. The builds for Lambda itself are of the same locks, and layers/check.py has read their headers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cutline.settings import ServiceSettings
from cutline.store.clients import client
from infra.functions import FOLDERS, room_of
from tests.support.aws import ENVIRON
from tests.support.plans import area_of
from tests.support.scenes import texture, write_scene
from tests.support.steps import Submitted, content_of, put_scene, submitted

HERE = Path(__file__).parents[2] / "build" / "lambda" / "here"
AREA = area_of(401000, 5590000, 412000, 5598800)

INVOKE = """
import importlib, json
class Context:
    aws_request_id = "request-1"
    def get_remaining_time_in_millis(self):
        return 60_000
name, event = json.loads(given)
print(json.dumps(importlib.import_module(f"functions.{name}.handler").handler(event, Context())))
"""


def isolated(layer: str, script: str, given: str = "", **environ: str) -> str:
    """What ``script`` prints, as the last line, with the ``layer`` as /opt and the code as /var/task."""
    opt, task = HERE / layer, HERE / "code"
    path = f"import sys; sys.path[:0] = [{str(opt / 'python')!r}, {str(task)!r}]; given = {given!r}\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", path + script],
        env={"LD_LIBRARY_PATH": str(opt / "lib"), **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def invoke(name: str, event: dict[str, Any]) -> Any:
    """A handler's answer."""
    environ = {name: os.environ[name] for name in (*ENVIRON, "AWS_ENDPOINT_URL")}
    return json.loads(isolated(room_of(name).layer, INVOKE, json.dumps([name, event]), **environ))


@pytest.mark.parametrize("name", FOLDERS)
def test_each_function_is_imported_with_its_layer_alone(name: str) -> None:
    script = f"import functions.{name}.handler, sys; print('pyogrio' in sys.modules, 'xarray' in sys.modules)"
    assert isolated(room_of(name).layer, script) == "False False"  # two GDALs in one process do not get along


def test_an_export_is_rendered_with_the_layer_alone_and_is_the_same_file(
    aws_server: ServiceSettings, tmp_path: Path
) -> None:
    scene = put_scene(write_scene(tmp_path / "a.tif", texture((3, 2100, 2300)), nodata=0))
    body = {"source": {"scenes": [scene]}, "aoi": AREA, "bands": ["red", "green"]}
    task = submitted(body, "isolated").task.model_dump()
    planned = invoke("plan", task)
    tiles = range(planned["tiles"])
    assert invoke("render_tile", {**task, "plan_href": planned["plan_href"], "tiles": list(tiles)}) == {"done": True}
    made = invoke("assemble", {**task, "plan_href": planned["plan_href"]})

    _forget_segments(aws_server)  # or the second would be made of the first one's
    assert content_of(made["cog_href"]) == content_of(_in_this_process(body).cog_href)


def _in_this_process(body: dict[str, Any]) -> Any:
    export: Submitted = submitted(body, "here")
    return export.all()


def _forget_segments(settings: ServiceSettings) -> None:
    for page in client("s3").get_paginator("list_objects_v2").paginate(Bucket=settings.work_bucket, Prefix="segments/"):
        for found in page["Contents"]:
            client("s3").delete_object(Bucket=settings.work_bucket, Key=found["Key"])


@pytest.mark.parametrize(
    "content",
    [
        '{"type": "Polygon", "coordinates": [[[14, 50], [14.1, 50], [14.1, 50.1], [14, 50]]]}',
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Placemark><Polygon><outerBoundaryIs><LinearRing><coordinates>'
        "14,50 14.1,50 14.1,50.1 14,50</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark></kml>",
    ],
    ids=["area.geojson", "area.kml"],
)
def test_an_area_is_read_with_its_layer_alone(content: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = tmp_path / request.node.callspec.id
    path.write_text(content)
    script = (
        "from pathlib import Path; from cutline.aoi import check_aoi; area, report = check_aoi(Path(given));"
        "print(area is not None and report.vertices, 'rasterio' in sys.modules)"
    )
    assert isolated("ogr", script, str(path)).endswith(" False")
    assert isolated("ogr", script, str(path)).split()[0] in {"3", "4"}


def test_a_catalogue_is_searched_with_the_code_that_travels_along() -> None:
    assert isolated("gdal", "import pystac_client; print(pystac_client.Client.__name__)") == "Client"


def test_the_rasters_gdal_takes_the_libexpat_of_its_layer() -> None:
    """Lambda has none; where this runs there may be one, and would hide that."""
    script = (
        "import rasterio; from pathlib import Path\n"
        "maps = [line.split()[-1] for line in Path('/proc/self/maps').read_text().splitlines()]\n"
        "print(*{path for path in maps if 'libexpat' in path})"
    )
    assert isolated("gdal", script) == str(HERE / "gdal" / "lib" / "libexpat.so.1")
