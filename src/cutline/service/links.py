"""Share links as their owners keep them: made, listed and taken back."""

from __future__ import annotations

from cutline.errors import NotFound
from cutline.models.api_links import LinkList, LinkView, NewLink
from cutline.models.record import ExportRecord
from cutline.models.traffic import LinkRecord
from cutline.service.callers import ID
from cutline.service.sharing import share, take_back
from cutline.settings import service
from cutline.store.links import Links


def create(record: ExportRecord, wanted: NewLink, by: str) -> LinkView:
    """A new link, with its address. Raises as ``share``."""
    link, url = share(record, by=by, **wanted.model_dump())
    return view_of(link).model_copy(update={"url": url})


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
    """Raises NotFound."""
    take_back(record, find(record, link_id).link_id, by)


def view_of(link: LinkRecord) -> LinkView:
    shared = link.model_dump(include=set(LinkView.model_fields))
    return LinkView(**shared, bytes_sent=link.sent, bytes_reserved=max(link.total - link.sent, 0))
