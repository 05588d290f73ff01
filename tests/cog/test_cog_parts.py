"""The parts of a multipart upload: all bytes, in order, within S3's limits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cutline.cog.parts import HEADER, LEAST, MAX_PARTS, MOST, SENT, Part, plan_parts, runs

MIB = 1 << 20
sizes = st.one_of(
    st.integers(0, 3 * LEAST),
    st.sampled_from([0, 1, LEAST - 1, LEAST, LEAST + 1, 2 * LEAST - 1, 2 * LEAST, MOST - 1, MOST, MOST + 1]),
    st.integers(0, 3 * MOST),
)


def check(header: int, segments: Sequence[int], parts: Sequence[Part]) -> None:
    """Pieces follow one another without gap from the header to the last segment; limits hold."""
    wanted = [(HEADER, header), *enumerate(segments)]
    expected = [(source, size) for source, size in wanted if size]
    found: list[list[int]] = []
    for part in parts:
        for source, start, stop in part.pieces:
            assert start < stop
            if found and found[-1][0] == source:
                assert start == found[-1][1]
                found[-1][1] = stop
            else:
                assert start == 0
                found.append([source, stop])
    assert [tuple(each) for each in found] == expected
    assert len(parts) <= MAX_PARTS
    assert all(LEAST <= part.nbytes <= MOST for part in parts[:-1])
    assert all(0 < part.nbytes <= MOST for part in parts[-1:])
    for part in parts:
        if part.copied:
            assert len(part.pieces) == 1 and part.pieces[0].source != HEADER
            assert part.nbytes >= LEAST  # S3 copies no ranges of smaller objects
        else:
            assert part.nbytes < SENT[-1] + 2 * LEAST


def planned(header: int, segments: Sequence[int]) -> list[Part]:
    parts = plan_parts(header, segments)
    assert parts is not None
    return parts


@given(header=st.integers(1, 30 * MIB), segments=st.lists(sizes, max_size=60))
@example(header=100, segments=[])
@example(header=100, segments=[2 * LEAST - 101])
@example(header=LEAST - 1, segments=[LEAST, LEAST])
@example(header=1, segments=[MOST + LEAST - 1])
def test_every_byte_once_and_in_order(header: int, segments: list[int]) -> None:
    check(header, segments, planned(header, segments))


@given(content=st.lists(st.binary(max_size=40), max_size=12), scale=st.just(LEAST // 16))
def test_joined_parts_are_the_file(content: list[bytes], scale: int) -> None:
    """Each byte stands for ``scale`` of them, so that sizes are about those of parts."""
    parts = planned(3 * scale, [len(each) * scale for each in content])
    sources = {HEADER: b"abc", **dict(enumerate(content))}
    joined = b"".join(
        bytes(sources[piece.source][at // scale] for at in range(piece.start, piece.stop, scale))
        for part in parts
        for piece in part.pieces
    )
    assert joined == b"abc" + b"".join(content)


def sizes_around(usual: int, count: int = 100_000) -> list[int]:
    return np.random.default_rng(1).integers(usual // 3, usual * 3 // 2, count).tolist()


@pytest.mark.parametrize("usual", [50_000, 1 * MIB, 3 * MIB])
def test_a_hundred_thousand_segments(usual: int) -> None:
    segments = sizes_around(usual)
    check(40 * MIB, segments, planned(40 * MIB, segments))


@pytest.mark.parametrize("usual", [12 * MIB, 120 * MIB])
def test_too_many_for_one_upload_are_joined_in_two_goes(usual: int) -> None:
    segments = sizes_around(usual, 25_000)
    assert plan_parts(40 * MIB, segments) is None
    joined = []
    for run in runs(len(segments)):
        inside = [segments[at] for at in run]
        parts = planned(0, inside)
        check(0, inside, parts)
        assert sum(part.nbytes for part in parts if not part.copied) < sum(inside) / 5
        joined.append(sum(inside))
    assert sum(joined) == sum(segments)
    check(40 * MIB, joined, planned(40 * MIB, joined))


def test_large_segments_are_copied() -> None:
    parts = planned(100_000, [32 * MIB] * 500)
    sent = sum(part.nbytes for part in parts if not part.copied)
    assert sent == LEAST and sum(part.copied for part in parts) == 500


@given(segments=st.integers(0, 50), max_parts=st.integers(1, 12))
def test_runs_are_all_segments(segments: int, max_parts: int) -> None:
    assert [at for run in runs(segments, max_parts) for at in run] == list(range(segments))
