"""``python -m benchmarks.with_dropbox copy|deliver FOLDER PORT BYTES [DEATHS]``: bytes go to the stand-in for Dropbox.

``copy`` posts them, and no more. ``deliver`` brings them there as a delivery does: each invocation is a process, of
which so many are killed just after Dropbox has taken a piece, before they could say so. FOLDER has the stand-in's
certificate and keeps the cursor.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import ssl
import sys
from pathlib import Path

import pytest

from benchmarks.measure import Failed
from cutline.deliver import dropbox_api
from cutline.deliver.target import Trip
from tests.support.dropbox_account import APP_KEY, APP_SECRET
from tests.support.dropbox_journeys import parcel_of, reached
from tests.support.dropbox_server import lead_there

PIECE = 48 * 1024 * 1024
NOISE = random.Random(5).randbytes(PIECE + 4096)
"""Of which each piece is another part"""
FOREVER = 1e6


def read(start: int, end: int) -> bytes:
    """The bytes of a COG that nobody has made."""
    shift = start // PIECE % 4096
    return NOISE[shift : shift + end - start]


def copy(folder: Path, port: int, nbytes: int) -> None:
    """Over one connection."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    there = http.client.HTTPSConnection("127.0.0.1", port, context=context)
    for start in range(0, nbytes, PIECE):
        there.request("POST", "/plain", read(start, min(start + PIECE, nbytes)))
        with there.getresponse() as answer:
            answer.read()


def deliver(folder: Path, port: int, nbytes: int, deaths: int) -> None:
    """Invocation after invocation. ``deaths`` of them are killed, all after as many pieces."""
    pieces = nbytes // PIECE // (deaths + 1)
    for left in range(deaths, -1, -1):
        invocation = os.fork()  # what both have is counted once
        if not invocation:
            invoke(folder, port, nbytes, pieces if left else 0)
            os._exit(0)
        _, status = os.waitpid(invocation, 0)
        if os.waitstatus_to_exitcode(status) != (-signal.SIGKILL if left else 0):
            raise Failed(f"an invocation ended with {os.waitstatus_to_exitcode(status)}")


def invoke(folder: Path, port: int, nbytes: int, pieces: int) -> None:
    """One invocation, killed after ``pieces`` pieces, or never for 0."""
    cursor, saved = folder / "cursor.json", 0

    def save(after: object) -> None:
        nonlocal saved
        saved += 1
        if pieces and saved > pieces:
            os.kill(os.getpid(), signal.SIGKILL)
        cursor.write_text(json.dumps(after))

    with pytest.MonkeyPatch.context() as patch:
        lead_there(port, folder / "ca.pem", patch)
        patch.setenv("CUTLINE_DROPBOX_KEY", APP_KEY)
        for name in ("TABLE", "WORK_BUCKET", "EXPORTS_BUCKET"):
            patch.setenv(f"CUTLINE_{name}", "none")
        patch.setattr(dropbox_api, "app_secret", lambda: APP_SECRET)
        before = json.loads(cursor.read_text()) if cursor.exists() else {}
        if reached().deliver(parcel_of(nbytes, read), Trip(before, save, lambda: FOREVER)) is None:
            raise Failed("the delivery did not arrive")


if __name__ == "__main__":
    what, where, at, *numbers = sys.argv[1:]
    {"copy": copy, "deliver": deliver}[what](Path(where), int(at), *map(int, numbers))
