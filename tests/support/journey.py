"""A COG on its way to a target, over as many invocations as a test wants, some of which are killed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from cutline.cog.checksum import crc64_text
from cutline.deliver.target import Arrival, Cursor, Parcel, Target, Trip
from cutline.errors import CutlineError
from cutline.kernel import crc64

ITEM, MANIFEST = b'{"type": "Feature"}', b'{"export": "e1"}'
PATH = "exports/2026-11-21/field"


def content(nbytes: int, seed: int = 1) -> bytes:
    return np.random.default_rng(seed).bytes(nbytes)


def parcel(cog: bytes, path: str = PATH) -> Parcel:
    return Parcel(
        path=path, bucket="our-exports", key="owner/e1.tif", etag='"etag-1"', nbytes=len(cog),
        crc64nvme=crc64_text(crc64(cog)), item=ITEM, manifest=MANIFEST, read=lambda start, end: cog[start:end],
    )  # fmt: skip


def pieces(number: int) -> Callable[[], float]:
    """The time left of an invocation in which so many pieces can begin."""
    left = iter([1e6] * number)
    return lambda: next(left, 0.0)


def forever() -> float:
    return 1e6


@dataclass
class Journey:
    """A delivery, whose record is ``cursor``."""

    parcel: Parcel
    cursor: Cursor = field(default_factory=dict)

    def go_on(self, target: Target, seconds_left: Callable[[], float] = forever) -> Arrival | None:
        """One invocation."""
        return target.deliver(self.parcel, Trip(self.cursor, self.save, seconds_left))

    def refused(self, target: Target, secret: str) -> CutlineError:
        """What the target says to an invocation, which is no other than what it says to being verified. No ``secret``
        is in it."""
        told = []
        for ask in (lambda: self.go_on(target), target.verify):
            with pytest.raises(CutlineError) as caught:
                ask()
            told.append(caught.value)
        assert type(told[0]) is type(told[1])
        assert all(secret not in error.message for error in told)
        return told[0]

    def save(self, cursor: Cursor) -> None:
        self.cursor = json.loads(json.dumps(cursor))

    def killed(self, make: Callable[[], Target], kept: Path, pieces: int) -> None:
        """One invocation in a process of its own, which is killed when it has brought so many pieces. Its record is in
        the file ``kept`` meanwhile. The target is made there: a connection has one process."""
        kept.write_text(json.dumps(self.cursor))
        left = iter([1e6] * pieces)

        def seconds_left() -> float:
            return next(left, None) or os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[return-value]

        child = os.fork()
        if child == 0:
            try:
                trip = Trip(self.cursor, lambda cursor: kept.write_text(json.dumps(cursor)) and None, seconds_left)
                make().deliver(self.parcel, trip)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "it came to its end before it could be killed"
        self.cursor = json.loads(kept.read_text())
