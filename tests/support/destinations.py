"""A place of a user's, in memory, instead of one that is asked over a network; and the function deliver, asked in this
process."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr

from cutline.deliver.target import COG, ITEM, MANIFEST, Arrival, Cursor, Parcel, Trip
from cutline.errors import CutlineError
from cutline.models.destination import DropboxSecret
from cutline.service import destinations, targets, trying
from cutline.settings import ServiceSettings
from cutline.store import lambdas
from tests.support.steps import Context

KEYS = {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "a-key-that-nobody-sees"}
BUCKET = {"kind": "s3", "bucket": "annas-bucket", "region": "eu-central-1"}
ROLE = {**BUCKET, "role_arn": "arn:aws:iam::210987654321:role/cutline"}


@dataclass
class Place:
    """What was brought there, and what went wrong."""

    files: dict[str, bytes] = field(default_factory=dict)
    made: list[tuple[Any, Any, str]] = field(default_factory=list)
    """Settings, secret and external id of each target"""
    free: int | None = None
    failing: list[CutlineError | None] = field(default_factory=list)
    """What each further call raises, first to last"""
    piece: int = 1 << 20
    """Bytes that are brought between two looks at the clock"""
    abandoned: list[tuple[str, Cursor]] = field(default_factory=list)

    def target(self, settings: Any, secret: Any, external_id: str) -> Place:
        self.made.append((settings, secret, external_id))
        return self

    def _perhaps(self) -> None:
        if self.failing and (error := self.failing.pop(0)):
            raise error

    def verify(self) -> None:
        self._perhaps()

    def room(self) -> int | None:
        self._perhaps()
        return self.free

    def deliver(self, parcel: Parcel, trip: Trip) -> Arrival | None:
        self._perhaps()
        done = int(trip.cursor.get("done", 0))
        partial = bytearray(self.files.get(f"{parcel.path}.part", b"")[:done])
        while len(partial) < parcel.nbytes:
            if trip.seconds_left() < 1:
                return None
            start = len(partial)
            partial += parcel.read(start, min(start + self.piece, parcel.nbytes))
            self.files[f"{parcel.path}.part"] = bytes(partial)
            trip.save({"done": len(partial)})
        self.files.pop(f"{parcel.path}.part", None)
        whole = {COG: bytes(partial), ITEM: parcel.item, MANIFEST: parcel.manifest}
        self.files |= {parcel.path + suffix: content for suffix, content in whole.items()}
        return Arrival(uri=f"place://{parcel.path}{COG}", checksum=f"crc64nvme:{parcel.crc64nvme}")

    def abandon(self, path: str, cursor: Cursor) -> None:
        self.abandoned.append((path, cursor))
        self.files.pop(f"{path}.part", None)


@pytest.fixture
def place(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Where every destination leads, and the function deliver that the API asks. Dropbox takes any code."""
    made = Place()
    for kind in targets.TARGETS:
        monkeypatch.setitem(targets.TARGETS, kind, made.target)
    monkeypatch.setattr(destinations, "ask", ask)
    monkeypatch.setattr(trying, "exchange", lambda code: DropboxSecret(refresh_token=SecretStr(f"for-{code}")))
    monkeypatch.setenv("CUTLINE_DROPBOX_KEY", "the-app")
    return made


def ask(function: str, payload: dict[str, Any]) -> dict[str, Any]:
    """As store/lambdas.py, without a network."""
    from functions.deliver.handler import handler

    assert function == "deliver"
    try:
        return handler(json.loads(json.dumps(payload)), Context())
    except CutlineError as error:
        told = {"errorType": type(error).__name__, "errorMessage": str(error), "stackTrace": []}
        raise lambdas._error_of(told) from None
