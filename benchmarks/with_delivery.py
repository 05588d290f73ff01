"""``python -m benchmarks.with_delivery PLACE copy|deliver FOLDER PORT BYTES [DEATHS]``: bytes go to a place.

``copy`` brings them there the plain way. ``deliver`` does as a delivery does: each invocation is a process, of which so
many are killed just after the target has taken a piece, before they could say so. FOLDER is the server's; it keeps the
cursor.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from benchmarks.measure import Failed
from benchmarks.places import PLACES, Place, read
from cutline.cog.checksum import crc64_text
from cutline.deliver.target import Parcel, Trip
from cutline.kernel import crc64

FOREVER = 1e6
CHECKED = 8 << 20
"""Bytes at a time, of which the whole's checksum is made"""


def deliver(place: Place, folder: Path, port: int, nbytes: int, deaths: int) -> None:
    """Invocation after invocation. ``deaths`` of them are killed, all after about as many bytes."""
    for left in range(deaths, -1, -1):
        invocation = os.fork()  # what both have is counted once
        if not invocation:
            invoke(place, folder, port, nbytes, nbytes // (deaths + 1) if left else 0)
            os._exit(0)
        _, status = os.waitpid(invocation, 0)
        if os.waitstatus_to_exitcode(status) != (-signal.SIGKILL if left else 0):
            raise Failed(f"an invocation ended with {os.waitstatus_to_exitcode(status)}")


def invoke(place: Place, folder: Path, port: int, nbytes: int, life: int) -> None:
    """One invocation, killed when it has read ``life`` bytes and would write the cursor, or never for 0."""
    cursor, seen = folder / "cursor.json", 0

    def counted(start: int, end: int) -> bytes:
        nonlocal seen
        seen += end - start
        return read(start, end)

    def save(after: object) -> None:
        if life and seen >= life:
            os.kill(os.getpid(), signal.SIGKILL)
        cursor.write_text(json.dumps(after))

    parcel = Parcel(
        path="exports/field", bucket="exports", key="cog", etag="etag", nbytes=nbytes,
        crc64nvme=(folder / "crc64nvme").read_text(), item=b"{}", manifest=b"{}", read=counted,
    )  # fmt: skip
    before = json.loads(cursor.read_text()) if cursor.exists() else {}
    with pytest.MonkeyPatch.context() as patch:
        if place.target(folder, port, patch).deliver(parcel, Trip(before, save, lambda: FOREVER)) is None:
            raise Failed("the delivery did not arrive")


def checksum(nbytes: int) -> str:
    """The CRC-64/NVME of so many bytes, which the export has when it is delivered."""
    crc = 0
    for start in range(0, nbytes, CHECKED):
        crc = crc64(read(start, min(start + CHECKED, nbytes)), crc)
    return crc64_text(crc)


if __name__ == "__main__":
    to, what, where, at, *numbers = sys.argv[1:]
    if what == "copy":
        PLACES[to].copy(Path(where), int(at), *map(int, numbers))
    else:
        deliver(PLACES[to], Path(where), int(at), *map(int, numbers))
