"""How scenes, mask values and times are written in words."""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple

from cutline.errors import InvalidRequest
from cutline.imagery.formats import FORMATS, has_suffix
from cutline.imagery.hrefs import path_of
from cutline.models.request import SceneRequest

BAND = re.compile(r"([A-Za-z_][\w.-]*)=(.+)", re.DOTALL)
"""``red=…``; a URL or a path has a : or / before its first ="""
VALUES = re.compile(r"(-?\d+)(?:-(-?\d+))?")
"""``8`` or ``8-10`` or ``-5--2``"""
MAX_VALUES = 65536


class MaskValues(NamedTuple):
    """The values, or the bits, that mean "do not use"."""

    values: tuple[int, ...] = ()
    bits: tuple[int, ...] = ()


def parse_scene(text: str) -> SceneRequest:
    """``east.tif``, ``s3://bucket/key.tif``, ``item.json``, or one file per band, ``red=B04.tif,nir=B08.tif``.

    A comma inside an href stays there unless ``name=`` and something like a raster's name follow it; %2C always
    does. Raises InvalidRequest.
    """
    if not text.strip():
        raise InvalidRequest("a scene is empty; name a file, a STAC item or red=…,nir=…")
    if not BAND.fullmatch(text):
        return SceneRequest(href=text)
    assets: dict[str, str] = {}
    for piece in _pieces(text):
        match = BAND.fullmatch(piece)
        if match is None:
            raise InvalidRequest(f"{piece!r} is not band=file, as in red=B04.tif")
        name, href = match.groups()
        if name in assets:
            raise InvalidRequest(f"the band {name} is given twice in {text!r}")
        assets[name] = href
    return SceneRequest(assets=assets)


def parse_mask_values(text: str) -> MaskValues:
    """``3,8-10`` (values, ranges inclusive) or ``bits:3,4``. Raises InvalidRequest."""
    kind, colon, listed = text.rpartition(":")
    if colon and kind.strip() != "bits":
        raise InvalidRequest(f"{text!r} is not a list of mask values; write 3,8-10 or bits:3,4", pointer=MASK)
    numbers = tuple(dict.fromkeys(number for piece in listed.split(",") for number in _range(piece.strip(), text)))
    if not colon:
        return MaskValues(values=numbers)
    if any(not 0 <= bit < 32 for bit in numbers):
        raise InvalidRequest(f"{text!r}: bits count from 0, the least significant, to 31", pointer=MASK)
    return MaskValues(bits=numbers)


def parse_interval(text: str) -> tuple[str | None, str | None]:
    """``START/END`` as a half-open interval; ``..`` is open, None. A day as END is included, an instant is not.

    Raises InvalidRequest.
    """
    start, slash, end = text.partition("/")
    if not slash:
        raise InvalidRequest(
            f"{text}: write START/END, such as 2024-06-01/2024-09-01, or START/..", pointer="/source/temporal"
        )
    first, last = _day(start), _day(end)
    if first and last and first > last:
        raise InvalidRequest(f"{text}: it ends before it begins", pointer="/source/temporal")
    if last == dt.date.max:
        end = ".."
    elif last is not None:  # the request's interval is half-open; who writes a day means all of it, as in STAC
        end = (last + dt.timedelta(days=1)).isoformat()
    return (None if start in {"", ".."} else start), (None if end in {"", ".."} else end)


def _day(text: str) -> dt.date | None:
    """The day that ``text`` is; None for an instant, and for what is neither."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


MASK = "/source/mask"


def _pieces(text: str) -> list[str]:
    """``text`` cut at the commas that begin another band."""
    pieces: list[str] = []
    for piece in text.split(","):
        if pieces and not _begins_band(piece):
            pieces[-1] += f",{piece}"
        else:
            pieces.append(piece)
    return pieces


def _begins_band(piece: str) -> bool:
    match = BAND.fullmatch(piece)
    if match is None:
        return False
    href = match[2]
    return "/" in href or has_suffix(path_of(href), *FORMATS)


def _range(piece: str, text: str) -> range:
    match = VALUES.fullmatch(piece)
    if match is None:
        raise InvalidRequest(f"{piece!r} in {text!r} is no mask value; write 3,8-10 or bits:3,4", pointer=MASK)
    first = int(match[1])
    last = int(match[2]) if match[2] else first
    if not 0 <= last - first < MAX_VALUES:
        raise InvalidRequest(f"{piece!r} in {text!r} is not a range of at most {MAX_VALUES} values", pointer=MASK)
    return range(first, last + 1)
