"""stac-validator without the network.

The core schemas come with pystac, PROJ's with pyproj. No package carries the extensions' schemas, so an item is
checked against those only where STAC_SCHEMAS names a folder that mirrors their URLs:

    $STAC_SCHEMAS/stac-extensions.github.io/projection/v2.0.0/schema.json

From a shell: STAC_SCHEMAS=... python -m tests.support.stac item.json ...
"""

from __future__ import annotations

import json
import os
import sys
from importlib.resources import files
from pathlib import Path
from unittest import mock

import pyproj.datadir
import requests
from stac_validator.validate import StacValidate

CORE = "https://schemas.stacspec.org/v1.1.0/"


def assert_valid_item(path: Path, *, extensions: bool | None = None) -> None:
    """Raise AssertionError with the validator's reason unless the file is a valid STAC 1.1 item.

    ``extensions``: whether to check those too; None checks them where their schemas are at hand.
    """
    folder = os.environ.get("STAC_SCHEMAS")
    item = json.loads(path.read_text())
    core_only = not folder if extensions is None else not extensions
    validator = StacValidate(str(path), core=core_only, schema_map=_schema_map(item, folder), verbose=True)
    with mock.patch.object(requests, "get", _offline):
        valid = validator.run()
    assert item.get("stac_version") == "1.1.0", f"{path}: stac_version is {item.get('stac_version')}"
    assert valid, f"{path}: {json.dumps(validator.message, indent=2)}"


def _schema_map(item: dict[str, object], folder: str | None) -> dict[str, str]:
    """Where the schemas at well-known URLs are on this machine."""
    bundled = Path(str(files("pystac.validation") / "jsonschemas"))
    found = {
        "https://proj.org/schemas/v0.7/projjson.schema.json": Path(
            pyproj.datadir.get_data_dir(), "projjson.schema.json"
        )
    }
    for part in ("item", "collection", "catalog"):
        for schema in (bundled / "stac-spec" / "v1.1.0").glob("*.json"):
            found[f"{CORE}{part}-spec/json-schema/{schema.name}"] = schema
    for schema in (bundled / "geojson").glob("*.json"):
        found[f"https://geojson.org/schema/{schema.name}"] = schema
    if folder:
        for url in item.get("stac_extensions", ()):  # type: ignore[attr-defined]
            found[url] = Path(folder, url.removeprefix("https://"))
    return {url: str(schema) for url, schema in found.items()}


def _offline(url: str, **_: object) -> requests.Response:
    raise AssertionError(f"stac-validator asked the network for {url}")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        assert_valid_item(Path(name))
        sys.stdout.write(f"{name}: valid\n")
