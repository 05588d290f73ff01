"""``python -m benchmarks.with_gdalwarp [-et 0] <inputs.json> <destination>``: to a COG, as its manual advises."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.inputs import CRS, RESOLUTION, Inputs
from tests.support.gdalwarp import gdalwarp

SPEED = [
    *("-multi", "-wo", "NUM_THREADS=ALL_CPUS", "-co", "NUM_THREADS=ALL_CPUS"),  # read, warp, encode with every core
    *("-wm", "1024", "--config", "GDAL_CACHEMAX=1024"),  # MB: few, large chunks, and no source block is read twice
]

COG = ["COMPRESS=DEFLATE", "LEVEL=1", "PREDICTOR=YES", "BLOCKSIZE=512", "OVERVIEW_RESAMPLING=AVERAGE"]
"""cutline's deflate profile, in the words of GDAL's COG driver"""


def main(more: list[str], case: Inputs, dst: str) -> None:
    """One export; ``more`` goes to gdalwarp as it is."""
    resolution = f"{RESOLUTION:g}"
    arguments = ["-t_srs", CRS, "-te", *map(str, case.bounds), "-tr", resolution, resolution, "-r", "bilinear"]
    arguments += ["-cutline", case.aoi, "-srcnodata", "0", "-dstnodata", "0", "-of", "COG"]
    for option in COG:
        arguments += ["-co", option]
    top_last = [Path(scene) for scene in reversed(case.scenes)]  # it draws later sources over earlier ones
    gdalwarp([*arguments, *SPEED, *more], top_last, dst)


if __name__ == "__main__":
    *words, inputs, destination = sys.argv[1:]
    main(words, Inputs.load(Path(inputs)), destination)
