"""STAC items, 1.0 and 1.1: which of their assets hold data, and what they say of the bands.

Only what we use is modelled; anything else in an item is ignored. Where an item and a file both speak of the same
thing, the file's own place, shape and type hold: items are often made from templates.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cutline.errors import InvalidScene
from cutline.imagery.formats import FORMATS, JPEG2000, has_suffix
from cutline.imagery.hrefs import path_of

MAX_ITEM_BYTES = 8 * 2**20
"""Bytes. Items with geometry in every detail stay below 1 MB"""

NOT_DATA_ROLES = frozenset({"thumbnail", "overview", "metadata"})
RASTER_TYPES = ("image/tiff", "image/vnd.stac.geotiff", "image/jp2", "image/x.geotiff", "application/x-geotiff")
"""How media types of rasters begin"""


SHARED = ("nodata", "raster:scale", "raster:offset", "eo:common_name", "eo:center_wavelength")
"""What STAC 1.1 lets an asset say once for all of its bands"""


def _extension(name: str, *prefixes: str) -> Any:
    """A field that STAC 1.0 calls ``name`` in a list of an extension, and STAC 1.1 ``prefix:name``."""
    return Field(default=None, validation_alias=AliasChoices(*(f"{prefix}:{name}" for prefix in prefixes), name))


class _Open(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ItemBand(_Open):
    """One band, from ``eo:bands`` and ``raster:bands`` (1.0) or ``bands`` (1.1) together."""

    name: str | None = None
    common_name: str | None = _extension("common_name", "eo")
    center_wavelength: float | None = _extension("center_wavelength", "eo")
    """Micrometres"""
    scale: float | None = _extension("scale", "raster")
    offset: float | None = _extension("offset", "raster")
    nodata: float | None = None


class ItemAsset(_Open):
    """One file of an item."""

    href: str
    type: str | None = None
    roles: frozenset[str] = frozenset()
    bands: tuple[ItemBand, ...] = ()
    described: bool = False
    """Whether the item lists this file's bands; else ``bands`` is at most what holds for all of them"""

    @model_validator(mode="before")
    @classmethod
    def _merge_bands(cls, raw: Any) -> Any:
        """One list of bands, whichever extensions describe them; what the asset says holds for all of its bands."""
        if not isinstance(raw, dict):
            return raw
        lists = [raw[name] for name in ("eo:bands", "raster:bands", "bands") if raw.get(name)]
        if len({len(bands) for bands in lists}) > 1:
            raise ValueError("eo:bands, raster:bands and bands differ in number")
        shared = {name: raw[name] for name in SHARED if name in raw}
        merged: list[dict[str, Any]] = [dict(shared) for _ in lists[0]] if lists else [shared] if shared else []
        for bands in lists:
            for band, more in zip(merged, bands, strict=True):
                band.update(more)
        return {**raw, "bands": merged, "described": bool(lists)}

    @field_validator("roles", mode="before")
    @classmethod
    def _no_roles(cls, roles: Any) -> Any:
        return roles or ()

    @property
    def is_raster(self) -> bool:
        if self.type:
            return self.type.lower().startswith(RASTER_TYPES)
        return has_suffix(path_of(self.href), *FORMATS)

    @property
    def is_data(self) -> bool:
        """Measurements, not a preview, a report or a quality mask"""
        if not self.is_raster or self.roles & NOT_DATA_ROLES:
            return False
        return not self.roles or "data" in self.roles or any(band.name or band.common_name for band in self.bands)


class ItemProperties(_Open):
    datetime: dt.datetime | None = None
    start_datetime: dt.datetime | None = None
    cloud_cover: float | None = Field(default=None, validation_alias="eo:cloud_cover")


class Item(_Open):
    """A STAC item."""

    id: str
    properties: ItemProperties
    assets: dict[str, ItemAsset]

    @property
    def datetime(self) -> dt.datetime | None:
        """The time of acquisition, else of its beginning; UTC unless it says otherwise"""
        instant = self.properties.datetime or self.properties.start_datetime
        return instant if instant is None or instant.tzinfo else instant.replace(tzinfo=dt.UTC)


class Chosen(NamedTuple):
    """A band of an item that becomes a band of the scene."""

    name: str
    asset: str
    position: int
    """Among the asset's bands, from 0"""
    says: ItemBand


def parse_item(content: bytes) -> Item:
    """The item in ``content``. Raises InvalidScene, naming the field."""
    try:
        kind = _Kind.model_validate_json(content).type
        if kind != "Feature":
            raise InvalidScene(f"it is a STAC {kind}; name one item")
        return Item.model_validate_json(content)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise InvalidScene(f"it is not a STAC item: {where + ': ' if where else ''}{problem['msg']}") from error


class _Kind(_Open):
    type: str = "document without a type"


def choose_bands(item: Item) -> tuple[Chosen, ...]:
    """The bands of the item's data assets, each once and in the item's order.

    The same band often comes several times, as COG, as JPEG 2000 and in a picture: an asset of its own is taken
    before a picture, a COG before JPEG 2000. An asset whose bands are not described counts as one under its key.
    Raises InvalidScene where there is no data asset.
    """
    ranked = sorted((key for key in item.assets if item.assets[key].is_data), key=lambda key: _rank(item.assets[key]))
    taken: dict[str, tuple[str, int, ItemBand]] = {}
    for key in ranked:
        for own, position, band in _own_names(key, item.assets[key]):
            taken.setdefault(own, (key, position, band))
    if not taken:
        kinds = ", ".join(f"{key} ({asset.type or 'no type'})" for key, asset in item.assets.items()) or "none"
        raise InvalidScene(f"the item has no raster asset with data; its assets: {kinds}")
    claims = Counter(band.common_name for _, _, band in taken.values())
    order = list(item.assets)
    chosen = [
        # Three bands may all be "rededge": then each goes by its own name.
        Chosen(band.common_name if band.common_name and claims[band.common_name] == 1 else own, key, position, band)
        for own, (key, position, band) in taken.items()
    ]
    return tuple(sorted(chosen, key=lambda band: (order.index(band.asset), band.position)))


def _rank(asset: ItemAsset) -> tuple[bool, int, bool]:
    jpeg2000 = "jp2" in (asset.type or "") or has_suffix(path_of(asset.href), JPEG2000)
    return "visual" in asset.roles, len(asset.bands), jpeg2000


def _own_names(key: str, asset: ItemAsset) -> Iterator[tuple[str, int, ItemBand]]:
    """Each band under the name that is its own in the item."""
    bands = asset.bands or (ItemBand(),)
    for position, band in enumerate(bands):
        unnamed = key if len(bands) == 1 else f"{key}_{position + 1}"
        yield band.name or band.common_name or unnamed, position, band
