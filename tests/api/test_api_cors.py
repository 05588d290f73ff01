"""Pages of another origin, the console's, may call the API from a browser and read whatever it answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import BODY, Call, call

CONSOLE = "https://console.example.org"
CALLS: dict[str, tuple[str, str, dict[str, Any], int]] = {
    # what: method, path, how, status
    "an answer": ("GET", "/me", {}, 200),
    "public": ("GET", "/health", {"who": None}, 200),
    "a document": ("GET", "/openapi.json", {"who": None}, 200),
    "made": ("POST", "/exports", {"body": BODY}, 202),
    "nobody": ("GET", "/me", {"who": None}, 401),
    "no scope": ("GET", "/me", {"claims": {"sub": "anna", "scope": "openid"}}, 403),
    "no route": ("GET", "/nowhere", {}, 404),
    "no method": ("PUT", "/exports", {}, 405),
    "no JSON": ("POST", "/exports", {"body": "{"}, 400),
    "no export": ("POST", "/exports", {"body": {"foo": 1}}, 422),
}


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CUTLINE_CONSOLE_ORIGIN", CONSOLE)
    return CONSOLE


def test_every_answer_can_be_read_by_the_consoles_pages(api: Call, console: str) -> None:
    for which, (method, path, how, status) in CALLS.items():
        for sender in (console, "https://elsewhere.example.org"):  # the browser compares, not we
            answer = api(method, path, headers={"Origin": sender, "Content-Type": "application/json"}, **how)
            assert answer.status == status, which
            assert answer.headers["access-control-allow-origin"] == console, which
            assert "Origin" in answer.headers["vary"], which
            assert {"Location", "Retry-After"} <= set(answer.headers["access-control-expose-headers"].split(", "))
            assert "access-control-allow-credentials" not in answer.headers, which


def test_what_fails_on_our_side_can_be_read_too(api: Call, console: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTLINE_TABLE", "gone")
    answer = api("GET", "/exports")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (500, console)


@pytest.mark.parametrize("path", ["/exports", "/exports/abc", "/me", "/health", "/nowhere"])
def test_a_browser_may_ask_first_without_a_token(api: Call, console: str, path: str) -> None:
    asked = {"Origin": console, "Access-Control-Request-Method": "DELETE"}
    answer = call("OPTIONS", path, who=None, headers=asked)
    assert (answer.status, answer.text, answer.headers["access-control-allow-origin"]) == (204, "", console)
    assert {"GET", "POST", "PUT", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(", "))
    wanted = {"Authorization", "Content-Type", "Idempotency-Key"}
    assert wanted <= set(answer.headers["access-control-allow-headers"].split(", "))


def test_without_a_console_any_page_with_a_token_may(api: Call) -> None:
    assert api("GET", "/me").headers["access-control-allow-origin"] == "*"
