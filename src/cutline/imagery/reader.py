"""Opening files: by the one driver their first bytes called for, with no way out to other files."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from cutline.errors import CutlineError, InvalidRequest, InvalidScene, SourceUnavailable
from cutline.imagery.environment import environment
from cutline.imagery.formats import ENVI, GEOTIFF, SNIFFED_BYTES, Format, recognise
from cutline.imagery.hrefs import path_of, shown
from cutline.models.scene import Asset
from cutline.store import WebFiles, objects, scheme_of

TIFF_SIDECARS = (".msk", ".ovr")
"""What GDAL opens beside a local TIFF: a mask, overviews"""


class Access(NamedTuple):
    """How GDAL gets at a file, and at nothing else."""

    name: str
    """What GDAL is given to open"""
    options: dict[str, str]
    """On top of ``environment()``"""
    opener: WebFiles | None = None
    """Reads in GDAL's stead"""


def open_asset(asset: Asset, *, overview: int | None = None) -> rasterio.DatasetReader:
    """``asset``, open for reading at full resolution, or at the ``overview``-th of ``asset.overviews``.

    Read from it inside ``environment()``. Raises SourceUnavailable where the network failed, else InvalidScene.
    """
    with opened(asset.href, asset.driver, overview=overview) as dataset:
        return dataset


@contextmanager
def reading(asset: Asset, *, overview: int | None = None) -> Iterator[rasterio.DatasetReader]:
    """``asset`` as ``open_asset`` opens it, in the environment to read it in; closed behind it."""
    with opened(asset.href, asset.driver, overview=overview) as dataset, dataset:
        yield dataset


@contextmanager
def opened(href: str, driver: str, *, overview: int | None = None) -> Iterator[rasterio.DatasetReader]:
    """The file at ``href`` in GDAL's environment, whose errors become ours. The dataset stays open behind it."""
    access = ACCESS[scheme_of(href)](href)
    level = {} if overview is None else {"OVERVIEW_LEVEL": overview}
    with environment(**access.options), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            yield rasterio.open(access.name, driver=driver, sharing=False, opener=access.opener, **level)
        except (RasterioError, CPLE_BaseError) as error:  # some of rasterio's properties let GDAL's own errors out
            raise _told(href, driver, access, error) from error
        if access.opener is not None and access.opener.failure is not None:
            # GDAL makes do without an overview that it cannot read; then it would be missing from the plan.
            raise _scene_error(access.opener.failure)


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
    if scheme_of(href):
        # GDAL fills what it could not fetch of bare pixels with zeros, and says nothing.
        raise InvalidScene("ENVI is read from local disk only; convert it (gdal_translate -of COG)")
    beside = str(Path(href).with_suffix(".hdr"))
    for header in (beside, href + ".hdr"):
        if Path(header).is_file():
            return header
    raise InvalidScene(f"it looks like ENVI, but its header {Path(beside).name} is not beside it")


def _local(href: str) -> Access:
    # Sidecars are asked for by their names; a folder of a million files is never listed. The system keeps what is read.
    return Access(href, {"GDAL_DISABLE_READDIR_ON_OPEN": "TRUE", "VSI_CACHE": "FALSE"})


def _s3(href: str) -> Access:
    name = "/vsis3/" + href.removeprefix("s3://")
    options = {
        "CPL_VSIL_CURL_ALLOWED_FILENAME": name,  # a file that names another gets nothing
        "CPL_VSIL_CURL_NON_CACHED": name,  # else a process that lives on reads what the object was when last opened
    }
    return Access(name, {**_REMOTE, **options})


def _web(href: str) -> Access:
    return Access(WEB_NAME, _REMOTE, WebFiles({WEB_NAME: href}))


_REMOTE = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # nothing is looked for beside a remote file
    "VSI_CACHE": "TRUE",  # a block that straddles two ranges is not fetched twice
    "VSI_CACHE_SIZE": "16777216",  # bytes, of each open file
}


WEB_NAME = "asset"
"""What GDAL calls the file that it reads through us"""

ACCESS: dict[str, Callable[[str], Access]] = {"": _local, "s3": _s3, "https": _web, "http": _web}
"""href scheme -> how GDAL gets at it"""

NETWORK = ("HTTP", "CURL", "timed out", "timeout", "resolve host", "connect to")
"""Words of GDAL's messages when the network, not the file, is at fault"""


def _told(href: str, driver: str, access: Access, error: BaseException) -> CutlineError:
    """What GDAL means, by the first cause it gives."""
    if access.opener is not None and access.opener.failure is not None:
        return _scene_error(access.opener.failure)
    while error.__cause__ is not None:
        error = error.__cause__
    message = str(error).replace(href, shown(href))
    if scheme_of(href) and any(word in message for word in NETWORK):
        return SourceUnavailable(f"it could not be read: {message}")
    return InvalidScene(f"it is damaged, or not what its first bytes say ({driver}): {message}")


def _scene_error(error: CutlineError) -> CutlineError:
    return InvalidScene(error.message) if isinstance(error, InvalidRequest) else error
