"""Letters about the end of an export, and of deliveries that end later, as text and as HTML, from the templates beside
this file.

Whatever people named is escaped in HTML, and is one line of printable letters everywhere: nothing of it can become a
header, or look like words of ours.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from cutline.models.record import LINK, DeliveryRecord, ExportRecord
from cutline.notify.advice import ADVICE, advice_for, delivery_advice_for

UNITS = ("bytes", "kB", "MB", "GB", "TB")
PICTURE = "quicklook"
"""Content-ID of the picture inside a mail"""
MOST_WARNINGS = 10
KINDS = {LINK: "its link", "s3": "S3", "dropbox": "Dropbox", "sftp": "SFTP"}
"""Kind of a delivery -> what people call it"""


@dataclass(frozen=True)
class Letter:
    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Enclosed:
    """What comes along, and where to find the rest."""

    url: str
    """Of the export, for programs and whoever is signed in"""
    download: str | None = None
    """Where the file is"""
    until: dt.datetime | None = None
    """When ``download`` stops working; None: it stays, for its owner"""
    picture: bool = False
    attached: bool = False


def written(record: ExportRecord, enclosed: Enclosed, deliveries: Sequence[DeliveryRecord] = ()) -> Letter:
    """The letter about the end of ``record``'s attempt, which came to SUCCESS or ERROR, and its ``deliveries``."""
    came, made = record.status == "SUCCESS", record.result is not None
    name = one_line(record.name)
    subject = f"Your export {name} {'is ready' if came else 'failed'}"
    told: dict[str, Any] = {
        "subject": subject,
        "name": name,
        "facts": _facts(record) + _arrivals(deliveries),
        "missed": _missed(deliveries, made=made),
        "warnings": [one_line(each) for each in record.warnings[:MOST_WARNINGS]],
        "more_warnings": max(0, len(record.warnings) - MOST_WARNINGS),
        "why": one_line(record.error.message) if record.error else None,
        "advice": advice_for(record.error.code, made=made) if record.error else ADVICE["internal-error"],
        "picture": PICTURE,
        "enclosed": enclosed,
    }
    return _letter("success" if came else "failure", told)


def written_of_delivery(record: ExportRecord, delivery: DeliveryRecord, enclosed: Enclosed) -> Letter:
    """The letter about a ``delivery`` of the export ``record`` that ended later: done, or failed."""
    came, name = delivery.state == "done", one_line(record.name)
    told: dict[str, Any] = {
        "subject": f"Your export {name} was {'' if came else 'not '}delivered to {KINDS[delivery.kind]}",
        "facts": _receipt(record, delivery),
        "uri": one_line(delivery.uri or ""),
        "why": one_line(delivery.error.message) if delivery.error else "",
        "advice": delivery_advice_for(delivery.error.code) if delivery.error else "",
        "enclosed": enclosed,
    }
    return _letter("delivered" if came else "undelivered", told)


def _letter(template: str, told: dict[str, Any]) -> Letter:
    text, html = (_TEMPLATES.get_template(f"{template}.{kind}").render(told) for kind in ("txt", "html"))
    return Letter(told["subject"], text, html)


def _facts(record: ExportRecord) -> list[tuple[str, str]]:
    took = dt.timedelta(seconds=round((record.updated_at - record.begun_at).total_seconds()))
    facts = [("Export", record.export_id), ("Took", str(took))]
    if record.attempt > 1:
        facts.append(("Attempt", str(record.attempt)))
    if record.result:
        facts.append(("Size", size(record.result.nbytes)))
    if record.pixels is not None:
        facts.append(("Pixels", f"{record.pixels:,}"))
    if record.tiles is not None:
        facts.append(("Tiles", f"{record.tiles:,}"))
    if record.result:
        facts.append(("CRC-64/NVME", record.result.crc64nvme))
    return facts


def _receipt(record: ExportRecord, delivery: DeliveryRecord) -> list[tuple[str, str]]:
    facts = [("Export", record.export_id)]
    if delivery.nbytes is not None:
        facts.append(("Size", size(delivery.nbytes)))
    if delivery.checksum:
        facts.append(("Checksum", one_line(delivery.checksum)))
    return facts


def _arrivals(deliveries: Sequence[DeliveryRecord]) -> list[tuple[str, str]]:
    """Where the file was brought to, besides the link that every export has."""
    return [
        ("Delivered to", one_line(each.uri))
        for each in deliveries
        if each.kind != LINK and each.state == "done" and each.uri
    ]


def _missed(deliveries: Sequence[DeliveryRecord], *, made: bool) -> list[tuple[str, str, str]]:
    """Kind, reason and advice of those that did not arrive."""
    return [
        (KINDS[each.kind], one_line(each.error.message), advice_for(each.error.code, made=made))
        for each in deliveries
        if each.state == "failed" and each.error
    ]


def size(nbytes: int) -> str:
    """Bytes in the unit that suits them."""
    amount, unit = float(nbytes), 0
    while amount >= 1000 and unit < len(UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:,.3g} {UNITS[unit]}" if unit else f"{nbytes} bytes"


def one_line(text: str) -> str:
    """Without line breaks and other control characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=select_autoescape(["html"], default=False),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.filters["day"] = lambda at: at.astimezone(dt.UTC).strftime("%-d %B %Y")
