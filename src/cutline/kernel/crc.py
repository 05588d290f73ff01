"""CRC-64/NVME, the checksum that S3 keeps of a whole object, however many parts it came in.

Polynomial AD93D23594C93659, bits in reflected order, all ones at the start, inverted at the end; of b"123456789" it is
AE8B14860A799888 (https://reveng.sourceforge.io/crc-catalogue/all.htm). Polynomials over GF(2) are written in two ways:

    packed  64 bits, the first of them (the highest) the coefficient of x^0: a checksum
    spread  a byte a coefficient, 0 or 1, the lowest of them that of x^0: a product of integers is then one of
            polynomials, since no sum of up to 64 ones overflows its byte; the lowest bit of a sum is the coefficient
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutline.kernel.native import library

_POLYNOMIAL = 0x9A6C9329AC4BC9B5
"""Packed, without x^64"""
_ONES = 0xFFFFFFFFFFFFFFFF


def crc64(content: bytes | bytearray | memoryview | NDArray[Any], crc: int = 0) -> int:
    """The checksum of some bytes; with ``crc``, that of whatever had this checksum with the bytes behind it.

    Nothing is copied. Raises ValueError where ``content`` is not contiguous.
    """
    found = np.frombuffer(content, np.uint8)
    tables = _tables()
    made: int = library.cutline_crc64(crc ^ _ONES, found.ctypes.data, found.size, tables.ctypes.data)
    return made ^ _ONES


def crc64_joined(first: int, second: int, second_nbytes: int) -> int:
    """The checksum of two contents joined, from the checksums of both and the length of the second."""
    # Bytes behind a content multiply it by x^8 each; the ones at the start and the end cancel out.
    shifted = _spread(first)
    for power in range(second_nbytes.bit_length()):
        if second_nbytes >> power & 1:
            shifted = _times(shifted, _shift(power))
    return _packed(shifted) ^ second


@functools.cache
def _tables() -> NDArray[np.uint64]:
    """(16, 256): the remainder of every byte with 0 to 15 zero bytes behind it."""
    made = np.empty((16, 256), np.uint64)
    one, eight = np.uint64(1), np.uint64(8)
    row = np.arange(256, dtype=np.uint64)
    for _ in range(8):
        row = (row >> one) ^ np.where(row & one, np.uint64(_POLYNOMIAL), np.uint64(0))
    made[0] = row
    for zeros in range(1, 16):
        before = made[zeros - 1]
        made[zeros] = (before >> eight) ^ row[before & np.uint64(0xFF)]
    return made


def _spread(packed: int) -> int:
    return int.from_bytes(f"{packed:064b}".encode(), "little") & _COEFFICIENTS


def _packed(spread: int) -> int:
    return int((spread | _ZEROS).to_bytes(64, "little"), 2)


def _times(first: int, second: int) -> int:
    """The product of two spread polynomials modulo that of the CRC, by Barrett's reduction."""
    product = first * second & _COEFFICIENTS
    quotient = ((product >> _X64) * _RECIPROCAL & _COEFFICIENTS) >> _X64
    return (product ^ quotient * _MODULUS) & _LOWER


@functools.cache
def _shift(power: int) -> int:
    """x^(8 · 2^power), spread."""
    return 1 << 64 if power == 0 else _times(_shift(power - 1), _shift(power - 1))


def _reciprocal() -> int:
    """The whole part of x^128 / the polynomial, spread; by long division."""
    rest, quotient = 1 << 2 * _X64, 0
    for place in range(_X64, -1, -8):
        if rest >> place + _X64 & 1:
            quotient |= 1 << place
            rest ^= _MODULUS << place
    return quotient


_X64 = 8 * 64
"""Bits before the coefficient of x^64"""
_COEFFICIENTS = int.from_bytes(b"\x01" * 128, "little")
_ZEROS = int.from_bytes(b"0" * 64, "little")
_LOWER = int.from_bytes(b"\x01" * 64, "little")
_MODULUS = _spread(_POLYNOMIAL) | 1 << _X64
_RECIPROCAL = _reciprocal()
