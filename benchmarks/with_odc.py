"""``python -m benchmarks.with_odc <job.json> <destination>``: odc-stac loads lazily, odc-geo writes the COG."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import odc.stac
import pystac
import xarray
from odc.geo import Geometry
from odc.geo.cog import save_cog_with_dask
from odc.geo.geobox import GeoBox
from odc.geo.xr import rasterize

from benchmarks.cases import Job
from benchmarks.scenes import CRS

CHUNK = 2048


def main(job: Job, dst: str) -> None:
    """One export, on dask's threads."""
    geobox = GeoBox.from_bbox(job.bounds, crs=CRS, shape=job.shape)
    loaded = odc.stac.load(
        [pystac.Item.from_dict(item) for item in job.items],
        bands=[f"data.{index}" for index in range(1, len(job.bands) + 1)],
        geobox=geobox,
        groupby="solar_day",
        resampling=job.resampling,
        chunks={"x": CHUNK, "y": CHUNK},
        dtype=job.dtype,
        nodata=0,
    )
    bands = xarray.concat(list(loaded.isel(time=0).data_vars.values()), "band").transpose("y", "x", "band")
    inside = rasterize(_area(job), geobox).chunk({"x": CHUNK, "y": CHUNK})
    cut = bands.where(inside, 0).astype(job.dtype).chunk({"band": -1})
    cut.attrs["nodata"] = 0
    written = save_cog_with_dask(
        cut,
        dst,
        compression=job.profile.upper(),
        level=job.level,
        predictor=2,
        blocksize=512,
        overview_resampling="average",
        stats=False,
    )
    written.compute(scheduler="threads")


def _area(job: Job) -> Geometry:
    collection = json.loads(Path(job.aoi).read_text())
    return Geometry(collection["features"][0]["geometry"], "EPSG:4326").to_crs(CRS)


if __name__ == "__main__":
    main(Job.load(Path(sys.argv[1])), sys.argv[2])
