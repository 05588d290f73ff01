"""The grid of a file, to be taken over as it is."""

from __future__ import annotations

from cutline.errors import CutlineError, InvalidRequest, InvalidScene
from cutline.imagery.header import read_header
from cutline.imagery.hrefs import resolve, shown
from cutline.models.grid import Geobox

GEOBOX = "/output/geobox"


def grid_of(href: str) -> Geobox:
    """The geobox of the raster at ``href``.

    Raises InvalidRequest (or UnsupportedCRS, TooLarge) or SourceUnavailable; a grid that is turned or upside down
    cannot be taken over.
    """
    try:
        asset = read_header(resolve(href)).asset
    except CutlineError as error:
        family = InvalidRequest if isinstance(error, InvalidScene) else type(error)  # it is no scene of the request
        raise family(f"--like {shown(href)}: {error.message}", pointer=GEOBOX) from error
    width, row_shear, left, col_shear, height, top = asset.transform
    if row_shear or col_shear or width <= 0 or height >= 0:
        raise InvalidRequest(
            f"--like {shown(href)}: it is not north-up; a result can only take over a grid that is", pointer=GEOBOX
        )
    return Geobox(crs=asset.crs, resolution=(width, -height), anchor=(left, top), col=0, row=0, shape=asset.shape)
