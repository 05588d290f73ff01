"""From what the user names to Scenes, by reading headers only."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

from cutline.errors import CutlineError, InvalidRequest, InvalidScene, TooLarge
from cutline.imagery.footprint import footprint
from cutline.imagery.formats import FORMATS, SNIFFED_BYTES, has_suffix
from cutline.imagery.header import BandTraits, Header, read_header, with_nodata
from cutline.imagery.hrefs import check_id, path_of, resolve, shown, stem
from cutline.imagery.masks import find_mask
from cutline.imagery.names import BAND_NAMES, name_bands
from cutline.imagery.stac import MAX_ITEM_BYTES, Chosen, Item, ItemBand, choose_bands, parse_item
from cutline.models.request import SceneRequest, Source
from cutline.models.scene import Band, Scene
from cutline.store import objects

IMAGE = "image"
"""The asset key of a scene that is a single file"""
ITEM_SUFFIXES = frozenset({".json", ".geojson"})
NOTHING_SAID = ItemBand()


READERS = 8
"""Scenes described at the same time: most of that is waiting for the first byte of an answer"""

Permit = Callable[[str], None]
"""Raises for an href, absolute already, that may not be opened"""


def describe_scenes(source: Source, permit: Permit | None = None) -> tuple[Scene, ...]:
    """The scenes of ``source`` in its order, ids all different. ``permit`` is asked before anything is opened.

    Raises InvalidScene (or UnsupportedCRS, TooLarge) or SourceUnavailable, naming the scene, with its pointer.
    """

    def describe(position: int) -> Scene:
        with _about(source.scenes[position], position):
            return _describe(source.scenes[position], source, permit or _anything)

    pool = ThreadPoolExecutor(READERS)
    try:
        described = list(pool.map(describe, range(len(source.scenes))))
    finally:
        pool.shutdown(cancel_futures=True)
    scenes: list[Scene] = []
    taken: set[str] = set()
    for scene in described:
        scenes.append(scene.model_copy(update={"id": _unused(scene.id, taken)}))
        taken.add(scenes[-1].id)
    return tuple(scenes)


def _anything(href: str) -> None:
    """Who runs this on a machine of their own may open whatever they can."""


def _describe(request: SceneRequest, source: Source, permit: Permit) -> Scene:
    if [bool(request.href), bool(request.assets), bool(request.item)].count(True) != 1:
        raise InvalidScene("a scene is one href, one file per band, or one STAC item")
    if request.item:
        return _from_item(parse_item(_document(request.item)), self_link(request.item), source, permit)
    if request.href is None:
        return _from_files({name: _open(href, permit) for name, href in request.assets.items()}, source)
    href = _open(request.href, permit)
    if not _is_item(href):
        return _from_file(href, source)
    return _from_item(parse_item(objects(href).read(href, MAX_ITEM_BYTES)), href, source, permit)


def self_link(item: Mapping[str, Any]) -> str | None:
    """Where a STAC item says that it is, if that is an address; relative hrefs in it begin there."""
    links = item.get("links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") == "self" and "://" in str(link.get("href")):
            return str(link["href"])
    return None


def _open(href: str, permit: Permit, base: str | None = None) -> str:
    resolved = resolve(href, base)
    permit(resolved)
    return resolved


def _document(item: Mapping[str, Any]) -> bytes:
    content = json.dumps(item).encode()
    if len(content) > MAX_ITEM_BYTES:
        raise TooLarge(f"it is longer than the {MAX_ITEM_BYTES:,} bytes we read")
    return content


def _is_item(href: str) -> bool:
    suffix = PurePosixPath(path_of(href)).suffix.lower()
    if suffix in ITEM_SUFFIXES or has_suffix(path_of(href), *FORMATS):
        return suffix in ITEM_SUFFIXES
    return objects(href).peek(href, SNIFFED_BYTES).start.lstrip().startswith(b"{")


# Each of the three ways to name a scene reads its headers and names its bands; _scene() does the rest.


def _from_file(href: str, source: Source) -> Scene:
    header = read_header(href)
    names = name_bands(header.bands, source.band_names)
    bands = [_band(name, IMAGE, traits) for name, traits in zip(names, header.bands, strict=True)]
    return _scene(stem(href), {IMAGE: header}, bands, source)


def _from_files(hrefs: dict[str, str], source: Source) -> Scene:
    if source.band_names:
        raise InvalidRequest("the bands have their names already (red=…); leave --band-names out", pointer=BAND_NAMES)
    headers = {name: _read(name, href) for name, href in hrefs.items()}
    for name, header in headers.items():
        if len(header.bands) > 1:
            raise InvalidScene(f"{name}={shown(header.asset.href)} has {len(header.bands)} bands; it must have one")
    bands = [_band(name, name, header.bands[0]) for name, header in headers.items()]
    return _scene(_common_stem([stem(href) for href in hrefs.values()]), headers, bands, source)


def _from_item(item: Item, href: str | None, source: Source, permit: Permit) -> Scene:
    chosen = choose_bands(item)
    keys = dict.fromkeys(band.asset for band in chosen)
    if source.mask is not None and source.mask.asset in item.assets:
        keys[source.mask.asset] = None
    headers = {key: _read_item_asset(item, key, href, permit) for key in keys}
    bands = [band for choice in chosen for band in _item_bands(choice, item, headers[choice.asset])]
    if source.band_names:
        bands = _renamed(bands, source.band_names)
    scene = _scene(item.id, headers, bands, source, others=item.assets)
    known = {"item_href": href, "cloud_cover": item.properties.cloud_cover}
    return scene.model_copy(update={**known, "datetime": item.datetime or scene.datetime})


def _read(key: str, href: str) -> Header:
    """The header; errors say which asset of the scene they are about."""
    try:
        return read_header(href)
    except CutlineError as error:
        raise _said_of(f"{key} ({shown(href)})", error) from error


def _read_item_asset(item: Item, key: str, item_href: str | None, permit: Permit) -> Header:
    asset = item.assets[key]
    if item_href is None and "://" not in asset.href:
        raise InvalidScene(f"{key}: {shown(asset.href)} is relative, and the item has no self link to begin from")
    header = _read(key, _open(asset.href, permit, item_href))
    values = {band.nodata for band in asset.bands}
    if len(values) > 1:
        raise InvalidScene(f"{key}: its bands have different nodata values; give one file per band")
    return with_nodata(header, values.pop() if values else None)


def _item_bands(choice: Chosen, item: Item, header: Header) -> list[Band]:
    """``choice`` as the file has it: one band, or all of a file whose bands the item does not list."""
    described = item.assets[choice.asset]
    if not described.described:
        names = name_bands(header.bands) if len(header.bands) > 1 else (choice.name,)
        return [_band(name, choice.asset, band, choice.says) for name, band in zip(names, header.bands, strict=True)]
    if len(described.bands) not in (len(header.bands), header.asset.count):
        raise InvalidScene(
            f"the item lists {len(described.bands)} bands for {choice.asset}, but the file has {len(header.bands)}"
        )
    in_file = [band for band in header.bands if band.index == choice.position + 1]
    if len(described.bands) == len(header.bands):
        in_file = [header.bands[choice.position]]
    return [_band(choice.name, choice.asset, band, choice.says) for band in in_file]


def _renamed(bands: list[Band], names: tuple[str, ...]) -> list[Band]:
    if len({band.asset for band in bands}) > 1:
        raise InvalidRequest("the item's bands are in several files and have their names there", pointer=BAND_NAMES)
    if len(bands) != len(names) or len(set(names)) != len(names):
        raise InvalidScene(
            f"it has {len(bands)} bands, but {len(names)} names were given ({', '.join(names)}); name each of them",
            pointer=BAND_NAMES,
        )
    return [band.model_copy(update={"name": name}) for band, name in zip(bands, names, strict=True)]


def _band(name: str, key: str, traits: BandTraits, says: ItemBand = NOTHING_SAID) -> Band:
    """A band of the file ``key``. What the item ``says`` of scale and offset, it says of both, and before the file."""
    from_item = says.scale is not None or says.offset is not None
    return Band(
        name=name,
        asset=key,
        index=traits.index,
        dtype=traits.dtype,
        scale=(1.0 if says.scale is None else says.scale) if from_item else traits.scale,
        offset=(says.offset or 0.0) if from_item else traits.offset,
        wavelength=says.center_wavelength or traits.wavelength,
    )


def _scene(
    scene_id: str, headers: Mapping[str, Header], bands: list[Band], source: Source, others: Iterable[str] = ()
) -> Scene:
    names = [band.name for band in bands]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InvalidScene(f"two of its bands are called {min(twice)}; give one file per band (red=…,nir=…)")
    mask = None
    if source.mask is not None:
        mask, bands = find_mask(source.mask, headers, bands, others)
    used = {band.asset for band in bands} | ({mask.asset} if mask else set())
    assets = {key: header.asset for key, header in headers.items() if key in used}
    times = [header.datetime for header in headers.values() if header.datetime]
    return Scene(
        id=check_id(scene_id),
        assets=assets,
        bands=tuple(bands),
        footprint=footprint(assets.values()),
        datetime=min(times, default=None),
        mask=mask,
    )


def _common_stem(stems: list[str]) -> str:
    """What the files' names have in common, up to a separator: LC08_…_SR for LC08_…_SR_B4 and LC08_…_SR_B5."""
    words = [re.findall(r"[^_.\- ]+[_.\- ]*", name) for name in stems]
    alike = itertools.takewhile(lambda column: len(set(column)) == 1, zip(*words, strict=False))
    return "".join(column[0] for column in alike).rstrip("_.- ") or stems[0]


def _unused(scene_id: str, taken: Iterable[str]) -> str:
    number, unused = 1, scene_id
    while unused in taken:
        number += 1
        unused = f"{scene_id}-{number}"
    return unused


@contextmanager
def _about(request: SceneRequest, position: int) -> Iterator[None]:
    """Errors inside say which scene they are about, and where it stands in the request."""
    files = ",".join(f"{band}={shown(href)}" for band, href in request.assets.items())
    name = request.href or files or str((request.item or {}).get("id"))[:100]
    try:
        yield
    except CutlineError as error:
        raise _said_of(f"scene {shown(name)}", error, f"/source/scenes/{position}") from error


def _said_of(subject: str, error: CutlineError, pointer: str | None = None) -> CutlineError:
    """``error`` again, beginning with its subject. What the store calls an invalid request is an invalid scene."""
    family = InvalidScene if type(error) is InvalidRequest and error.pointer is None else type(error)
    return family(f"{subject}: {error.message}", pointer=error.pointer or pointer)
