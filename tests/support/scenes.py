"""Scenes for exports: textures in which a shift of a hundredth of a pixel would show."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

from cutline.models.request import ExportRequest, OutputRequest, SceneRequest, Source
from cutline.process import bands_graph

UTM33 = Affine(10.0, 0.0, 400000.0, 0.0, -10.0, 5600000.0)
UTM32 = Affine(10.0, 0.0, 823000.0, 0.0, -10.0, 5606000.0)  # overlaps the one above
RGBN = ("red", "green", "blue", "nir")


def texture(shape: tuple[int, int, int], dtype: str = "uint8", seed: int = 7) -> np.ndarray:
    """Smooth hills with noise on top, over most of the dtype's range; (bands, rows, cols)."""
    return _texture(shape, dtype, seed).copy()


@functools.lru_cache(maxsize=64)
def _texture(shape: tuple[int, int, int], dtype: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    bands, rows, cols = shape
    y, x = np.mgrid[:rows, :cols]
    hills = np.stack([np.sin(x / (7.3 + band)) * np.cos(y / (9.1 - band)) for band in range(bands)])
    unit = np.clip(0.5 + 0.35 * hills + 0.05 * rng.standard_normal(shape), 0.01, 1)
    if np.dtype(dtype).kind == "f":
        return (unit * 1000).astype(dtype)
    return (unit * min(np.iinfo(dtype).max, 60000)).astype(dtype)


def write_scene(
    path: Path,
    pixels: np.ndarray,
    *,
    crs: str = "EPSG:32633",
    transform: Affine = UTM33,
    nodata: float | None = None,
    names: tuple[str, ...] = RGBN,
    block: int = 256,
    **profile: object,
) -> Path:
    """A tiled GeoTIFF whose bands are described by ``names``."""
    bands, rows, cols = pixels.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=cols, height=rows, count=bands, dtype=pixels.dtype, crs=crs,
        transform=transform, nodata=nodata, tiled=True, blockxsize=block, blockysize=block,
        compress="deflate", zlevel=1, photometric="MINISBLACK", **profile,
    ) as file:  # fmt: skip
        file.write(pixels)
        file.colorinterp = [ColorInterp.undefined] * bands
        file.descriptions = names[:bands] if bands <= len(names) else [f"c{index}" for index in range(1, bands + 1)]
    return path


def make_request(*scenes: Path | str, bands: tuple[str, ...] = (), aoi: dict | None = None, **output: object):
    """A request for these files; fields of the request and its source by keyword, the others are the output's."""
    source = {name: output.pop(name) for name in ("mask", "stretch", "band_names", "temporal") if name in output}
    return ExportRequest(
        source=Source(scenes=tuple(SceneRequest(href=str(scene)) for scene in scenes), **source),
        process=output.pop("process", None) or bands_graph(bands),
        mosaic=output.pop("mosaic", "first"),
        aoi=aoi,
        output=OutputRequest(**output),
    )


def read(path: Path, level: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Values (bands, rows, cols) and validity (rows, cols) of a file, at an overview."""
    options = {"OVERVIEW_LEVEL": level - 1} if level else {}
    with rasterio.open(path, **options) as file:
        return file.read(), file.dataset_mask() > 0
