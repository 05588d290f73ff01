"""Opening files: by the one driver their first bytes called for, with no way out to other files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from cutline.errors import CutlineError, InvalidScene, SourceUnavailable
from cutline.imagery.environment import environment
from cutline.imagery.formats import ENVI, GEOTIFF, SNIFFED_BYTES, Format, recognise
from cutline.imagery.hrefs import gdal_path, path_of, shown
from cutline.models.scene import Asset
from cutline.store import check_host, objects, scheme_of

TIFF_SIDECARS = (".msk", ".ovr")
"""What GDAL opens beside a local TIFF: a mask, overviews"""

NETWORK = ("HTTP", "CURL", "timed out", "timeout", "resolve host", "connect to")
"""Words of GDAL's messages when the network, not the file, is at fault"""


def open_asset(asset: Asset, *, overview: int | None = None) -> rasterio.DatasetReader:
    """``asset``, open for reading at full resolution, or at the ``overview``-th of ``asset.overviews``.

    Read from it inside ``environment()``. Raises SourceUnavailable where the network failed, else InvalidScene.
    """
    with opened(asset.href, asset.driver, overview=overview) as dataset:
        return dataset


@contextmanager
def opened(href: str, driver: str, *, overview: int | None = None) -> Iterator[rasterio.DatasetReader]:
    """The file at ``href`` in GDAL's environment, whose errors become ours. The dataset stays open behind it."""
    level = {} if overview is None else {"OVERVIEW_LEVEL": overview}
    with environment(**_confinement(href, driver)), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            yield rasterio.open(gdal_path(href), driver=driver, sharing=False, **level)
        except RasterioError as error:
            raise _told(href, driver, error) from error


def identify(href: str) -> tuple[Format, str | None]:
    """The format of the file at ``href``, and what identifies its content and that of the files read with it."""
    start, identity = objects(href).peek(href, SNIFFED_BYTES)
    known = recognise(path_of(href), start)
    identities = [identity]
    for sidecar in _sidecars(href, known):
        start, identity = objects(sidecar).peek(sidecar, SNIFFED_BYTES)
        identities.append(identity)
        if known is GEOTIFF and not start.startswith(GEOTIFF.magics):
            # GDAL picks the driver of a sidecar by its content, so that is checked here.
            raise InvalidScene(f"{shown(sidecar)} beside it is not a TIFF")
    return known, None if None in identities else "+".join(map(str, identities))


def _sidecars(href: str, known: Format) -> list[str]:
    """The files that belong to the one at ``href``. Raises InvalidScene where an ENVI file lacks its header."""
    if known is ENVI:
        return [_envi_header(href)]
    if known is GEOTIFF and not scheme_of(href):
        return [href + suffix for suffix in TIFF_SIDECARS if Path(href + suffix).is_file()]
    return []


def _envi_header(href: str) -> str:
    beside = href.rpartition(".")[0] + ".hdr"
    if scheme_of(href):
        return beside
    for header in (beside, href + ".hdr"):
        if Path(header).is_file():
            return header
    raise InvalidScene(f"it looks like ENVI, but its header {Path(beside).name} is not beside it")


def _confinement(href: str, driver: str) -> dict[str, str]:
    """The options that keep GDAL to this one file."""
    scheme = scheme_of(href)
    if scheme.startswith("http"):
        check_host(href)
    if not scheme or driver == ENVI.driver:
        return {"GDAL_DISABLE_READDIR_ON_OPEN": "TRUE"}  # sidecars by their names; never list a folder of a million
    return {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "CPL_VSIL_CURL_ALLOWED_FILENAME": gdal_path(href)}


def _told(href: str, driver: str, error: RasterioError) -> CutlineError:
    message = str(error)
    if scheme_of(href) and any(word in message for word in NETWORK):
        return SourceUnavailable(f"it could not be read: {message.replace(href, shown(href))}")
    return InvalidScene(
        f"it is damaged, or not what its first bytes say ({driver}): {message.replace(href, shown(href))}"
    )
