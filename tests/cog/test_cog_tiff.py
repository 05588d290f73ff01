"""TIFF directories: what is written is read again, and damage is always NotTiff, at no cost."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutline.cog import tiff
from cutline.cog.tiff import Directory, NotTiff, Tag, read_directories, write_directories

_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


@st.composite
def tags(draw: st.DrawFn) -> Tag:
    kind = draw(st.sampled_from(sorted(_WIDTHS)))
    count = draw(st.integers(0, 9))
    return Tag(kind, count, draw(st.binary(min_size=count * _WIDTHS[kind], max_size=count * _WIDTHS[kind])))


numbers = st.integers(0, 0xFFFF) | st.sampled_from([tiff.TILE_OFFSETS, tiff.TILE_BYTE_COUNTS, tiff.GDAL_METADATA])
directories = st.lists(st.dictionaries(numbers, tags(), max_size=6), min_size=1, max_size=4)


@given(directories, st.binary(max_size=9), st.booleans())
def test_directories_come_back(written: list[Directory], preamble: bytes, big: bool) -> None:
    head = write_directories(written, preamble, big=big)
    assert read_directories(head) == written
    assert head[(start := 16 if big else 8) : start + len(preamble)] == preamble
    for at in tiff.locate_directories(head):
        assert at % 2 == 0


@given(directories, st.booleans())
def test_block_arrays_lie_behind_all_directories(written: list[Directory], big: bool) -> None:
    written[0][tiff.TILE_OFFSETS] = Tag(tiff.LONG, 3, b"offsets-here")
    head = write_directories(written, b"", big=big)
    assert head.index(b"offsets-here") > max(tiff.locate_directories(head))


def _sample(big: bool) -> bytes:
    one = {254: Tag.long(1), 256: Tag.short(9), 324: Tag(tiff.LONG, 5, bytes(20)), 42112: Tag(2, 11, b"<GDAL..../>")}
    return write_directories([one, one, {}], b"ghost", big=big)


@pytest.mark.parametrize("big", [False, True])
def test_cut_off_anywhere(big: bool) -> None:
    whole = _sample(big)
    read_directories(whole)
    for end in range(len(whole)):
        with pytest.raises(NotTiff):
            read_directories(whole[:end])


@pytest.mark.parametrize("big", [False, True])
def test_any_byte_may_be_wrong(big: bool) -> None:
    """It is read as something else, or refused; nothing else happens."""
    whole = _sample(big)
    for at in range(len(whole)):
        for wrong in (0, 1, 0x7F, 0xFF):
            damaged = bytearray(whole)
            damaged[at] = wrong
            _read_or_refuse(bytes(damaged))


def _read_or_refuse(data: bytes) -> None:
    try:
        for directory in read_directories(data):
            for tag in directory.values():
                tag.number()
    except NotTiff:
        pass


@given(st.binary(max_size=200), st.sampled_from([b"II*\0", b"II+\0\x08\0\0\0", b"MM\0*", b""]))
@settings(max_examples=200)
def test_any_bytes_are_read_or_refused(data: bytes, signature: bytes) -> None:
    _read_or_refuse(signature + data)


def test_a_chain_in_a_circle() -> None:
    empty = struct.pack("<HI", 0, 8)  # a directory of no tags, followed by itself
    with pytest.raises(NotTiff, match="circle"):
        read_directories(struct.pack("<2sHI", b"II", 42, 8) + empty)


def test_huge_counts_claim_no_memory() -> None:
    """60,000 tags that all point to the same megabyte; a count of 2^63; a directory of 2^64 tags."""
    megabyte = 1 << 20
    entries = b"".join(struct.pack("<HHII", number % 65536, 1, megabyte, 8) for number in range(60_000))
    shared = struct.pack("<2sHI", b"II", 42, megabyte) + bytes(megabyte - 8) + struct.pack("<H", 60_000) + entries
    long_tag = struct.pack("<QHHQQ", 1, 324, 16, 2**63, 16)
    many_tags = struct.pack("<Q", 2**64 - 1) + bytes(100)
    far = struct.pack("<QHHQQ", 1, 324, 16, 2, 2**64 - 1)
    header = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16)
    tracemalloc.start()
    for damaged in (shared, header + long_tag, header + many_tags, header + far + bytes(8)):
        with pytest.raises(NotTiff):
            read_directories(damaged)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "cut off"), (b"MM\0*\0\0\0\x08", "little-endian"), (b"\x89PNG\r\n\x1a\n" * 9, "little-endian")],
)
def test_other_files_are_named(data: bytes, reason: str) -> None:
    with pytest.raises(NotTiff, match=reason):
        read_directories(data)


@pytest.mark.parametrize("tag", [Tag(2, 3, b"abc"), Tag(12, 1, bytes(8)), Tag(tiff.SHORT, 0, b"")])
def test_a_number_is_asked_of_what_is_none(tag: Tag) -> None:
    with pytest.raises(NotTiff, match="whole numbers"):
        tag.number()
