"""Small rasters made to order, and short ways to describe them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

from cutline.imagery import describe_scenes
from cutline.models.request import MaskRequest, SceneRequest, Source
from cutline.models.scene import Scene

UTM33 = Affine(10.0, 0.0, 400000.0, 0.0, -10.0, 5600000.0)


def make_raster(
    path: Path,
    *,
    pixels: np.ndarray | None = None,
    crs: str | None = "EPSG:32633",
    transform: Affine = UTM33,
    nodata: float | None = None,
    driver: str = "GTiff",
    colors: tuple[str, ...] = (),
    descriptions: tuple[str, ...] = (),
    scales: tuple[float, ...] = (),
    offsets: tuple[float, ...] = (),
    tags: dict[str, str] | None = None,
    mask: np.ndarray | None = None,
    overviews: tuple[int, ...] = (),
    **profile: Any,
) -> Path:
    """A raster file; by default one band of 40 x 60 uint16 pixels that count up from 1."""
    if pixels is None:
        pixels = np.arange(1, 2401, dtype=np.uint16).reshape(1, 40, 60)
    count, rows, cols = pixels.shape
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"),
        rasterio.open(
            path, "w", driver=driver, height=rows, width=cols, count=count, dtype=pixels.dtype, crs=crs,
            transform=transform, nodata=nodata, **profile,
        ) as dataset,
    ):  # fmt: skip
        dataset.write(pixels)
        if colors:
            dataset.colorinterp = [ColorInterp[name] for name in colors]
        if descriptions:
            dataset.descriptions = descriptions
        if scales:
            dataset.scales = scales
        if offsets:
            dataset.offsets = offsets
        if tags:
            dataset.update_tags(**tags)
        if mask is not None:
            dataset.write_mask(mask)
        if overviews:
            dataset.build_overviews(list(overviews))
    return path


def stack(count: int, dtype: str = "uint8") -> np.ndarray:
    """``count`` bands of 40 x 60 pixels, each full of its number."""
    return np.arange(1, count + 1, dtype=dtype)[:, None, None] * np.ones((1, 40, 60), dtype)


def describe(*scenes: str | Path | dict[str, Any], **source: Any) -> tuple[Scene, ...]:
    """Scenes of hrefs, or of dicts of one file per band."""
    requests = tuple(
        SceneRequest(assets={name: str(href) for name, href in scene.items()})
        if isinstance(scene, dict)
        else SceneRequest(href=str(scene))
        for scene in scenes
    )
    return describe_scenes(Source(scenes=requests, **source))


def only(*scenes: str | Path | dict[str, Any], **source: Any) -> Scene:
    (scene,) = describe(*scenes, **source)
    return scene


def masked(asset: str, *values: int, bits: tuple[int, ...] = ()) -> MaskRequest:
    return MaskRequest(asset=asset, values=values, bits=bits)
