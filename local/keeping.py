"""``--data DIR``: what survives a restart, every table's items and every object but the sample scenes.

    DIR/tables.json           all items, replaced as a whole
    DIR/objects/HASH.json     one object: where it is, what it is, and which file has its bytes
    DIR/objects/HASH.TOKEN    those bytes
    DIR/key.pem               what tokens are signed with

Of a versioned bucket that is the latest version. Both are saved every second while they change. A moment's items are
written after the objects of that moment, so what is found after a kill is a moment of the past, at which every record's
objects were there.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.core.utils import utcnow
from moto.s3.models import FakeKey

from local.database import Database
from local.files import FileBuffer, key_of_file
from local.objects import PIECE, backend

SAVE_SECONDS = 1.0

SETTLED = dt.timedelta(seconds=0.5)
"""moto makes an object first and tells it its type and checksums then: by now it has"""

FACTS = ("_storage_class", "checksum_algorithm", "checksum_value", "checksum_type", "checksum_parts", "encryption")


class Kept:
    """What is in a folder that nobody else writes to."""

    def __init__(self, folder: Path) -> None:
        (folder / "objects").mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._saved: dict[tuple[str, str], FakeKey] = {}
        self._changes = -1
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_on, daemon=True)

    def key(self) -> rsa.RSAPrivateKey:
        """What tokens are signed with: those of the last run are still good."""
        path = self._folder / "key.pem"
        if path.exists():
            found = serialization.load_pem_private_key(path.read_bytes(), None)
            assert isinstance(found, rsa.RSAPrivateKey)
            return found
        made = rsa.generate_private_key(65537, 2048)
        kind, shape = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        _replace(path, made.private_bytes(kind, shape, serialization.NoEncryption()))
        path.chmod(0o600)
        return made

    def restore(self, database: Database, tables: Iterable[str], buckets: Iterable[str]) -> None:
        """Bring back what was kept, into tables and buckets that are there; then keep it up to date."""
        self._database, self._tables, self._buckets = database, list(tables), list(buckets)
        path = self._folder / "tables.json"
        for table, items in (json.loads(path.read_text()) if path.exists() else {}).items():
            if table in self._tables:
                database.restore(table, items)
        known = set()
        for entry in (self._folder / "objects").glob("*.json"):
            facts = json.loads(entry.read_text())
            body = entry.with_name(facts["file"])
            if facts["bucket"] in self._buckets and body.exists():
                known |= {entry, body}
                self._put(facts, body)
        for path in set((self._folder / "objects").iterdir()) - known:
            path.unlink()
        self._thread.start()

    def close(self) -> None:
        """Everything is kept."""
        self._stopping.set()
        self._thread.join()
        self.save(settled=dt.timedelta())

    def save(self, settled: dt.timedelta = SETTLED) -> None:
        """Once, what has changed."""
        changes = self._database.changes
        items = {table: self._database.items(table) for table in self._tables} if changes != self._changes else None
        self._stopping.wait(settled.total_seconds())
        there = {(bucket, key.name): key for bucket in self._buckets for key in _keys(bucket)}
        for place, key in there.items():
            if self._saved.get(place) is not key and utcnow() - key.last_modified >= settled:
                self._save(place[0], key)
        if items is not None:
            _replace(self._folder / "tables.json", json.dumps(items).encode())
            self._changes = changes
        for place in self._saved.keys() - there.keys():
            del self._saved[place]
            for path in self._entry(*place).parent.glob(f"{self._entry(*place).stem}.*"):
                path.unlink()

    def _keep_on(self) -> None:
        while not self._stopping.wait(SAVE_SECONDS):
            self.save()

    def _entry(self, bucket: str, name: str) -> Path:
        return self._folder / "objects" / f"{hashlib.sha256(f'{bucket}/{name}'.encode()).hexdigest()}.json"

    def _save(self, bucket: str, key: FakeKey) -> None:
        entry = self._entry(bucket, key.name)
        body = entry.with_suffix(f".{secrets.token_hex(4)}")
        try:
            with body.open("wb") as file:
                for piece in _content(key):
                    file.write(piece)
        except ValueError:  # deleted meanwhile
            body.unlink()
            return
        facts = {fact: getattr(key, fact) for fact in FACTS}
        facts |= {"bucket": bucket, "name": key.name, "file": body.name, "etag": key.etag.strip('"')}
        facts |= {"metadata": dict(key.metadata), "modified": key.last_modified.isoformat()}
        _replace(entry, json.dumps(facts).encode())
        for old in entry.parent.glob(f"{entry.stem}.*"):
            if old not in (entry, body):
                old.unlink()
        with key.lock:
            key._value_buffer.close()
            key._value_buffer = FileBuffer(body)  # type: ignore[assignment]  # it reads and seeks as one
        self._saved[bucket, key.name] = key

    def _put(self, facts: dict[str, Any], body: Path) -> None:
        key = key_of_file(facts["bucket"], facts["name"], body, facts["etag"])
        key.last_modified = dt.datetime.fromisoformat(facts["modified"])
        key.set_metadata(facts["metadata"])
        for fact in FACTS:
            setattr(key, fact, facts[fact])
        backend().get_bucket(facts["bucket"]).keys[key.name] = key
        self._saved[facts["bucket"], key.name] = key


def _keys(bucket: str) -> Iterator[FakeKey]:
    """The latest version of every object; none of those deleted."""
    keys = backend().get_bucket(bucket).keys
    for name in list(keys):
        if isinstance(key := keys.get(name), FakeKey):
            yield key


def _content(key: FakeKey) -> Iterator[bytes]:
    at = 0
    while at < key.size:
        with key.lock:
            key._value_buffer.seek(at)
            piece = key._value_buffer.read(PIECE)
        if not piece:
            raise ValueError("its bytes are gone")
        at += len(piece)
        yield piece


def _replace(path: Path, content: bytes) -> None:
    """Write the file whole, or not at all."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)
