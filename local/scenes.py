"""The sample scenes: the demo's invented ones, drawn once and kept in build/, and a folder of one's own.

python -m local.scenes FOLDER
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import shapely
from pyproj import Transformer

from demo.aoi import outline
from demo.scenes import GROUND, make_scenes
from local.files import publish
from local.process import ROOT

BUCKET = "cutline-scenes"
"""Which anybody may read"""

DRAWN = ROOT / "build" / "local" / "scenes"

SIZE, RESOLUTION = 768, 20.0
"""Pixels of a side, and metres of a pixel: drawn in a few seconds, 15 km wide"""


class Scenes:
    """Brings scenes into the bucket, which is there. The demo's take some seconds, but for the first start only; they
    take the place of none of one's own."""

    def __init__(self, own: Path | None) -> None:
        self._drawing: subprocess.Popen[bytes] | None = None
        self._own = own
        if own:
            publish(own, BUCKET)
        if DRAWN.exists():
            publish(DRAWN, BUCKET, unless_in=own)
        else:
            DRAWN.parent.mkdir(parents=True, exist_ok=True)
            self._scratch = Path(tempfile.mkdtemp(dir=DRAWN.parent))
            self._drawing = subprocess.Popen([sys.executable, "-m", "local.scenes", str(self._scratch)], cwd=ROOT)
            threading.Thread(target=self._publish_drawn, args=(self._drawing,), daemon=True).start()

    def close(self) -> None:
        if self._drawing and self._drawing.poll() is None:
            self._drawing.kill()
            self._drawing.wait()
            shutil.rmtree(self._scratch)

    def _publish_drawn(self, drawing: subprocess.Popen[bytes]) -> None:
        if drawing.wait() != 0:
            return
        try:
            self._scratch.replace(DRAWN)
        except OSError:  # another service was faster
            shutil.rmtree(self._scratch)
        publish(DRAWN, BUCKET, unless_in=self._own)


def draw(folder: Path) -> None:
    """The scenes and an area across both, as GeoJSON, into a folder that is there."""
    make_scenes(folder, SIZE, RESOLUTION)
    to_lonlat = Transformer.from_crs(GROUND, "EPSG:4326", always_xy=True)
    area = shapely.transform(outline(0.30 * SIZE * RESOLUTION), lambda xy: np.column_stack(to_lonlat.transform(*xy.T)))
    (folder / "aoi.json").write_text(json.dumps(shapely.geometry.mapping(shapely.set_precision(area, 1e-6))))


if __name__ == "__main__":
    os.nice(10)
    draw(Path(sys.argv[1]))
