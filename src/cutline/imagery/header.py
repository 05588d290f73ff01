"""What one raster file's header says, as an Asset and the traits of its bands. No pixel is read here."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags

from cutline.errors import InvalidScene, TooLarge
from cutline.imagery.formats import ENVI
from cutline.imagery.georeference import georeference
from cutline.imagery.reader import identify, opened
from cutline.models.scene import Asset, Validity

DTYPES = frozenset({"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"})
"""numpy's names of what we read. 64-bit integers do not fit a double, complex numbers are no brightness."""

MAX_BLOCK_BYTES = 2**30
"""One TIFF block is decoded at once: a header of some kB can declare more than there is memory"""
MAX_BYTES = 10**13
"""Uncompressed. Ten times Landsat's largest mosaics; beyond is a mistake or a trap"""

DATETIME_TAGS = ("ACQUISITIONDATETIME", "TIFFTAG_DATETIME")
"""The IMAGERY domain's time of acquisition, before the time TIFF gives, which may be that of processing"""
DATETIME_FORMATS = ("%Y:%m:%d %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S")

MICROMETRES = {
    # unit of a wavelength: micrometres
    "nanometers": 1e-3,
    "nanometer": 1e-3,
    "nanometres": 1e-3,
    "nm": 1e-3,
    "micrometers": 1.0,
    "micrometer": 1.0,
    "micrometres": 1.0,
    "microns": 1.0,
    "um": 1.0,
    "µm": 1.0,
}


@dataclass(frozen=True)
class BandTraits:
    """One data band, as the file describes it."""

    index: int
    """1-based"""
    dtype: str
    description: str | None
    color: ColorInterp
    scale: float
    offset: float
    wavelength: float | None
    """Micrometres"""


@dataclass(frozen=True)
class Header:
    """One file."""

    asset: Asset
    bands: tuple[BandTraits, ...]
    """The data bands in order; an alpha band is not one"""
    datetime: datetime | None


def read_header(href: str) -> Header:
    """The header of the file at ``href`` (absolute). Raises InvalidScene, UnsupportedCRS, TooLarge or
    SourceUnavailable; the message begins with what is wrong and leaves the scene's name to the caller."""
    known, identity = identify(href)
    with opened(href, known.driver) as dataset, dataset:
        _check_redirection(dataset)
        place = georeference(dataset)
        _check_dtypes(dataset)
        _check_size(dataset)
        if known is ENVI:
            _check_complete(dataset, href)
        alpha = _alpha(dataset)
        validity, nodata = _validity(dataset, alpha)
        asset = Asset(
            href=href,
            driver=known.driver,
            crs=place.crs,
            transform=tuple(place.transform)[:6],
            shape=dataset.shape,
            count=dataset.count,
            dtype=dataset.dtypes[0],
            validity=validity,
            nodata=nodata,
            alpha=alpha,
            palette=ColorInterp.palette in dataset.colorinterp,
            overviews=_overviews(dataset),
            identity=identity,
        )
        bands = tuple(_traits(dataset, index) for index in dataset.indexes if index != alpha)
        if not bands:
            raise InvalidScene("it has an alpha band and no other")
        return Header(asset, bands, _datetime(dataset))


def with_nodata(header: Header, nodata: float | None) -> Header:
    """``header`` with the ``nodata`` that a STAC item knows of, where the file says nothing of its validity."""
    held = fitted(nodata, header.asset.dtype)
    if held is None or header.asset.validity != "all":
        return header
    return replace(header, asset=header.asset.model_copy(update={"validity": "nodata", "nodata": held}))


def _check_redirection(dataset: rasterio.DatasetReader) -> None:
    if dataset.tags(ns="OVERVIEWS"):
        # GDAL opens the file this tag names, by any driver it has.
        raise InvalidScene("its metadata sends readers to another file for overviews (OVERVIEW_FILE); remove that tag")


def _check_dtypes(dataset: rasterio.DatasetReader) -> None:
    found = sorted(set(dataset.dtypes))
    if len(found) > 1:
        raise InvalidScene(f"its bands differ in data type ({', '.join(found)}); give one file per band")
    if found[0] not in DTYPES:
        raise InvalidScene(
            f"its data type {found[0]} is not supported; convert it to one of {', '.join(sorted(DTYPES))}"
        )


def _check_size(dataset: rasterio.DatasetReader) -> None:
    itemsize = np.dtype(dataset.dtypes[0]).itemsize
    rows, cols = dataset.shape
    declared = rows * cols * dataset.count * itemsize
    if declared > MAX_BYTES:
        raise TooLarge(f"it declares {declared / 1e12:,.1f} TB of pixels; the limit is {MAX_BYTES / 1e12:,.0f} TB")
    together = dataset.count if dataset.interleaving and dataset.interleaving.name == "pixel" else 1
    block = max(height * width for height, width in dataset.block_shapes) * itemsize * together
    if block > MAX_BLOCK_BYTES:
        raise TooLarge(
            f"one of its blocks takes {block / 2**30:,.1f} GiB, the limit is {MAX_BLOCK_BYTES / 2**30:,.0f} GiB; "
            "tile it (gdal_translate -of COG)"
        )


def _check_complete(dataset: rasterio.DatasetReader, href: str) -> None:
    """GDAL fills up a truncated file of bare pixels with zeros, and says nothing."""
    offset = int(dataset.tags(ns="ENVI").get("header_offset", "0"))
    declared = offset + dataset.width * dataset.height * dataset.count * np.dtype(dataset.dtypes[0]).itemsize
    if (size := Path(href).stat().st_size) < declared:
        raise InvalidScene(f"it is truncated: its header declares {declared:,} bytes, but there are {size:,}")


def _alpha(dataset: rasterio.DatasetReader) -> int | None:
    return next((i + 1 for i, color in enumerate(dataset.colorinterp) if color is ColorInterp.alpha), None)


def _validity(dataset: rasterio.DatasetReader, alpha: int | None) -> tuple[Validity, float | None]:
    """An alpha band says most, then a mask, then nodata; zero is never guessed."""
    if alpha is not None:
        return "alpha", None
    flags = dataset.mask_flag_enums[0]
    if MaskFlags.per_dataset in flags and MaskFlags.nodata not in flags:
        return "mask", None
    values = {_comparable(value, dataset.dtypes[0]) for value in dataset.nodatavals}
    if len(values) > 1:
        listed = ", ".join("none" if value is None else f"{value:g}" for value in dataset.nodatavals)
        raise InvalidScene(f"its bands have different nodata values ({listed}); give them one (gdal_edit -a_nodata)")
    nodata = fitted(dataset.nodatavals[0], dataset.dtypes[0])
    return ("all", None) if nodata is None else ("nodata", nodata)


def _comparable(value: float | None, dtype: str) -> float | str | None:
    """NaN equals nothing, itself included, so its name stands for it."""
    value = fitted(value, dtype)
    return "nan" if value is not None and math.isnan(value) else value


def fitted(nodata: float | None, dtype: str) -> float | None:
    """``nodata`` as a pixel of ``dtype`` would hold it, or None where no pixel can (-9999 in bytes)."""
    if nodata is None:
        return None
    kind = np.dtype(dtype)
    if kind.kind == "f":
        with np.errstate(over="ignore"):
            held = float(kind.type(nodata))
        return None if math.isinf(held) and not math.isinf(nodata) else held
    limits = np.iinfo(kind)
    return nodata if nodata == nodata // 1 and limits.min <= nodata <= limits.max else None


def _overviews(dataset: rasterio.DatasetReader) -> tuple[int, ...]:
    """The factors, where every band has the same ones."""
    factors = {tuple(dataset.overviews(index)) for index in dataset.indexes}
    return factors.pop() if len(factors) == 1 else ()


def _traits(dataset: rasterio.DatasetReader, index: int) -> BandTraits:
    return BandTraits(
        index=index,
        dtype=dataset.dtypes[index - 1],
        description=dataset.descriptions[index - 1],
        color=dataset.colorinterp[index - 1],
        scale=dataset.scales[index - 1],
        offset=dataset.offsets[index - 1],
        wavelength=_wavelength(dataset, index),
    )


def _wavelength(dataset: rasterio.DatasetReader, index: int) -> float | None:
    """From GDAL's IMAGERY domain (micrometres), else as the ENVI driver leaves it."""
    if centre := _number(dataset.tags(index, ns="IMAGERY").get("CENTRAL_WAVELENGTH_UM")):
        return centre
    tags = dataset.tags(index)
    factor = MICROMETRES.get(tags.get("wavelength_units", "").strip().lower())
    value = _number(tags.get("wavelength"))
    return value * factor if value and factor else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None


def _datetime(dataset: rasterio.DatasetReader) -> datetime | None:
    tags = {**dataset.tags(), **dataset.tags(ns="IMAGERY")}
    for text in filter(None, (tags.get(name) for name in DATETIME_TAGS)):
        for pattern in DATETIME_FORMATS:
            try:
                return datetime.strptime(text.strip().removesuffix("Z"), pattern).replace(tzinfo=UTC)
            except ValueError:
                continue
    return None
