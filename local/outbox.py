"""The mails that SES would have sent, to be looked at: /outbox."""

from __future__ import annotations

import html
from email import message_from_string
from email.message import EmailMessage
from email.policy import default
from typing import cast

from moto.ses.models import RawMessage, ses_backends
from werkzeug.wrappers import Request, Response

from local.aws import ACCOUNT, REGION

ROOT = "/outbox"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
"""Mails hold what people wrote, and links for whoever has them"""
PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Outbox</title>
<body style="font-family:sans-serif;margin:2em"><h1>Outbox</h1><p>What SES would have sent, newest first.</p>
<ul>{lines}</ul></body></html>"""
LINE = (
    '<li>{to}: <a href="/outbox/{number}">{subject}</a> (<a href="/outbox/{number}/mail.eml">as it was sent</a>)</li>'
)


def outbox(request: Request) -> Response | None:
    """The page, a mail, or a file in a mail; None for other paths."""
    if request.method != "GET" or not f"{request.path}/".startswith(f"{ROOT}/"):
        return None
    number, _, name = request.path.removeprefix(ROOT).strip("/").partition("/")
    if not number:
        return _answer(_page(), "text/html")
    sent = _sent()
    if not number.isdecimal() or not 1 <= int(number) <= len(sent):
        return Response("there is no such mail\n", 404)
    raw = sent[int(number) - 1].raw_data
    if name == "mail.eml":
        return _answer(raw, "message/rfc822")
    return _part(_read(raw), number, name)


def _part(mail: EmailMessage, number: str, name: str) -> Response:
    if not name:
        body = mail.get_body(("html",))
        content = str(body.get_content()) if body is not None else ""
        return _answer(content.replace('src="cid:', f'src="{ROOT}/{number}/'), "text/html")
    for part in mail.walk():
        if name in (part.get_filename(), str(part["Content-ID"]).strip("<>")):
            return _answer(cast(EmailMessage, part).get_content(), part.get_content_type())
    return Response("the mail has no such file\n", 404)


def _page() -> str:
    lines = []
    for number, each in reversed(list(enumerate(_sent(), start=1))):
        mail = _read(each.raw_data)
        lines.append(LINE.format(number=number, to=html.escape(mail["To"]), subject=html.escape(mail["Subject"])))
    return PAGE.format(lines="".join(lines) or "<li>nothing yet</li>")


def _sent() -> list[RawMessage]:
    return [each for each in ses_backends[ACCOUNT][REGION].sent_messages if isinstance(each, RawMessage)]


def _read(raw: str) -> EmailMessage:
    return cast(EmailMessage, message_from_string(raw, policy=default))


def _answer(content: str | bytes, kind: str) -> Response:
    return Response(content, 200, HEADERS, content_type=f"{kind}; charset=utf-8" if kind == "text/html" else kind)
