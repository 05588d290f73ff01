"""How a user lets us in: an address to open, and a code that is good for one refresh token."""

from __future__ import annotations

import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest

from cutline.deliver.dropbox import DropboxTarget
from cutline.deliver.dropbox_login import SCOPES, authorize_url, exchange
from cutline.errors import BadCredentials, DeliveryRejected, InternalError, TransientError
from cutline.models.destination import DropboxSettings
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from tests.support import dropbox_account
from tests.support.dropbox_account import APP_KEY, APP_SECRET, Account, Fault
from tests.support.dropbox_server import dropbox_server

__all__ = ["dropbox_server"]

REDIRECT = "https://console.example.org/dropbox"


@pytest.fixture
def app(aws: ServiceSettings, dropbox_server: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """A deployment that is an app of Dropbox's, whose secret is where the operator put it."""
    monkeypatch.setenv("CUTLINE_DROPBOX_KEY", APP_KEY)
    monkeypatch.setenv("CUTLINE_DROPBOX_SECRET_ID", "dropbox-app")
    client("secretsmanager").create_secret(Name="dropbox-app", SecretString=f"{APP_SECRET}\n")
    dropbox_server.codes.add("code")
    return dropbox_server


def test_the_address_asks_for_no_more_than_is_needed(app: Account) -> None:
    address = urlsplit(authorize_url("st&te"))
    assert (address.scheme, address.hostname, address.path) == ("https", "www.dropbox.com", "/oauth2/authorize")
    assert parse_qs(address.query) == {
        "response_type": ["code"],
        "client_id": [APP_KEY],
        "token_access_type": ["offline"],
        "scope": [" ".join(SCOPES)],
        "state": ["st&te"],
    }
    assert set(SCOPES) == set(dropbox_account.SCOPES.values())


def test_the_code_comes_back_by_redirect(app: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTLINE_DROPBOX_REDIRECT", REDIRECT)
    assert parse_qs(urlsplit(authorize_url("state")).query)["redirect_uri"] == [REDIRECT]
    app.redirect_uri = REDIRECT
    assert exchange("code")


def test_a_code_opens_the_account(app: Account) -> None:
    secret = exchange(" code\n")
    assert secret.refresh_token.get_secret_value() in app.refresh_tokens
    DropboxTarget(DropboxSettings(), secret, "ext").verify()


@pytest.mark.parametrize("code", ["other", ""])
def test_a_code_that_is_none(app: Account, code: str) -> None:
    with pytest.raises(BadCredentials, match="does not take this code"):
        exchange(code)


def test_a_code_works_once(app: Account) -> None:
    exchange("code")
    with pytest.raises(BadCredentials, match="works once"):
        exchange("code")


def test_a_code_that_was_not_asked_for_by_us(app: Account) -> None:
    app.offline = False
    with pytest.raises(BadCredentials, match="for hours only"):
        exchange("code")


def test_an_app_that_dropbox_does_not_know(app: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTLINE_DROPBOX_KEY", "another")
    with pytest.raises(InternalError, match="its operator has to set"):
        exchange("code")


def test_an_app_whose_secret_is_missing(app: Account) -> None:
    client("secretsmanager").delete_secret(SecretId="dropbox-app", ForceDeleteWithoutRecovery=True)
    with pytest.raises(InternalError, match="its operator has to set"):
        exchange("code")


@pytest.mark.parametrize("status", [500, 503, 429, None])
def test_dropbox_in_trouble(app: Account, status: int | None) -> None:
    app.faults.append(Fault("oauth2/token", status, "trouble"))
    with pytest.raises(TransientError, match="try again"):
        exchange("code")


def test_a_deployment_without_an_app(app: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUTLINE_DROPBOX_KEY")
    for ask in (authorize_url, exchange):
        with pytest.raises(DeliveryRejected, match="cutline:dropbox_key"):
            ask("x")


def test_who_shows_the_address_needs_no_sdk() -> None:
    without = "import sys; sys.modules['dropbox'] = None; import cutline.deliver.dropbox_login"
    subprocess.run([sys.executable, "-c", without], check=True)
