"""gdalwarp to a COG: ``python -m benchmarks.with_gdalwarp [-et 0] [--settings NAME] <job.json> <destination>``."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.cases import Job
from benchmarks.scenes import CRS
from tests.support.gdalwarp import gdalwarp

EVERY_CORE = ["-multi", "-wo", "NUM_THREADS=ALL_CPUS"]
"""Reads the next chunk while it warps one, and warps with every core. Encoding has NUM_THREADS of its own"""


def _memory(warp: int, cache: int) -> list[str]:
    """MB of a chunk, and of decoded blocks that are kept."""
    return ["-wm", str(warp), "--config", f"GDAL_CACHEMAX={cache}"]


SETTINGS = {
    "small": [*EVERY_CORE, *_memory(64, 512)],
    "large": [*EVERY_CORE, *_memory(1024, 1024)],
}
"""What `python -m benchmarks --only tuning` compares"""

DEFAULT = "small"
"""Until they were compared on the machine"""

COG = ["BLOCKSIZE=512", "OVERVIEW_RESAMPLING=AVERAGE", "NUM_THREADS=ALL_CPUS"]
"""Blocks and overviews as cutline writes them"""

LOSSLESS = {"deflate": "DEFLATE", "zstd": "ZSTD"}


def main(more: list[str], job: Job, dst: str) -> None:
    """One export; ``more`` goes to gdalwarp as it is, but for ``--settings NAME`` at its end."""
    settings = DEFAULT
    if more[-2:-1] == ["--settings"]:
        *more, _, settings = more
    resolution = f"{job.resolution:g}"
    arguments = ["-t_srs", CRS, "-te", *map(str, job.bounds), "-tr", resolution, resolution, "-r", job.resampling]
    arguments += ["-cutline", job.aoi, "-srcnodata", "0", "-of", "COG"]
    arguments += ["-dstalpha", "-dstnodata", "None"] if job.masked else ["-dstnodata", "0"]
    for option in [*COG, *_codec(job)]:
        arguments += ["-co", option]
    top_last = [Path(scene) for scene in reversed(job.scenes)]  # it draws later sources over earlier ones
    gdalwarp([*arguments, *SETTINGS[settings], *more], top_last, dst)


def _codec(job: Job) -> list[str]:
    """cutline's profile and level in the words of GDAL's COG driver, which makes an alpha band JPEG's mask."""
    if job.profile == "jpeg":
        return ["COMPRESS=JPEG", f"QUALITY={job.level}"]
    return [f"COMPRESS={LOSSLESS[job.profile]}", f"LEVEL={job.level}", "PREDICTOR=YES"]


if __name__ == "__main__":
    *words, path, destination = sys.argv[1:]
    main(words, Job.load(Path(path)), destination)
