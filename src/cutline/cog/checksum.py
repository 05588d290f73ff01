"""Multihashes, as in STAC's file:checksum: a hash's number in the multicodec table, its length and itself, in hex."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from blake3 import blake3

BLAKE3, SHA256 = "1e20", "1220"
"""Prefixes; both hashes have 0x20 bytes"""

HASHES: dict[str, Callable[[], Any]] = {BLAKE3: blake3, SHA256: hashlib.sha256}
"""Prefix -> what begins such a hash. Ours is BLAKE3; items of other programs mostly have SHA-256"""


def crc64_text(crc: int) -> str:
    """A CRC-64/NVME as S3 writes it (``x-amz-checksum-crc64nvme``): base64 of its eight bytes."""
    return base64.b64encode(crc.to_bytes(8, "big")).decode()
