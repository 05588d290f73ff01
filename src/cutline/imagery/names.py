"""What the bands of a file are called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from rasterio.enums import ColorInterp

from cutline.errors import InvalidScene
from cutline.imagery.header import BandTraits

COMMON_NAMES = (
    *("pan", "coastal", "blue", "green", "green05", "yellow", "red", "rededge", "rededge071", "rededge075"),
    *("rededge078", "nir", "nir08", "nir09", "cirrus", "swir16", "swir22", "lwir", "lwir11", "lwir12"),
)
"""The common names of STAC's electro-optical extension, 2.0"""

SYNONYMS = {
    # what descriptions say, in lower case with single spaces: STAC's common name
    **{name: name for name in COMMON_NAMES},
    "panchromatic": "pan",
    "coastal aerosol": "coastal",
    "coastal blue": "coastal",
    "ultra blue": "coastal",
    "red edge": "rededge",
    "near infrared": "nir",
    "nearinfrared": "nir",
    "near ir": "nir",
    "nir1": "nir",
    "nir 1": "nir",
    "narrow nir": "nir08",
    "nir narrow": "nir08",
    "water vapour": "nir09",
    "water vapor": "nir09",
    "swir1": "swir16",
    "swir 1": "swir16",
    "swir2": "swir22",
    "swir 2": "swir22",
    "thermal infrared": "lwir",
}

COLORS = {
    # GDAL's colour interpretation: STAC's common name. The wide infrared ones name no single band.
    ColorInterp.red: "red",
    ColorInterp.green: "green",
    ColorInterp.blue: "blue",
    ColorInterp.pan: "pan",
    ColorInterp.coastal: "coastal",
    ColorInterp.rededge: "rededge",
    ColorInterp.nir: "nir",
}


BAND_NAMES = "/source/band_names"
"""Where a request has the names that are given"""


def name_bands(bands: Sequence[BandTraits], given: Sequence[str] = ()) -> tuple[str, ...]:
    """A name for each band: those ``given``, else from descriptions, colours and positions; all different.

    Raises InvalidScene where the number of names given is not that of the bands, or a name is given twice.
    """
    if given:
        return _checked(bands, given)
    guesses = [_described(band) or COLORS.get(band.color) for band in bands]
    count = Counter(guesses)
    # A name that two bands claim is nobody's.
    return tuple(
        guess if guess is not None and count[guess] == 1 else f"b{band.index}"
        for guess, band in zip(guesses, bands, strict=True)
    )


def common_name(text: str) -> str | None:
    """The common name that ``text`` means, if it means one ("Near Infrared" -> nir)."""
    return SYNONYMS.get(" ".join(re.split(r"[\s_-]+", text.strip().lower())))


def _described(band: BandTraits) -> str | None:
    text = (band.description or "").strip()
    if not text or band.wavelength is not None:
        # A hyperspectral band's description is its wavelength, which is kept as such.
        return None
    return common_name(text) or re.sub(r"[^\w.+-]+", "_", text).strip("_") or None


def _checked(bands: Sequence[BandTraits], given: Sequence[str]) -> tuple[str, ...]:
    if len(given) != len(bands):
        raise InvalidScene(
            f"it has {len(bands)} bands, but {len(given)} names were given ({', '.join(given)}); name each of them",
            pointer=BAND_NAMES,
        )
    twice = [name for name, count in Counter(given).items() if count > 1]
    if twice:
        raise InvalidScene(f"the band name {twice[0]!r} was given twice", pointer=BAND_NAMES)
    return tuple(given)
