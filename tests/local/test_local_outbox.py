"""What SES would have sent, as /outbox shows it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from cutline.notify.letter import Letter
from cutline.notify.message import composed
from cutline.store import mail
from cutline.store.clients import client
from local.outbox import outbox
from tests.support.aws import forget_clients, fresh_clients, surround

SENDER = "exports@cutline.example"


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    @Request.application
    def application(request: Request) -> Response:
        return outbox(request) or Response("another's", 418)

    surround(monkeypatch)
    with mock_aws():
        fresh_clients()
        client("sesv2").create_email_identity(EmailIdentity=SENDER)
        yield Client(application)
    forget_clients()


def test_mails_can_be_read_with_their_pictures_and_files(browser: Client) -> None:
    assert "nothing yet" in browser.get("/outbox").text
    for subject in ("earlier", "<later>"):
        letter = Letter(subject, "text", '<img src="cid:quicklook">')
        content = composed(letter, sender=SENDER, to="a@example.org", picture=b"\x89PNG", file=("a.tif", b"II*\0"))
        mail.send(SENDER, "a@example.org", content)
    page = browser.get("/outbox/").text
    assert page.index("&lt;later&gt;") < page.index("earlier"), "newest first, and no HTML of others"
    shown = browser.get("/outbox/2")
    assert shown.text.strip() == '<img src="/outbox/2/quicklook">'
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    picture, file = browser.get("/outbox/2/quicklook"), browser.get("/outbox/2/a.tif")
    assert (picture.data, picture.content_type) == (b"\x89PNG", "image/png")
    assert (file.data, file.content_type) == (b"II*\0", "image/tiff")
    assert browser.get("/outbox/1/mail.eml").text.startswith("Subject: earlier")


def test_what_is_not_there_is_a_404_and_other_paths_are_anothers(browser: Client) -> None:
    for path in ("/outbox/1", "/outbox/x", "/outbox/0", "/outbox/1/mail.eml"):
        assert browser.get(path).status_code == 404
    for path in ("/outboxes", "/exports"):
        assert browser.get(path).status_code == 418
    assert browser.post("/outbox").status_code == 418
