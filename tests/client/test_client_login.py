"""Signing in: by a browser that comes back to this machine, or by a secret; and where it is kept."""

from __future__ import annotations

import json
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from cutline.client import oauth
from cutline.client.session import Logins, service_url
from cutline.errors import AccessDenied, Conflict, InternalError, InvalidRequest, SourceUnavailable
from tests.client.website import MACHINE, SECRET, Trouble, Website


def browser(back: Callable[[str], str] = lambda address: address) -> Callable[[str], None]:
    """Opens an address as a browser does, and comes back to ``back`` of where it is sent."""

    def visit(address: str) -> None:
        sent = requests.get(address, allow_redirects=False, timeout=10)
        place = back(sent.headers["Location"])
        threading.Thread(target=lambda: requests.get(place, timeout=10), daemon=True).start()

    return visit


def test_a_person_signs_in(url: str, website: Website, home: Path) -> None:
    config = oauth.discover(url)
    login = oauth.sign_in(config, browser(), port=0)
    assert login.access_token in website.valid_tokens
    assert login.refresh_token == "refresh-1"
    assert "refresh-1" not in repr(login)
    (asked,) = [path for _, path, _ in website.requests if path.startswith("/oauth2/authorize")]
    query = parse_qs(urlsplit(asked).query)
    assert query["code_challenge_method"] == ["S256"]
    assert urlsplit(query["redirect_uri"][0]).hostname == "localhost"


def swapped(**parameters: str) -> Callable[[str], str]:
    """Come back with other parameters than those one was sent with."""

    def back(address: str) -> str:
        place = urlsplit(address)
        given = {name: values[0] for name, values in parse_qs(place.query).items()}
        return place._replace(query=urlencode({**given, **parameters})).geturl()

    return back


def test_another_state_is_refused(url: str, website: Website, home: Path) -> None:
    with pytest.raises(AccessDenied, match="state differs"):
        oauth.sign_in(oauth.discover(url), browser(swapped(state="another")), port=0)
    assert website.asked("/oauth2/token") == [], "its code is not used"


def test_another_code_is_refused(url: str, website: Website, home: Path) -> None:
    """Such as one that was asked for with another challenge."""
    website.challenges["stolen"] = "of somebody else"
    with pytest.raises(AccessDenied, match="invalid_grant"):
        oauth.sign_in(oauth.discover(url), browser(swapped(code="stolen")), port=0)


def test_a_person_says_no(url: str, home: Path) -> None:
    def back(address: str) -> str:
        place = urlsplit(address)
        state = parse_qs(place.query)["state"][0]
        return place._replace(query=urlencode({"error": "access_denied", "state": state})).geturl()

    with pytest.raises(AccessDenied, match="access_denied"):
        oauth.sign_in(oauth.discover(url), browser(back), port=0)


def test_a_favicon_is_no_answer(url: str, home: Path) -> None:
    def visit(address: str) -> None:
        back = parse_qs(urlsplit(address).query)["redirect_uri"][0]

        def both() -> None:
            assert requests.get(back.replace("/callback", "/favicon.ico"), timeout=10).status_code == 404
            browser()(address)

        threading.Thread(target=both, daemon=True).start()

    assert oauth.sign_in(oauth.discover(url), visit, port=0).access_token


def test_nobody_comes(url: str, home: Path) -> None:
    with pytest.raises(AccessDenied, match="nobody signed in"):
        oauth.sign_in(oauth.discover(url), lambda address: None, port=0, patience=0)


def test_the_port_is_taken(url: str, home: Path) -> None:
    taken = int(urlsplit(url).port or 0)
    with pytest.raises(Conflict, match=str(taken)):
        oauth.sign_in(oauth.discover(url), browser(), port=taken)


def test_a_machine_signs_in_and_stays(url: str, website: Website, home: Path) -> None:
    login = oauth.sign_in_machine(oauth.discover(url), MACHINE, SECRET)
    assert login.access_token in website.valid_tokens
    assert oauth.renewed(login).access_token != login.access_token
    assert not oauth.expired(login)
    assert oauth.expired(login.model_copy(update={"expires_at": time.time()}))
    with pytest.raises(AccessDenied, match="invalid_grant"):
        oauth.sign_in_machine(oauth.discover(url), MACHINE, "wrong")


def test_what_is_no_service(url: str, website: Website) -> None:
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        oauth.discover("http://127.0.0.1:9")
    website.troubles = [Trouble("/config", status=200, body={"hello": 1})]
    with pytest.raises(InternalError, match="is it a Cutline service"):
        oauth.discover(url)
    told = {"authorize_url": "http://evil.example/a", "token_url": f"{url}/t", "client_id": "c", "scope": "s"}
    website.troubles = [Trouble("/config", status=200, body=told)]
    with pytest.raises(InvalidRequest, match="https only"):
        oauth.discover(url)
    website.troubles = [Trouble("/config", status=503)]
    with pytest.raises(SourceUnavailable, match="503"):
        oauth.discover(url)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://a.example/v1/", "https://a.example/v1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_addresses_of_services(text: str, url: str) -> None:
    assert service_url(text) == url


@pytest.mark.parametrize(
    "text",
    ["a.example", "ftp://a.example", "https://", "http://a.example", "https://u:p@a.example", "https://a.example?x=1",
     "https://a.example:99999", "http://localhost.evil.example", "http://10.0.0.1"],
)  # fmt: skip
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(InvalidRequest):
        service_url(text)


def test_tokens_are_their_owners(signed_in: Logins, url: str) -> None:
    assert stat.S_IMODE(signed_in.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(signed_in.path.parent.stat().st_mode) == 0o700
    assert signed_in.url(None) == url
    assert signed_in.url("https://other.example/") == "https://other.example"
    with pytest.raises(AccessDenied, match=r"cutline login --url https://other\.example"):
        signed_in.get("https://other.example")
    assert [path.name for path in signed_in.path.parent.iterdir()] == ["logins.json"]


def test_several_programs_keep_theirs_at_once(signed_in: Logins, url: str) -> None:
    login, together = signed_in.get(url), threading.Barrier(16)

    def keep(number: int) -> None:
        together.wait()
        Logins(signed_in.path).keep(f"https://{number}.example.org", login, latest=False)

    with ThreadPoolExecutor(16) as programs:
        list(programs.map(keep, range(16)))
    kept = json.loads(signed_in.path.read_text())["logins"]
    assert kept.keys() == {url, *(f"https://{number}.example.org" for number in range(16))}


def test_a_broken_file_of_tokens(signed_in: Logins, url: str) -> None:
    signed_in.path.write_text(json.dumps({"logins": {url: {}}}))
    with pytest.raises(InvalidRequest, match="remove it"):
        signed_in.get(url)


def test_nobody_is_signed_in(home: Path) -> None:
    with pytest.raises(InvalidRequest, match="which service"):
        Logins().url(None)
