"""``python -m benchmarks.with_gdalwarp [-et 0] <job.json> <destination>``: to a COG, as its manual advises."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.cases import Job
from benchmarks.scenes import CRS
from tests.support.gdalwarp import gdalwarp

SPEED = [
    *("-multi", "-wo", "NUM_THREADS=ALL_CPUS", "-co", "NUM_THREADS=ALL_CPUS"),  # read, warp, encode with every core
    *("-wm", "1024", "--config", "GDAL_CACHEMAX=1024"),  # MB: few, large chunks, and no source block is read twice
]

COG = ["BLOCKSIZE=512", "OVERVIEW_RESAMPLING=AVERAGE"]
"""As cutline writes them"""

LOSSLESS = {"deflate": "DEFLATE", "zstd": "ZSTD"}


def main(more: list[str], job: Job, dst: str) -> None:
    """One export; ``more`` goes to gdalwarp as it is."""
    resolution = f"{job.resolution:g}"
    arguments = ["-t_srs", CRS, "-te", *map(str, job.bounds), "-tr", resolution, resolution, "-r", job.resampling]
    arguments += ["-cutline", job.aoi, "-srcnodata", "0", "-of", "COG"]
    arguments += ["-dstalpha", "-dstnodata", "None"] if job.masked else ["-dstnodata", "0"]
    for option in COG + _codec(job):
        arguments += ["-co", option]
    top_last = [Path(scene) for scene in reversed(job.scenes)]  # it draws later sources over earlier ones
    gdalwarp([*arguments, *SPEED, *more], top_last, dst)


def _codec(job: Job) -> list[str]:
    """cutline's profile and level in the words of GDAL's COG driver, which makes an alpha band JPEG's mask."""
    if job.profile == "jpeg":
        return ["COMPRESS=JPEG", f"QUALITY={job.level}"]
    return [f"COMPRESS={LOSSLESS[job.profile]}", f"LEVEL={job.level}", "PREDICTOR=YES"]


if __name__ == "__main__":
    *words, path, destination = sys.argv[1:]
    main(words, Job.load(Path(path)), destination)
