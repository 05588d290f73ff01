"""An account with an address, and the mails that moto took for it."""

from __future__ import annotations

from email import message_from_string
from email.message import EmailMessage
from email.policy import default
from typing import NamedTuple

import pytest
from moto.ses.models import ses_backends

from cutline.settings import ServiceSettings
from cutline.store.clients import client
from tests.support.aws import REGION

SENDER = "exports@cutline.example"


@pytest.fixture
def anna(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> str:
    """The sub of an account with a verified address, in the service's pool."""
    client("sesv2").create_email_identity(EmailIdentity=SENDER)
    cognito = client("cognito-idp")
    # A pool's key takes 0.2 s, and nobody signs in here.
    monkeypatch.setattr("moto.cognitoidp.models.jwk.RSAKey.import_key", lambda _: None)
    pool = cognito.create_user_pool(PoolName="users")["UserPool"]["Id"]
    monkeypatch.setenv("CUTLINE_USER_POOL", pool)
    monkeypatch.setenv("CUTLINE_SENDER", SENDER)
    make_account(pool, "ben", "ben@example.org")
    return make_account(pool, "anna", "anna@example.org")


def make_account(pool: str, name: str, email: str, verified: str = "true") -> str:
    attributes = [{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": verified}]
    made = client("cognito-idp").admin_create_user(UserPoolId=pool, Username=name, UserAttributes=attributes)
    return str(next(each["Value"] for each in made["User"]["Attributes"] if each["Name"] == "sub"))


class Sent(NamedTuple):
    """A mail as its reader's program takes it apart."""

    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    def body(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        assert part is not None, kind
        return str(part.get_content())

    @property
    def files(self) -> dict[str, bytes]:
        return {str(part.get_filename()): part.get_content() for part in self.message.iter_attachments()}

    @property
    def pictures(self) -> dict[str, bytes]:
        found = [part for part in self.message.walk() if part.get_content_type() == "image/png"]
        return {str(part["Content-ID"]): part.get_content() for part in found}


def sent() -> list[Sent]:
    messages = ses_backends["123456789012"][REGION].sent_messages
    assert all(message.source == SENDER for message in messages)
    return [Sent(message_from_string(message.raw_data, policy=default)) for message in messages]
