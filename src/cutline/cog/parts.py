"""Which parts a file is uploaded in: S3 copies large pieces of segments itself; small ones are fetched and joined.

S3's rules (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html): a part has 5 MiB to 5 GiB, only the last
may be smaller, and there are 10,000 at most. A part is copied from one object, or sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

LEAST, MOST, MAX_PARTS = 5 << 20, 5 << 30, 10_000
SENT = tuple(size << 20 for size in (8, 16, 32, 64))
"""Bytes of a part that goes through our memory; more only where there would be too many parts"""
HEADER = -1
"""The source of the bytes before the first segment"""


class Piece(NamedTuple):
    """Bytes ``start`` to before ``stop`` of a segment (its place in the file's order), or of the ``HEADER``."""

    source: int
    start: int
    stop: int

    @property
    def nbytes(self) -> int:
        return self.stop - self.start


class Part(NamedTuple):
    """One part: copied by S3, which is then a single piece of a segment, or put together and sent."""

    pieces: tuple[Piece, ...]
    copied: bool

    @property
    def nbytes(self) -> int:
        return sum(piece.nbytes for piece in self.pieces)


def plan_parts(header: int, segments: Sequence[int], max_parts: int = MAX_PARTS) -> list[Part] | None:
    """The parts of a file of so many bytes of header and of each segment, in order.

    None where they are too many for one upload: join ``runs`` of segments first.
    """
    for sent in SENT:
        parts = _Packing(sent).packed(header, segments)
        if len(parts) <= max_parts:
            return parts
    return None


def runs(segments: int, max_parts: int = MAX_PARTS) -> list[range]:
    """So many segments in runs, each of which one upload can join: a segment of less than 5 GiB ends one part that is
    sent and is one that is copied, at most."""
    length = max(max_parts // 2 - 1, 1)
    return [range(start, min(start + length, segments)) for start in range(0, segments, length)]


class _Packing:
    """Goes through the file once, and holds back what is too small for a part of its own."""

    def __init__(self, sent: int) -> None:
        self._sent = sent
        self._parts: list[Part] = []
        self._held: list[Piece] = []
        self._nbytes = 0

    def packed(self, header: int, segments: Sequence[int]) -> list[Part]:
        for start in range(0, header, self._sent):
            self._hold(Piece(HEADER, start, min(start + self._sent, header)))
        for source, nbytes in enumerate(segments):
            self._take(source, nbytes)
        self._send()
        return self._parts

    def _take(self, source: int, nbytes: int) -> None:
        missing = max(LEAST - self._nbytes, 0) if self._nbytes else 0  # until what is held back makes a part
        if nbytes - missing < LEAST:
            self._hold(Piece(source, 0, nbytes))
            return
        self._hold(Piece(source, 0, missing))
        self._send()
        while missing < nbytes:
            stop = nbytes if nbytes - missing <= MOST else min(missing + MOST, nbytes - LEAST)
            self._parts.append(Part((Piece(source, missing, stop),), copied=True))
            missing = stop

    def _hold(self, piece: Piece) -> None:
        if piece.nbytes:
            self._held.append(piece)
            self._nbytes += piece.nbytes
        if self._nbytes >= self._sent:
            self._send()

    def _send(self) -> None:
        if self._held:
            self._parts.append(Part(tuple(self._held), copied=False))
        self._held, self._nbytes = [], 0
