"""The grid of a file, to be taken over as it is."""

from __future__ import annotations

from cutline.errors import InvalidRequest
from cutline.imagery.scenes import describe_scenes
from cutline.models.grid import Geobox
from cutline.models.request import SceneRequest, Source


def grid_of(href: str) -> Geobox:
    """The geobox of the raster at ``href``. Raises InvalidRequest for a grid that is turned or upside down."""
    (scene,) = describe_scenes(Source(scenes=(SceneRequest(href=href),)))
    asset = next(iter(scene.assets.values()))
    width, row_shear, left, col_shear, height, top = asset.transform
    if row_shear or col_shear or width <= 0 or height >= 0:
        raise InvalidRequest(f"{href} is not north-up; a result can only take over a grid that is")
    return Geobox(crs=asset.crs, resolution=(width, -height), anchor=(left, top), col=0, row=0, shape=asset.shape)
