"""S3's access logs tell which bytes really left, and for whom; here they are counted.

S3 writes a log within hours, as one object of many lines, and does not promise that each request is in one. Only
requests by our redirects count: those have a ticket in their query, which nobody can change, for it is signed.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cutline.models.traffic import TICKET, Sent, Ticket
from cutline.service.boundary import logger
from cutline.settings import service
from cutline.store.bucket import Bucket
from cutline.store.metering import Traffic

LINE = re.compile(
    r"\S+ (?P<bucket>\S+) \[(?P<time>[^\]]+)\] \S+ \S+ \S+ (?P<operation>\S+) (?P<key>\S+) "
    r'"\S+ (?P<target>[^ "]+) [^"]*" (?P<status>\d{3}) \S+ (?P<sent>\d+) '
)
"""Bucket's owner, bucket, time, address, requester, request, operation, key, request line, status, error, bytes sent;
what follows does not matter here"""
TIME = "%d/%b/%Y:%H:%M:%S %z"
DELIVERED = frozenset({"200", "206"})


def meter_message(message: dict[str, Any], tries: int) -> None:
    """Count an access log that has been written, of which EventBridge tells."""
    place = message["detail"]
    name = place["object"]["key"]
    content = Bucket(place["bucket"]["name"]).read(name)
    if content is None:  # they are removed after a while; the message was late
        logger.warning("the log is gone", extra={"log": name})
        return
    settings = service()
    traffic = Traffic(settings.table, bytes_a_month=settings.limits.bytes_a_month)
    found = list(summed(sent_of(content.decode(errors="replace").splitlines(), settings.exports_bucket)))
    for sent in found:
        traffic.count(name, sent)
    logger.info("counted", extra={"log": name, "bytes": sum(sent.nbytes for sent in found)})


def sent_of(lines: Iterable[str], bucket: str) -> Iterator[Sent]:
    """The downloads among a log's lines."""
    for line in lines:
        found = LINE.match(line)
        if found is None or found["bucket"] != bucket or found["operation"] != "REST.GET.OBJECT":
            continue
        ticket = Ticket.read(parse_qs(urlsplit(found["target"]).query).get(TICKET, [""])[0])
        if ticket is None or found["status"] not in DELIVERED:
            continue
        owner, export_id, *_ = unquote(unquote(found["key"])).split("/")  # keys are encoded twice there
        yield Sent(
            owner=owner,
            export_id=export_id,
            ticket=ticket,
            day=dt.datetime.strptime(found["time"], TIME).astimezone(dt.UTC).date(),
            nbytes=int(found["sent"]),
            requests=1,
        )


def summed(each: Iterable[Sent]) -> Iterator[Sent]:
    """One for each ticket and day."""
    sums: dict[tuple[str, str, str, dt.date], Sent] = {}
    for sent in each:
        key = (sent.owner, sent.export_id, str(sent.ticket), sent.day)
        known = sums.get(key)
        if known is not None:
            more = {"nbytes": known.nbytes + sent.nbytes, "requests": known.requests + sent.requests}
            sums[key] = known.model_copy(update=more)
        else:
            sums[key] = sent
    yield from sums.values()
