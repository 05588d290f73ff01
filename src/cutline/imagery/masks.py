"""Which band of a scene is its mask, and what that says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutline.errors import InvalidRequest, InvalidScene
from cutline.imagery.header import Header
from cutline.models.request import MaskRequest
from cutline.models.scene import Band, Mask

MASK = "/source/mask"


def excluded(mask: Mask, classes: NDArray[Any]) -> NDArray[np.bool_]:
    """Which pixels of a mask's band say "do not use", whatever its file calls nodata."""
    excluded = np.isin(classes, mask.values)
    if mask.bits:
        excluded |= (classes.astype(np.int64) & sum(1 << bit for bit in mask.bits)) != 0
    return excluded


def find_mask(
    request: MaskRequest, headers: Mapping[str, Header], bands: Sequence[Band], others: Iterable[str] = ()
) -> tuple[Mask, list[Band]]:
    """The mask that ``request`` names, and the bands that remain data. ``others`` are assets that were not read.

    It names an asset of the scene (whose bands then are not data), or else one of its bands. Raises InvalidScene
    where this scene has neither, InvalidRequest where the request says nothing to mask.
    """
    if not request.values and not request.bits:
        raise InvalidRequest("a mask needs the values, or the bits, that mean do not use", pointer=MASK)
    asset, index = _place(request.asset, headers, bands, others)
    dtype = np.dtype(headers[asset].asset.dtype)
    if dtype.kind not in "iu":
        raise InvalidScene(f"its mask {request.asset} holds {dtype.name}, not whole numbers", pointer=MASK)
    if any(bit >= dtype.itemsize * 8 for bit in request.bits):
        raise InvalidScene(f"its mask {request.asset} is {dtype.name} and has no bit {max(request.bits)}", pointer=MASK)
    whole_asset = request.asset in headers
    data = [band for band in bands if band.asset != asset or (band.index != index and not whole_asset)]
    if not data:
        raise InvalidScene(f"it has no band but its mask {request.asset}")
    return Mask(asset=asset, index=index, values=request.values, bits=request.bits), data


def _place(name: str, headers: Mapping[str, Header], bands: Sequence[Band], others: Iterable[str]) -> tuple[str, int]:
    """The asset and the band index that ``name`` means."""
    if name in headers:
        if len(headers[name].bands) > 1:
            raise InvalidScene(f"its mask {name} has {len(headers[name].bands)} bands; name one of them")
        return name, headers[name].bands[0].index
    for band in bands:
        if band.name == name:
            return band.asset, band.index
    there = ", ".join(dict.fromkeys([*(band.name for band in bands), *headers, *others]))
    raise InvalidScene(f"it has no mask {name}; it has {there}")
