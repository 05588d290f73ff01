"""The end of an export is told to its owner by mail: where the file is, or why there is none and what to do."""

from __future__ import annotations

import datetime as dt
import html

from cutline.models.record import ExportRecord
from cutline.models.task import ExportTask
from cutline.service.delivering import download_url
from cutline.settings import service
from cutline.store import mail
from cutline.store.records import Records

ADVICE = {
    # An error's code -> what its owner can do
    "source-unavailable": "Its source did not answer. Try again later: retry keeps all finished tiles.",
    "delivery-rejected": "The file is made and can be downloaded; retry delivers it again without rendering.",
    "rate-limited": "Wait until there is room again, then retry.",
    "access-denied": "Check that we may read all that the export names, then retry.",
    "internal-error": "This is our fault. Retry keeps all finished tiles; if it fails again, tell us the export's id.",
}
REQUEST_ADVICE = "Change the request as it says, and send it as a new export."
RETRY_ADVICE = "Retry goes on from the finished tiles."
_OF_REQUESTS = {"too-large", "unsupported-crs", "not-found"}


def notify(task: ExportTask) -> None:
    """Tell the owner, if the request asks for it, and not twice. Raises TransientError and DeliveryRejected."""
    settings = service()
    records = Records(settings.table)
    record = records.get(task.export_id)
    if not record.notify or record.attempt != task.attempt or record.status not in ("SUCCESS", "ERROR"):
        return
    if not settings.sender:  # a deployment without mail
        return
    address = mail.address_of(settings.user_pool, record.owner)
    if address is None or not records.mark_notified(record):
        return
    try:
        mail.send(settings.sender, address, *written(record))
    except Exception:
        records.unmark_notified(record)
        raise


def written(record: ExportRecord) -> tuple[str, str, str]:
    """Subject, text and HTML. What people named is one line in the subject, and escaped in the HTML."""
    came = record.status == "SUCCESS"
    subject = f"Your export {_one_line(record.name)} {'is ready' if came else 'failed'}"
    lines = _success(record) if came else _failure(record)
    facts = _facts(record)
    link = download_url(record) if record.result else f"{service().url}/exports/{record.export_id}"
    text = "\n".join([f"{subject}.", "", *lines, "", link, "", *(f"{name}: {value}" for name, value in facts), ""])
    rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in facts)
    body = "".join(f"<p>{html.escape(line)}</p>" for line in [f"{subject}.", *lines])
    address = html.escape(link, quote=True)
    return (
        subject,
        text,
        f'<html><body>{body}<p><a href="{address}">{address}</a></p><table>{rows}</table></body></html>',
    )


def advice_for(code: str) -> str:
    """What an owner can do about an error."""
    of_request = code.startswith("invalid-") or code in _OF_REQUESTS
    return ADVICE.get(code, REQUEST_ADVICE if of_request else RETRY_ADVICE)


def _success(record: ExportRecord) -> list[str]:
    return ["Download it here, signed in; the address stays the same.", *(f"Note: {each}" for each in record.warnings)]


def _failure(record: ExportRecord) -> list[str]:
    if record.error is None:
        return [ADVICE["internal-error"]]
    return [f"Why: {_one_line(record.error.message)}", advice_for(record.error.code)]


def _facts(record: ExportRecord) -> list[tuple[str, str]]:
    took = dt.timedelta(seconds=round((record.updated_at - record.created_at).total_seconds()))
    facts = [("Export", record.export_id), ("Attempt", str(record.attempt)), ("Took", str(took))]
    if record.result:
        facts.append(("Size", f"{record.result.nbytes:,} bytes"))
    if record.pixels is not None:
        facts.append(("Pixels", f"{record.pixels:,}"))
    if record.tiles is not None:
        facts.append(("Tiles", f"{record.tiles:,}"))
    return facts


def _one_line(text: str) -> str:
    """Without line breaks and other control characters: nothing of it can become a header."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
