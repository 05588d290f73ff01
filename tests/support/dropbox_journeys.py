"""A COG on its way to Dropbox, over as many invocations as a test wants."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from dropbox.content_hash import DropboxContentHasher
from pydantic import SecretStr

from cutline.deliver import content_hash, dropbox, dropbox_api
from cutline.deliver.dropbox import DropboxTarget
from cutline.deliver.target import Arrival, Cursor, Parcel, Trip
from cutline.models.destination import DropboxSecret, DropboxSettings
from tests.support.aws import surround
from tests.support.dropbox_account import APP_KEY, APP_SECRET, REFRESH_TOKEN, Account

ITEM, MANIFEST = b'{"type": "Feature"}', b'{"export_id": "e1"}'
FOREVER = 1e6
BLOCK = 4096
"""Of the content hash, on both sides: it is 4 MiB in truth, which test_dropbox_hash.py has and TestTrueSizes"""


class Killed(BaseException):
    """The invocation is no more; nothing that it meant to do after comes about."""


def content(nbytes: int) -> bytes:
    """Different in every block."""
    seeds = (hashlib.sha256(str(number).encode()).digest() * (BLOCK // 32) for number in range(nbytes // BLOCK + 1))
    return b"".join(seeds)[:nbytes]


def parcel(cog: bytes, path: str = "exports/field") -> Parcel:
    return parcel_of(len(cog), lambda start, end: cog[start:end], path)


def parcel_of(nbytes: int, read: Callable[[int, int], bytes], path: str = "exports/field") -> Parcel:
    return Parcel(
        path=path, bucket="exports", key="cog", etag="etag-1", nbytes=nbytes, crc64nvme="AAAAAAAAAAA=",
        item=ITEM, manifest=MANIFEST, read=read,
    )  # fmt: skip


@dataclass
class Journey:
    """A delivery, whose record is ``cursor``."""

    parcel: Parcel
    cursor: Cursor = field(default_factory=dict)
    saves: int = 0
    seconds: Callable[[], float] = lambda: FOREVER
    before_save: Callable[[Cursor], None] = lambda cursor: None

    def go_on(self, target: DropboxTarget | None = None) -> Arrival | None:
        """One invocation."""
        return (target or reached()).deliver(self.parcel, Trip(self.cursor, self._save, self.seconds))

    def _save(self, cursor: Cursor) -> None:
        self.before_save(cursor)
        self.cursor = json.loads(json.dumps(cursor))
        self.saves += 1


def reached(prefix: str = "exports") -> DropboxTarget:
    """The account of the stand-in, as an invocation sees it."""
    return DropboxTarget(DropboxSettings(prefix=prefix), DropboxSecret(refresh_token=SecretStr(REFRESH_TOKEN)), "ext")


def sent(account: Account) -> int:
    """Pieces that were sent, once more where they were sent twice."""
    return len(account.asked("files/upload_session/append_v2"))


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were to be slept; nobody does."""
    found: list[float] = []
    monkeypatch.setattr("time.sleep", found.append)
    return found


@pytest.fixture
def account(dropbox_server: Account, slept: list[float], monkeypatch: pytest.MonkeyPatch) -> Account:
    """Dropbox, and a deployment that is an app of its; pieces of one small block."""
    surround(monkeypatch)
    monkeypatch.setenv("CUTLINE_DROPBOX_KEY", APP_KEY)
    monkeypatch.setattr(dropbox_api, "app_secret", lambda: APP_SECRET)
    monkeypatch.setattr(dropbox, "PIECE", BLOCK)
    monkeypatch.setattr(content_hash, "BLOCK", BLOCK)
    monkeypatch.setattr(DropboxContentHasher, "BLOCK_SIZE", BLOCK)
    return dropbox_server
