"""The content hash that outlives an invocation is the one that the SDK computes in one go."""

from __future__ import annotations

import hashlib

import pytest
from dropbox.content_hash import content_hash

from cutline.deliver.content_hash import BLOCK, ContentHash, block_digests


@pytest.mark.parametrize(
    "nbytes", [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 5, 3 * BLOCK, 5 * BLOCK + 77]
)
@pytest.mark.parametrize("piece", [BLOCK, 2 * BLOCK, 3 * BLOCK])
def test_pieces_put_aside_between_give_the_hash_of_the_whole(nbytes: int, piece: int) -> None:
    content = _bytes(nbytes)
    found = ContentHash()
    for start in range(0, nbytes, piece):
        found = found.after(block_digests(content[start : start + piece]))
        found = ContentHash.model_validate_json(found.model_dump_json())
    assert found.hexdigest() == content_hash(content)


def test_of_nothing() -> None:
    assert ContentHash().hexdigest() == content_hash(b"")


@pytest.mark.parametrize("count", [*range(1, 6), 63, 64, 4769])
def test_is_the_sha256_of_the_digests(count: int) -> None:
    digests = b"".join(hashlib.sha256(bytes([number % 251])).digest() for number in range(count))
    assert ContentHash().after(digests).hexdigest() == hashlib.sha256(digests).hexdigest()


def test_what_is_put_aside_does_not_grow() -> None:
    digests = bytes(range(32)) * 4769
    assert len(ContentHash().after(digests).model_dump_json()) < 200


def _bytes(nbytes: int) -> bytes:
    return (hashlib.sha256(b"seed").digest() * (nbytes // 32 + 1))[:nbytes]
