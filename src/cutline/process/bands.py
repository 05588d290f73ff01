"""Band names: the common names of STAC's eo extension, and the other names that people and sensors use for them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cutline.errors import InvalidProcess

SYNONYMS: dict[str, tuple[str, ...]] = {
    "coastal": ("coastalaerosol", "ultrablue", "violet"),
    "green": ("green2", "green06"),
    "green05": ("greeni", "green1"),
    "nir": ("nir1", "nearinfrared", "infrared", "nir08"),  # Landsat's only near infrared is called nir08
    "nir08": ("nir8a", "nirnarrow", "nir2"),
    "nir09": ("watervapor", "watervapour"),
    "pan": ("panchromatic", "gray", "grey"),
    "rededge": ("rededge071", "rededge075", "rededge078"),
    "rededge071": ("rededge1", "rededge"),  # before eo v2 a single red edge was just "rededge"
    "rededge075": ("rededge2",),
    "rededge078": ("rededge3",),
    "swir16": ("swir1", "shortwaveinfrared1"),
    "swir22": ("swir2", "shortwaveinfrared2"),
    "lwir": ("thermal", "tir", "lwir11", "lwir12"),
    "lwir11": ("tir1", "tirs1", "thermal1", "lwir"),
    "lwir12": ("tir2", "tirs2", "thermal2"),
}
"""Common name -> names under which a file may have that band, best first. A reader's name works both ways."""

EXCLUSIVE = frozenset({"rededge", "lwir"})
"""Names that several bands answer to: they mean a synonym only where there is just one."""

SPYNDEX_BANDS: dict[str, str] = {
    "A": "coastal",
    "B": "blue",
    "G": "green",
    "G1": "green05",
    "N": "nir",
    "N2": "nir08",
    "R": "red",
    "RE1": "rededge071",
    "RE2": "rededge075",
    "RE3": "rededge078",
    "S1": "swir16",
    "S2": "swir22",
    "T": "lwir",
    "T1": "lwir11",
    "T2": "lwir12",
    "WV": "nir09",
    "Y": "yellow",
    "HH": "hh",
    "HV": "hv",
    "VH": "vh",
    "VV": "vv",
}
"""The catalogue's letter -> common name"""

_POSITION = re.compile(r"b([1-9][0-9]{0,3})")  # lower case: B4 is Landsat's name for red, wherever it is in the file


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).lower()


def _candidates(wanted: str) -> tuple[str, ...]:
    """Plain names that ``wanted`` may go by, best first: its own, as a common name its synonyms', as a synonym its
    common name's."""
    own = _plain(wanted)
    if own in SYNONYMS:
        return own, *SYNONYMS[own]
    return own, *(common for common, others in SYNONYMS.items() if own in others)


def find_band(wanted: str, available: Sequence[str], aliases: Mapping[str, str] | None = None) -> str | None:
    """The one of ``available`` that ``wanted`` means, or None.

    In order: the very name, the caller's alias, a name that differs in case, space, "-" or "_", a synonym, and
    b1, b2, … by position. A name that several bands answer to equally means none of them.
    """
    if wanted in available:
        return wanted
    if aliases is not None and aliases.get(wanted) in available:
        return aliases[wanted]
    plain: dict[str, list[str]] = {}
    for name in available:
        plain.setdefault(_plain(name), []).append(name)
    own, *others = _candidates(wanted)
    if len(plain.get(own, ())) == 1:
        return plain[own][0]
    found = [name for other in others for name in plain.get(other, ())]
    if found and (len(found) == 1 or own not in EXCLUSIVE):
        return found[0]
    position = _POSITION.fullmatch(wanted)
    if position and int(position[1]) <= len(available):
        return available[int(position[1]) - 1]
    return None


def resolve_band(
    wanted: str, available: Sequence[str], aliases: Mapping[str, str] | None, *, needed_by: str, pointer: str
) -> str:
    """As ``find_band``. InvalidProcess says what needs the band and which there are."""
    found = find_band(wanted, available, aliases)
    if found is None:
        shown = ", ".join(available[:30]) + (", …" if len(available) > 30 else "") or "none"
        raise InvalidProcess(
            f"{needed_by} needs the band {wanted!r}; the imagery has {shown}{_hint(wanted, available)}.",
            pointer=pointer,
        )
    return found


def _hint(wanted: str, available: Sequence[str]) -> str:
    """What may help, after a semicolon; nothing where all bands go by names we know, so that none can be meant."""
    if wanted.isdecimal():
        return "; by position, bands are b1, b2, b3"
    known = {*SYNONYMS, *SPYNDEX_BANDS.values()}
    return "" if known.issuperset(available) else "; name the bands with --band-names"
