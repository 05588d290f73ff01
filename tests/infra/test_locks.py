"""The layers hold what runtime.txt pins, all that the functions import, and nothing that was to be left out."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from layers.slim import SERVICES
from tests.infra.reading import FOLDERS

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "requirements" / "runtime.txt"
LAYERS = {path.parent.name: path for path in (ROOT / "layers").glob("*/requirements.txt")}
ASSET = ROOT / "requirements" / "asset.txt"

NEVER = {"xarray", "pandas", "spyndex", "odc-geo", "python-box", "imagecodecs", "pystac", "pystac-client", "rich"}
LEFT_OUT = {
    "rasterio": {"click-plugins", "cligj"},  # its command line
}
"""Package -> what it asks for and does not import as we use it"""


def pinned(lock: Path) -> dict[str, str]:
    lines = [line.split("#")[0].strip() for line in lock.read_text().splitlines()]
    return {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in lines if line}


@pytest.mark.parametrize("lock", [*LAYERS.values(), ASSET], ids=lambda path: path.parent.name)
def test_versions_are_those_that_the_library_is_tested_with(lock: Path) -> None:
    assert pinned(lock).items() <= pinned(RUNTIME).items()


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_has_all_that_its_packages_ask_for_and_nothing_of_another_use(layer: str) -> None:
    packages = pinned(LAYERS[layer])
    assert not NEVER & set(packages)
    assert not {"rasterio", "pyogrio"} <= set(packages)  # two GDALs do not fit
    for package in packages:
        asked = needs_of(package) - LEFT_OUT.get(package, set())
        assert asked <= set(packages), package


def test_the_asset_has_what_the_layer_has_not() -> None:
    asset, layer = set(pinned(ASSET)), set(pinned(LAYERS["gdal"]))
    assert not asset & layer
    for package in asset:
        assert needs_of(package) <= asset | layer, package


def needs_of(package: str) -> set[str]:
    """What a package asks for on Lambda, without extras."""
    asked = [Requirement(line) for line in requires(package) or ()]
    environment = {"python_version": "3.13", "python_full_version": "3.13.0", "extra": ""}
    return {canonicalize_name(each.name) for each in asked if each.marker is None or each.marker.evaluate(environment)}


def test_botocore_keeps_the_services_that_are_spoken_to() -> None:
    sources = [path.read_text() for folder in ("src", "functions") for path in (ROOT / folder).rglob("*.py")]
    asked = {name for source in sources for name in re.findall(r'\bclient\("([a-z0-9-]+)"\)', source)}
    assert {"dynamodb", "s3", "stepfunctions", "sqs", "sesv2"} <= asked <= SERVICES


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_function_imports_nothing_that_its_layer_lacks(folder: str) -> None:
    """As far as an interpreter that has everything can tell; `make layers` tries it with the layer alone."""
    from infra.functions import room_of  # and the CDK, which takes seconds in every worker that collects this

    missing = set(pinned(RUNTIME)) - set(pinned(LAYERS[room_of(folder).layer])) - set(pinned(ASSET))
    modules = sorted(name.replace("-", "_") for name in missing)
    script = f"import sys; sys.modules.update(dict.fromkeys({modules})); import functions.{folder}.handler"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
