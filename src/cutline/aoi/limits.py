"""What an AOI may cost. Together they keep the peak of any file, friendly or not, under 500 MB of memory."""

from __future__ import annotations

from cutline.aoi.model import Refusal, refusal

MEBIBYTE = 1 << 20

MAX_VERTICES = 2_000_000
"""A coastline at 10 m. 32 MB of coordinates, and seconds to union."""

MAX_FEATURES = 200_000
"""More polygons than anybody draws; also bounds what is done for each feature in Python."""

MAX_ZIP_DIRECTORY = 4 * MEBIBYTE
"""Bytes of a zip's central directory, some 40,000 members: zipfile makes an object of each before we see any."""

MAX_RATIO = 200
"""Declared to compressed size. Text reaches 30, the padded fields of a .dbf 150, zip bombs 1,000."""

RATIO_MATTERS = 10 * MEBIBYTE
"""Below this declared size a ratio harms nobody."""


def check(limit: int, count: int, what: str) -> None:
    """Refuse more than ``limit`` of ``what`` (a plural noun)."""
    if count > limit:
        raise too_large(f"the file holds {count:,} {what}, more than the {limit:,} allowed; simplify it or use a part")


def too_large(message: str) -> Refusal:
    return refusal("too-large", message)


def megabytes(size: int) -> str:
    return f"{size / MEBIBYTE:,.1f} MB"
