"""Which parts a file is uploaded in: S3 copies large pieces of segments itself; small ones are fetched and joined.

S3's rules (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html): a part has 5 MiB to 5 GiB, only the last
may be smaller, and there are 10,000 at most. A part is copied from one object, or sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cutline.errors import TooLarge

LEAST, MOST, MAX_PARTS = 5 << 20, 5 << 30, 10_000
MOST_SENT = 256 << 20
"""Bytes of a part that goes through our memory"""
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


def plan_parts(header: int, segments: Sequence[int]) -> list[Part]:
    """The parts of a file of so many bytes of header and of each segment, in order. Raises TooLarge where no plan keeps
    to S3's limits without sending parts beyond what we hold in memory."""
    worth_copying = LEAST
    while worth_copying <= MOST_SENT // 2:
        parts = _Packing(worth_copying).packed(header, segments)
        if len(parts) <= MAX_PARTS:
            return parts
        worth_copying *= 2  # more is sent, in fewer parts
    raise TooLarge(
        f"{sum(segments):,} bytes in {len(segments):,} segments are more than one upload of {MAX_PARTS:,} parts can "
        "join; choose a coarser resolution or a part of the area"
    )


class _Packing:
    """Goes through the file once, and holds back what is too small for a part of its own."""

    def __init__(self, worth_copying: int) -> None:
        self._worth_copying = worth_copying
        self._parts: list[Part] = []
        self._held: list[Piece] = []
        self._nbytes = 0

    def packed(self, header: int, segments: Sequence[int]) -> list[Part]:
        for start in range(0, header, MOST_SENT):
            self._hold(Piece(HEADER, start, min(start + MOST_SENT, header)))
        for source, nbytes in enumerate(segments):
            self._take(source, nbytes)
        self._send()
        return self._parts

    def _take(self, source: int, nbytes: int) -> None:
        missing = max(LEAST - self._nbytes, 0) if self._nbytes else 0  # until what is held back makes a part
        if nbytes - missing < self._worth_copying:
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
        if self._nbytes >= self._worth_copying:
            self._send()

    def _send(self) -> None:
        if self._held:
            self._parts.append(Part(tuple(self._held), copied=False))
        self._held, self._nbytes = [], 0
