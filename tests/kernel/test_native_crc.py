"""CRC-64/NVME against the catalogue and against bits shifted one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.kernel import crc64, crc64_joined

contents = st.binary(max_size=200)


def bit_by_bit(content: bytes) -> int:
    crc = 0xFFFFFFFFFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x9A6C9329AC4BC9B5 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFFFFFFFFFF


def test_the_check_value_of_the_catalogue() -> None:
    assert crc64(b"123456789") == 0xAE8B14860A799888
    assert crc64(b"") == 0


@given(contents)
def test_by_definition(content: bytes) -> None:
    assert crc64(content) == bit_by_bit(content)


@given(contents, st.integers(0, 200))
def test_split_anywhere(content: bytes, place: int) -> None:
    first, second = content[:place], content[place:]
    assert crc64(second, crc64(first)) == crc64(content)
    assert crc64_joined(crc64(first), crc64(second), len(second)) == crc64(content)


@given(st.integers(0, 3_000_000), contents)
def test_long_contents_joined(zeros: int, first: bytes) -> None:
    second = bytes(zeros)
    assert crc64_joined(crc64(first), crc64(second), zeros) == crc64(second, crc64(first))


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**60), st.integers(0, 2**60))
def test_joining_does_not_depend_on_the_order(first: int, second: int, one: int, other: int) -> None:
    """Lengths beyond any content: first + (second + third) is (first + second) + third."""
    third = crc64(b"third")
    right = crc64_joined(first, crc64_joined(second, third, other), one + other)
    assert right == crc64_joined(crc64_joined(first, second, one), third, other)


def test_whatever_holds_bytes() -> None:
    content = np.arange(300, dtype=np.uint16).reshape(2, 150)
    expected = crc64(content.tobytes())
    assert crc64(content) == crc64(memoryview(content)) == crc64(bytearray(content.tobytes())) == expected
    assert crc64(memoryview(content.tobytes())[3:]) == crc64(content.tobytes()[3:])
    with pytest.raises(ValueError, match="contiguous"):
        crc64(content[:, ::2])
