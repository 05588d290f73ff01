"""Dropbox's content hash of a file, computed piece by piece and over several invocations.

It is the SHA-256 of the SHA-256s of the file's blocks of 4 MiB. hashlib computes those of the blocks, which is all the
work there is. It cannot put its state aside, though; so the hash over them - 32 bytes for each 4 MiB, 2,400 rounds for
20 GB - is computed here, and what is put aside are 32 bytes and the last digest, however long the file.
"""

from __future__ import annotations

import hashlib
import struct

from pydantic import Field

from cutline.models.base import Model

BLOCK = 4 * 1024 * 1024
"""Bytes"""

_DIGEST = 32
_MASK = 0xFFFFFFFF
# FIPS 180-4, sections 5.3.3 and 4.2.2
_FIRST = "6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19"
_ROUNDS = struct.unpack(
    ">64I",
    bytes.fromhex(
        "428a2f9871374491b5c0fbcfe9b5dba53956c25b59f111f1923f82a4ab1c5ed5"
        "d807aa9812835b01243185be550c7dc372be5d7480deb1fe9bdc06a7c19bf174"
        "e49b69c1efbe47860fc19dc6240ca1cc2de92c6f4a7484aa5cb0a9dc76f988da"
        "983e5152a831c66db00327c8bf597fc7c6e00bf3d5a7914706ca635114292967"
        "27b70a852e1b21384d2c6dfc53380d13650a7354766a0abb81c2c92e92722c85"
        "a2bfe8a1a81a664bc24b8b70c76c51a3d192e819d6990624f40e3585106aa070"
        "19a4c1161e376c082748774c34b0bcb5391c0cb34ed8aa4a5b9cca4f682e6ff3"
        "748f82ee78a5636f84c878148cc7020890befffaa4506cebbef9a3f7c67178f2"
    ),
)


class ContentHash(Model):
    """Of the blocks so far. All but the last of a file are whole."""

    blocks: int = Field(default=0, ge=0)
    state: str = Field(default=_FIRST, pattern=r"^[0-9a-f]{64}$")
    """SHA-256's, hexadecimal, after the pairs of digests so far"""
    single: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """The last digest, hexadecimal, where it has no pair yet: SHA-256 takes 64 bytes at a time"""

    def after(self, digests: bytes) -> ContentHash:
        """With further blocks, of which these are the ``block_digests``."""
        pending = bytes.fromhex(self.single) + digests
        whole = len(pending) // 64 * 64
        state = bytes.fromhex(self.state)
        for start in range(0, whole, 64):
            state = _compress(state, pending[start : start + 64])
        return ContentHash(
            blocks=self.blocks + len(digests) // _DIGEST, state=state.hex(), single=pending[whole:].hex()
        )

    def hexdigest(self) -> str:
        """As Dropbox gives it."""
        rest = bytes.fromhex(self.single) + b"\x80"
        padded = rest + bytes(-(len(rest) + 8) % 64) + struct.pack(">Q", self.blocks * _DIGEST * 8)
        return _compress(bytes.fromhex(self.state), padded).hex()


def block_digests(piece: bytes) -> bytes:
    """The SHA-256 of every block of ``piece``, one after the other. Their SHA-256 is the piece's own content hash."""
    view = memoryview(piece)
    blocks = (view[start : start + BLOCK] for start in range(0, len(piece), BLOCK))
    return b"".join(hashlib.sha256(block).digest() for block in blocks)


def _compress(state: bytes, message: bytes) -> bytes:
    """One step of SHA-256 (FIPS 180-4, section 6.2.2): 64 bytes are taken into the 32 of the state."""
    words = list(struct.unpack(">16I", message))
    for index in range(16, 64):
        near, far = words[index - 15], words[index - 2]
        small0 = _turn(near, 7) ^ _turn(near, 18) ^ near >> 3
        small1 = _turn(far, 17) ^ _turn(far, 19) ^ far >> 10
        words.append(words[index - 16] + small0 + words[index - 7] + small1 & _MASK)
    before = struct.unpack(">8I", state)
    a, b, c, d, e, f, g, h = before
    for constant, word in zip(_ROUNDS, words, strict=True):
        chosen = e & f ^ ~e & g
        first = h + (_turn(e, 6) ^ _turn(e, 11) ^ _turn(e, 25)) + chosen + constant + word
        second = (_turn(a, 2) ^ _turn(a, 13) ^ _turn(a, 22)) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = first + second & _MASK, a, b, c, d + first & _MASK, e, f, g
    after = (a, b, c, d, e, f, g, h)
    return struct.pack(">8I", *(old + new & _MASK for old, new in zip(before, after, strict=True)))


def _turn(word: int, bits: int) -> int:
    """Rotated to the right."""
    return (word >> bits | word << 32 - bits) & _MASK
