"""The command line, called in this process: no second of imports for each call."""

from __future__ import annotations

import contextlib
import io
import json
import signal
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest
import shapely
from pyproj import Transformer

from cutline.cli import main


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration is empty, and the working folder too."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("CUTLINE_URL", "CUTLINE_CLIENT_ID", "CUTLINE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def report(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


def cutline(*args: object) -> Ran:
    """``cutline`` with these arguments."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    handler = signal.getsignal(signal.SIGTERM)
    with (
        mock.patch("sys.argv", ["cutline", *map(str, args)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        finally:
            signal.signal(signal.SIGTERM, handler)
    return Ran(code, out.getvalue(), err.getvalue())


def exported(*args: object) -> Any:
    """The report of an export that has to succeed, in one process."""
    ran = cutline("export", "--workers", 1, "--json", *args)
    assert ran.code == 0, ran.err
    return ran.report


def write_aoi(path: Path, *corners: tuple[float, float], crs: str = "EPSG:32633") -> Path:
    """A GeoJSON polygon with these corners, given in ``crs``."""
    to_lonlat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform
    polygon = shapely.Polygon([to_lonlat(*corner) for corner in corners])
    path.write_text(json.dumps(shapely.geometry.mapping(polygon)))
    return path


def box(left: float, bottom: float, right: float, top: float) -> tuple[tuple[float, float], ...]:
    """The corners of a rectangle."""
    return (left, bottom), (right, bottom), (right, top), (left, top)


def write_item(
    path: Path,
    assets: dict[str, dict[str, Any]],
    *,
    when: str | None = "2024-06-01T10:00:00Z",
    cloud_cover: float | None = None,
) -> Path:
    """A STAC item with these assets, and as little else as we read."""
    properties: dict[str, Any] = {"datetime": when}
    if cloud_cover is not None:
        properties["eo:cloud_cover"] = cloud_cover
    item = {"type": "Feature", "stac_version": "1.1.0", "id": path.stem, "properties": properties, "assets": assets}
    path.write_text(json.dumps(item))
    return path
