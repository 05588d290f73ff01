"""A COG from the service to a file, which appears when all of it is there and right, and not before.

What has come lies in ``NAME.part`` beside it, with the checksum of the file it is part of in its name: another content
never gets mixed in. A part that is there is gone on with, by the same command or after a hiccup.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from cutline.client.api import ATTEMPTS, TIMEOUT, Api, delay, passing, path_of, problem_of, retry_after
from cutline.client.oauth import reason_of
from cutline.errors import Conflict, CutlineError, InternalError, SourceUnavailable, TransientError
from cutline.kernel import crc64
from cutline.models.base import Model
from cutline.store.workspace import writing

PIECE = 1 << 20
"""Bytes"""
RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
EXPIRED = frozenset({401, 403})
"""What a storage answers when a link's signature has expired"""
CHANGES = 3
"""How often the file may be made anew under our hands"""

Report = Callable[[int, int], Any]
"""Called with bytes that are there, and bytes in all"""


class Expected(Model):
    """What the service says of the file."""

    etag: str
    nbytes: int
    crc64nvme: str
    """Base64 of its eight bytes, big end first"""

    @property
    def crc(self) -> int:
        return int.from_bytes(base64.b64decode(self.crc64nvme), "big")


def expected_of(view: dict[str, Any]) -> Expected:
    """From an export, as the API shows it. Raises Conflict where it has no file."""
    result = view.get("result")
    if not result:
        raise Conflict(f"export {view.get('export_id')} is {view.get('status')}; there is nothing to download")
    return Expected.model_validate({name: result.get(name) for name in Expected.model_fields})


def download(api: Api, export_id: str, target: Path, report: Report) -> Expected:
    """Write the export's COG to ``target``.

    Raises Conflict where there is none (yet), SourceUnavailable where the network stays away, InternalError where the
    bytes are not those that were made, StorageError where the disk does not take them.
    """
    for _ in range(CHANGES):
        expected = expected_of(api.get(path_of(export_id)))
        with writing(target), _Part(target, expected) as part:
            if _complete(api, export_id, part, report):
                part.finish()
                return expected
    raise TransientError(f"the file of export {export_id} changed {CHANGES} times while it came; try again")


class _Part:
    """What has come so far, and the checksum of that."""

    def __init__(self, target: Path, expected: Expected) -> None:
        self.expected, self.nbytes, self.crc = expected, 0, 0
        self._target = target
        self._path = target.with_name(f"{target.name}.{expected.crc:016x}.part")

    def __enter__(self) -> _Part:
        self._file = self._path.open("ab+")
        self._file.seek(0)
        while piece := self._file.read(PIECE):
            self._count(piece)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, piece: bytes) -> None:
        self._file.write(piece)
        self._count(piece)

    def begin_anew(self) -> None:
        self._file.truncate(0)
        self.nbytes = self.crc = 0

    def discard(self) -> None:
        self._path.unlink()

    def finish(self) -> None:
        """Give it its name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._path.replace(self._target)

    def _count(self, piece: bytes) -> None:
        self.crc = crc64(piece, self.crc)
        self.nbytes += len(piece)


def _complete(api: Api, export_id: str, part: _Part, report: Report) -> bool:
    """Whether the file came; False where another is expected now. What brings bytes begins a new row of attempts."""
    attempt, most, expected = 0, part.nbytes, part.expected
    while part.nbytes < expected.nbytes:
        attempt += 1
        wait: float = delay(attempt)
        why: CutlineError = InternalError("the storage ends before the file does")
        try:
            with _open(api, export_id, part) as answer:
                if answer.status_code in EXPIRED or passing(answer):
                    wait, why = retry_after(answer, attempt), problem_of(answer)
                elif answer.status_code not in (200, 206):
                    raise problem_of(answer)
                elif _is_other(answer, expected) and expected_of(api.get(path_of(export_id))) != expected:
                    part.discard()
                    return False
                elif _is_other(answer, expected) and answer.status_code == 206:  # If-Range means nothing to it
                    part.begin_anew()
                else:
                    _take(answer, part, report)
        except requests.RequestException as error:
            why = SourceUnavailable(f"the file does not come: {reason_of(error)}")
        if part.nbytes > most:
            attempt, most = 0, part.nbytes
        elif attempt == ATTEMPTS:
            raise why
        if part.nbytes < expected.nbytes:
            api.pause(wait)
    if (part.nbytes, part.crc) != (expected.nbytes, expected.crc):
        part.discard()
        raise InternalError(f"the bytes that came are not those of export {export_id}: their checksum differs")
    return True


def _open(api: Api, export_id: str, part: _Part) -> requests.Response:
    """By a fresh link: an old one may have expired. It is signed; our token is nobody's business there."""
    headers = {"Accept-Encoding": "identity"}
    if part.nbytes:
        headers |= {"Range": f"bytes={part.nbytes}-", "If-Range": f'"{part.expected.etag}"'}
    link = api.link(f"{path_of(export_id)}/download")
    return requests.get(link, headers=headers, stream=True, timeout=TIMEOUT, allow_redirects=False)


def _is_other(answer: requests.Response, expected: Expected) -> bool:
    return answer.headers.get("ETag", "").strip('"') != expected.etag


def _take(answer: requests.Response, part: _Part, report: Report) -> None:
    """What comes, behind what is there; from the start where the storage knows no ranges, or the file has changed."""
    if answer.status_code == 200:
        part.begin_anew()
    else:
        told = RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if told is None or int(told[1]) != part.nbytes:
            raise InternalError("the storage sends other bytes than those it was asked for")
    report(part.nbytes, part.expected.nbytes)
    for piece in answer.iter_content(PIECE):
        part.append(piece)
        report(part.nbytes, part.expected.nbytes)
        if part.nbytes > part.expected.nbytes:  # the checksum cannot be right any more
            return
