"""Requests that last through hiccups, and problems that become our errors."""

from __future__ import annotations

import json
import time

import pytest

from cutline.client.api import ATTEMPTS, Api
from cutline.client.session import Logins
from cutline.errors import (
    AccessDenied,
    Conflict,
    CutlineError,
    InternalError,
    InvalidGeometry,
    InvalidRequest,
    RateLimited,
    SourceUnavailable,
    TransientError,
)
from tests.client.website import ID, Trouble, Website, view

PROBLEM = {"Content-Type": "application/problem+json"}


@pytest.fixture(autouse=True)
def an_export(website: Website) -> None:
    website.views = [view("RENDERING")]


def problem(status: int, code: str, **headers: str) -> Trouble:
    body = {"title": "No", "status": status, "detail": "words", "code": code, "pointer": "/aoi"}
    return Trouble(f"/exports/{ID}", status=status, body=body, headers={**PROBLEM, **headers})


def test_hiccups_are_lived_through(api: Api, website: Website, pauses: list[float]) -> None:
    website.troubles = [
        Trouble(f"/exports/{ID}"),
        Trouble(f"/exports/{ID}", status=502),
        problem(424, "source-unavailable"),
        problem(503, "transient-error"),
        Trouble(f"/exports/{ID}", status=429, body={"message": "Too Many Requests"}),
    ]
    assert api.get(f"/exports/{ID}")["status"] == "RENDERING"
    assert len(pauses) == 5
    assert all(0 < pause <= 8 for pause in pauses)


@pytest.mark.parametrize(("told", "waited"), [("7", 7.0), ("99999", 60.0)])
def test_the_service_says_how_long(api: Api, website: Website, pauses: list[float], told: str, waited: float) -> None:
    headers = {"Retry-After": told}
    website.troubles = [
        Trouble(f"/exports/{ID}", status=503, headers=headers),
        Trouble(f"/exports/{ID}", status=429, headers=headers),
    ]
    api.get(f"/exports/{ID}")
    assert pauses == [waited, waited]


def test_nobody_waits_for_ever(api: Api, website: Website, pauses: list[float]) -> None:
    website.troubles = [Trouble(f"/exports/{ID}") for _ in range(ATTEMPTS)]
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        api.get(f"/exports/{ID}")
    website.troubles = [problem(503, "transient-error") for _ in range(ATTEMPTS)]
    with pytest.raises(TransientError, match="words"):
        api.get(f"/exports/{ID}")
    assert len(pauses) == 2 * (ATTEMPTS - 1)
    assert website.troubles == []


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (422, "invalid-geometry", InvalidGeometry),
        (409, "conflict", Conflict),
        (403, "access-denied", AccessDenied),
        (429, "rate-limited", RateLimited),
        (500, "internal-error", InternalError),
        (409, "a code of next year", Conflict),
        (418, "a code of next year", InvalidRequest),
    ],
)
def test_problems_are_errors(api: Api, website: Website, status: int, code: str, error: type[CutlineError]) -> None:
    website.troubles = [problem(status, code)]
    with pytest.raises(CutlineError, match="words") as raised:
        api.get(f"/exports/{ID}")
    assert (type(raised.value), raised.value.pointer) == (error, "/aoi")
    assert len(website.asked("/exports")) == 1, "asked once"


def test_answers_that_are_none(api: Api, website: Website) -> None:
    website.troubles = [Trouble(f"/exports/{ID}", status=400, headers={"Content-Type": "text/html"})]
    with pytest.raises(Exception, match="status 400"):
        api.get(f"/exports/{ID}")
    website.troubles = [Trouble(f"/exports/{ID}", status=200, body="not an object")]
    assert api.get(f"/exports/{ID}") == "not an object"
    website.troubles = [Trouble(f"/exports/{ID}/download", status=200)]
    with pytest.raises(InternalError, match="redirect"):
        api.link(f"/exports/{ID}/download")


def test_redirects_are_not_followed_with_a_token(api: Api, website: Website) -> None:
    website.troubles = [Trouble(f"/exports/{ID}", status=302, headers={"Location": "/files/elsewhere"})]
    api.get(f"/exports/{ID}")
    assert website.asked("/files/") == []


def test_a_token_is_renewed_before_it_expires(api: Api, website: Website, url: str, signed_in: Logins) -> None:
    old = signed_in.get(url)
    signed_in.keep(url, old.model_copy(update={"expires_at": time.time() + 5}), latest=True)
    api.get(f"/exports/{ID}")
    new = signed_in.get(url)
    assert new.access_token != old.access_token
    assert new.refresh_token == old.refresh_token
    assert new.expires_at > time.time() + 1000
    assert len(website.asked("/oauth2/token")) == 1
    api.get(f"/exports/{ID}")
    assert len(website.asked("/oauth2/token")) == 1


def test_a_token_that_was_taken_back_is_renewed_once(api: Api, website: Website) -> None:
    website.valid_tokens.clear()
    api.get(f"/exports/{ID}")
    assert len(website.asked("/oauth2/token")) == 1
    website.troubles = [problem(401, "unauthenticated"), problem(401, "unauthenticated")]
    with pytest.raises(AccessDenied):
        api.get(f"/exports/{ID}")


def test_a_session_that_has_ended(api: Api, website: Website, url: str, signed_in: Logins) -> None:
    website.valid_tokens.clear()
    website.refreshing = "another"
    with pytest.raises(AccessDenied, match="sign in again"):
        api.get(f"/exports/{ID}")
    signed_in.keep(url, signed_in.get(url).model_copy(update={"refresh_token": None}), latest=True)
    with pytest.raises(AccessDenied, match="sign in again"):
        api.get(f"/exports/{ID}")


def test_what_is_sent(api: Api, website: Website) -> None:
    api.post("/exports", {"a": "ü"}, {"Idempotency-Key": "k"})
    (headers,) = website.asked("/exports")
    assert headers["Idempotency-Key"] == "k"
    assert headers["User-Agent"].startswith("cutline/")
    assert json.loads(website.bodies[-1]) == {"a": "ü"}


def test_a_cancel_whose_answer_was_lost_has_cancelled(api: Api, website: Website) -> None:
    website.troubles = [Trouble(f"/exports/{ID}/cancel"), problem(409, "conflict")]
    website.views = [view("CANCELLED")]
    assert api.cancel(ID)["status"] == "CANCELLED"


def test_what_has_ended_otherwise_is_not_cancelled(api: Api, website: Website) -> None:
    website.troubles = [problem(409, "conflict")]
    website.views = [view("SUCCESS")]
    with pytest.raises(Conflict, match="words"):
        api.cancel(ID)
