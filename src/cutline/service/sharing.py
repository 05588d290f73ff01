"""Share links are made, and open what they are for.

A link's token is the export's id and 192 random bits. The table has its hash only, so nobody can read a link there.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from contextlib import suppress

from cutline.errors import Conflict, InvalidRequest, NotFound, TooLarge
from cutline.models.record import Event, ExportRecord, now
from cutline.models.traffic import File, LinkRecord
from cutline.service.callers import ID
from cutline.settings import service
from cutline.store.links import Links
from cutline.store.records import Records

USUAL, LONGEST = dt.timedelta(days=7), dt.timedelta(days=366)
MOST = 100
"""Links of one export"""
SECRET_BYTES = 24
SECRET_CHARACTERS = 32
"""Of base64, in which three bytes are four characters"""
ID_DIGITS = 24


def share(
    record: ExportRecord,
    *,
    by: str,
    expires_at: dt.datetime | None = None,
    file: File = "cog",
    max_downloads: int | None = None,
    max_bytes: int | None = None,
) -> tuple[LinkRecord, str]:
    """A new link and its address, which nobody can tell again. By default it expires in 7 days.

    Raises Conflict where there is no file, InvalidRequest for an expiry that is past or too far, TooLarge where there
    are too many links, and NotFound where the export is gone meanwhile.
    """
    settings, at = service(), now()
    if record.result is None:
        raise Conflict(f"export {record.export_id} is {record.status}; it has no file to share")
    expires_at = expires_at or at + USUAL
    if not at < expires_at <= at + LONGEST:
        raise InvalidRequest(
            f"expires_at: a link expires in the future, {LONGEST.days} days ahead at most", pointer="/expires_at"
        )
    token = record.export_id + secrets.token_urlsafe(SECRET_BYTES)
    hashed = _hash(token)
    link = LinkRecord(
        link_id=hashed[:ID_DIGITS],
        token_hash=hashed,
        export_id=record.export_id,
        owner=record.owner,
        file=file,
        created_at=at,
        expires_at=expires_at,
        max_downloads=max_downloads,
        max_bytes=max_bytes,
    )
    links = Links(settings.table)
    links.create(link)
    if len(links.of_export(record.export_id)) > MOST:  # those that are made at this moment are counted, too
        links.delete(record.export_id, link.link_id)
        raise TooLarge(f"an export has {MOST} links at most; DELETE those that are not needed")
    _note(record, "shared", by, link.link_id)
    return link, f"{settings.url}/l/{token}"


def opened(token: str) -> tuple[ExportRecord, LinkRecord]:
    """What a token leads to. Raises the same NotFound whatever is wrong with it."""
    export_id, hashed = token[:-SECRET_CHARACTERS], _hash(token)
    if ID.fullmatch(export_id):
        table = service().table
        link = Links(table).find(export_id, hashed[:ID_DIGITS])
        if link and secrets.compare_digest(link.token_hash, hashed) and now() < link.expires_at:
            with suppress(NotFound):
                return Records(table).get(export_id), link
    raise closed()


def closed() -> NotFound:
    return NotFound("this link leads nowhere (any more): it may have expired, been used up or been taken back")


def take_back(record: ExportRecord, link_id: str, by: str) -> None:
    """From now on it leads nowhere; a signed address that it has led to works for its minutes. Raises NotFound."""
    Links(service().table).delete(record.export_id, link_id)
    _note(record, "unshared", by, link_id)


def _note(record: ExportRecord, what: str, by: str, link_id: str) -> None:
    """Among the export's events."""
    event = Event(at=now(), what=what, by=by, attempt=record.attempt, details={"link_id": link_id})
    Records(service().table).add_event(record.export_id, event)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
