"""Share links: whoever has one may fetch a file, without an account, until it expires, is used up or taken back.

A link's token is the export's id and 192 random bits. The table has its hash only, so nobody can read a link there.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from cutline.errors import Conflict, InvalidRequest, NotFound, TooLarge
from cutline.models.api_links import LinkList, LinkView, NewLink
from cutline.models.record import Event, ExportRecord, now
from cutline.models.traffic import LinkRecord
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


def create(record: ExportRecord, wanted: NewLink, by: str) -> LinkView:
    """A new link, with its address, which nobody can tell again. Raises Conflict where there is no file, InvalidRequest
    for an expiry that is past or too far, TooLarge where there are too many links."""
    settings, at = service(), now()
    if record.result is None:
        raise Conflict(f"export {record.export_id} is {record.status}; it has no file to share")
    expires = wanted.expires_at or at + USUAL
    if not at < expires <= at + LONGEST:
        raise InvalidRequest("a link expires in the future, 366 days ahead at most", pointer="/expires_at")
    links = Links(settings.table)
    if len(links.of_export(record.export_id)) >= MOST:
        raise TooLarge(f"an export has {MOST} links at most; DELETE those that are not needed")
    token = record.export_id + secrets.token_urlsafe(SECRET_BYTES)
    hashed = _hash(token)
    link = LinkRecord(
        link_id=hashed[:ID_DIGITS],
        token_hash=hashed,
        export_id=record.export_id,
        owner=record.owner,
        created_at=at,
        **wanted.model_dump(exclude={"expires_at"}),
        expires_at=expires,
    )
    links.create(link)
    _note(record, "shared", by, link.link_id)
    return view_of(link).model_copy(update={"url": f"{settings.url}/l/{token}"})


def listed(record: ExportRecord) -> LinkList:
    """Expired ones too, with what they were used for."""
    return LinkList(links=tuple(map(view_of, Links(service().table).of_export(record.export_id))))


def find(record: ExportRecord, link_id: str) -> LinkRecord:
    """Raises NotFound."""
    link = Links(service().table).find(record.export_id, link_id) if ID.fullmatch(link_id) else None
    if link is None:
        raise NotFound(f"export {record.export_id} has no link {link_id[:64]}")
    return link


def revoke(record: ExportRecord, link_id: str, by: str) -> None:
    """From now on it leads nowhere; a signed address that it has led to works for its minutes. Raises NotFound."""
    Links(service().table).delete(record.export_id, find(record, link_id).link_id)
    _note(record, "unshared", by, link_id)


def opened(token: str) -> tuple[ExportRecord, LinkRecord]:
    """What a token leads to. Raises the same NotFound whatever is wrong with it."""
    export_id, hashed = token[:-SECRET_CHARACTERS], _hash(token)
    if ID.fullmatch(export_id):
        table = service().table
        link = Links(table).find(export_id, hashed[:ID_DIGITS])
        if link and secrets.compare_digest(link.token_hash, hashed) and now() < link.expires_at:
            return Records(table).get(export_id), link
    raise closed()


def closed() -> NotFound:
    return NotFound("this link leads nowhere (any more): it may have expired, been used up or been taken back")


def view_of(link: LinkRecord) -> LinkView:
    shared = link.model_dump(include=set(LinkView.model_fields))
    return LinkView(**shared, bytes_sent=link.sent, bytes_reserved=max(link.total - link.sent, 0))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _note(record: ExportRecord, what: str, by: str, link_id: str) -> None:
    event = Event(at=now(), what=what, by=by, attempt=record.attempt, details={"link_id": link_id})
    Records(service().table).add_event(record.export_id, event)
