"""Downloads: interrupted, changed, cut short, damaged. The file is the right one, or it is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cutline.client.api import Api
from cutline.client.download import PIECE, download
from cutline.errors import Conflict, InternalError, NotFound, SourceUnavailable, StorageError, TransientError
from tests.client.website import ID, Trouble, Website, checksum, view

CONTENT = np.random.default_rng(4).bytes(3 * PIECE + 12345)
OTHER = np.random.default_rng(5).bytes(2 * PIECE + 1)
CUT = PIECE + 77


def nothing(there: int, nbytes: int) -> None:
    pass


def parts(folder: Path) -> list[Path]:
    return list(folder.glob("*.part"))


def test_a_file_comes_whole(api: Api, website: Website, home: Path) -> None:
    website.finished(CONTENT)
    seen: list[tuple[int, int]] = []
    download(api, ID, home / "a.tif", lambda there, nbytes: seen.append((there, nbytes)))
    assert (home / "a.tif").read_bytes() == CONTENT
    assert parts(home) == []
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    (headers,) = website.asked("/files/")
    assert "Authorization" not in headers


def test_it_goes_on_where_the_connection_broke(api: Api, website: Website, home: Path, pauses: list[float]) -> None:
    website.finished(CONTENT)
    website.troubles = [Trouble("/files/", after=CUT), Trouble("/files/", after=CUT), Trouble("/files/")]
    download(api, ID, home / "a.tif", nothing)
    assert (home / "a.tif").read_bytes() == CONTENT
    first, *others = website.asked("/files/")
    assert "Range" not in first
    assert all(headers["Range"] != "bytes=0-" and headers["If-Range"] for headers in others)
    assert len(others) == len(pauses) == 3
    assert len(website.asked(f"/exports/{ID}/download")) == 4, "a fresh link each time"


def test_the_same_command_goes_on(api: Api, website: Website, home: Path) -> None:
    website.finished(CONTENT)
    website.troubles = [Trouble("/files/", after=CUT), *(Trouble("/files/") for _ in range(8))]
    with pytest.raises(SourceUnavailable):
        download(api, ID, home / "a.tif", nothing)
    assert not (home / "a.tif").exists()
    (part,) = parts(home)
    there = part.stat().st_size
    assert 0 < there <= CUT
    website.troubles, website.requests = [], []
    download(api, ID, home / "a.tif", nothing)
    assert (home / "a.tif").read_bytes() == CONTENT
    (headers,) = website.asked("/files/")
    assert headers["Range"] == f"bytes={there}-"


def test_a_whole_part_needs_no_request(api: Api, website: Website, home: Path) -> None:
    website.finished(CONTENT)
    website.troubles = [Trouble("/files/", after=CUT), *(Trouble("/files/") for _ in range(8))]
    with pytest.raises(SourceUnavailable):
        download(api, ID, home / "a.tif", nothing)
    parts(home)[0].write_bytes(CONTENT)
    website.requests.clear()
    download(api, ID, home / "a.tif", nothing)
    assert (home / "a.tif").read_bytes() == CONTENT
    assert website.asked("/files/") == []


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_made_anew_meanwhile_is_begun_anew(api: Api, website: Website, home: Path, ranges: bool) -> None:
    website.finished(CONTENT)
    website.honours_ranges = ranges
    website.troubles = [
        Trouble("/files/", after=CUT),
        Trouble("/files/", status=503, but_first=lambda: website.finished(OTHER)),
    ]
    download(api, ID, home / "a.tif", nothing)
    assert (home / "a.tif").read_bytes() == OTHER
    assert parts(home) == []


def test_a_storage_without_ranges_sends_all_again(api: Api, website: Website, home: Path) -> None:
    website.finished(CONTENT)
    website.honours_ranges = False
    website.troubles = [Trouble("/files/", after=CUT)]
    download(api, ID, home / "a.tif", nothing)
    assert (home / "a.tif").read_bytes() == CONTENT


def test_an_expired_signature_is_asked_for_anew(api: Api, website: Website, home: Path) -> None:
    website.finished(CONTENT)
    website.troubles = [Trouble("/files/", after=CUT), Trouble("/files/", status=403)]
    download(api, ID, home / "a.tif", nothing)
    assert (home / "a.tif").read_bytes() == CONTENT
    assert len(website.asked(f"/exports/{ID}/download")) == 3


def test_wrong_bytes_never_become_the_file(api: Api, website: Website, home: Path) -> None:
    website.finished(CONTENT)
    website.views[0]["result"]["crc64nvme"] = checksum(OTHER)
    with pytest.raises(InternalError, match="checksum differs"):
        download(api, ID, home / "a.tif", nothing)
    assert list(home.iterdir()) == []


def test_a_damaged_part_is_thrown_away(api: Api, website: Website, home: Path) -> None:
    website.finished(CONTENT)
    website.troubles = [Trouble("/files/", after=CUT), *(Trouble("/files/") for _ in range(8))]
    with pytest.raises(SourceUnavailable):
        download(api, ID, home / "a.tif", nothing)
    with parts(home)[0].open("r+b") as file:
        file.write(b"damage")
    with pytest.raises(InternalError):
        download(api, ID, home / "a.tif", nothing)
    download(api, ID, home / "a.tif", nothing)
    assert (home / "a.tif").read_bytes() == CONTENT


@pytest.mark.parametrize("length", [0, 1, PIECE, len(CONTENT) + 5])
def test_another_length_than_the_service_says(api: Api, website: Website, home: Path, length: int) -> None:
    website.finished(CONTENT)
    website.files[ID] = (CONTENT + OTHER)[:length]
    with pytest.raises((InternalError, TransientError)):
        download(api, ID, home / "a.tif", nothing)
    assert not (home / "a.tif").exists()


def test_an_earlier_file_stays_until_the_new_one_is_right(api: Api, website: Website, home: Path) -> None:
    (home / "a.tif").write_bytes(b"earlier")
    website.finished(CONTENT)
    website.views[0]["result"]["crc64nvme"] = checksum(OTHER)
    with pytest.raises(InternalError):
        download(api, ID, home / "a.tif", nothing)
    assert (home / "a.tif").read_bytes() == b"earlier"


def test_nothing_to_download(api: Api, website: Website, home: Path) -> None:
    website.views = [view("RENDERING")]
    with pytest.raises(Conflict, match="RENDERING"):
        download(api, ID, home / "a.tif", nothing)
    with pytest.raises(NotFound):
        download(api, "other", home / "a.tif", nothing)
    website.finished(CONTENT)
    with pytest.raises(StorageError, match="nowhere"):
        download(api, ID, home / "nowhere" / "a.tif", nothing)
    assert list(home.iterdir()) == []


def test_an_id_is_one_piece_of_a_path(api: Api, website: Website, home: Path) -> None:
    with pytest.raises(NotFound):
        download(api, "../config?", home / "out.tif", lambda *_: None)
    assert [path for _, path, _ in website.requests] == ["/exports/..%2Fconfig%3F"]
