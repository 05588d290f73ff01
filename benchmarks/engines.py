"""Who is measured. Each engine is a command, so that each has a process, a cache and a peak of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.inputs import CRS, RESOLUTION, Inputs

CUTLINE = "cutline"

MODULES = {
    "gdalwarp": ["benchmarks.with_gdalwarp"],
    "gdalwarp -et 0": ["benchmarks.with_gdalwarp", "-et", "0"],
    "odc-stac": ["benchmarks.with_odc"],
    CUTLINE: ["cutline.cli"],
}
"""What ``python -m`` runs, with arguments of its own"""


def command(engine: str, case: Path, dst: Path) -> list[str]:
    """How to run an engine on a case."""
    module = [sys.executable, "-m", *MODULES[engine]]
    if engine == CUTLINE:
        return [*module, *_cutline(Inputs.load(case), dst)]
    return [*module, str(case), str(dst)]


def _cutline(case: Inputs, dst: Path) -> list[str]:
    arguments = ["export", "--aoi", case.aoi, "--bands", ",".join(case.bands)]
    for scene in case.scenes:
        arguments += ["--scene", scene]
    arguments += ["--crs", CRS, "--resolution", f"{RESOLUTION:g}", "--resampling", "bilinear"]
    return [*arguments, "--mosaic", "first", "--nodata", "0", "-o", str(dst)]
