"""OAuth as Cognito's hosted UI has it: /oauth2/authorize (code with PKCE, for people) and /oauth2/token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from html import escape
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from werkzeug.wrappers import Request, Response

from local.tokens import CONSOLE, HOUR, MACHINE, MACHINE_SECRET, USERS, Tokens, User

CODE_SECONDS = 300

REFRESH_SECONDS = 30 * 24 * HOUR


class Grant(NamedTuple):
    """What somebody may exchange for tokens."""

    user: User
    scope: str
    until: float
    """Seconds since 1970"""
    challenge: str = ""
    redirect: str = ""


class Login:
    """Answers what is asked below /oauth2 and for the key set."""

    def __init__(self, tokens: Tokens, redirects: tuple[str, ...]) -> None:
        """``redirects``: where codes may be sent to, besides any port of this machine's loopback."""
        self._tokens = tokens
        self._redirects = redirects
        self._grants: dict[str, Grant] = {}
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Response | None:
        """None for what is not ours."""
        match request.method, request.path:
            case "GET", "/oauth2/authorize":
                return self._ask(request)
            case "POST", "/oauth2/authorize":
                return self._sign_in(request)
            case "POST", "/oauth2/token":
                return self._token(request)
            case "GET", path if path.endswith("/.well-known/jwks.json"):
                return _json(self._tokens.key_set())
        return None

    # People ----------------------------------------------------------------------------------------------------

    def _ask(self, request: Request, status: int = 200, said: str = "") -> Response:
        if wrong := self._wrong(request):
            return Response(wrong, 400, content_type="text/plain; charset=utf-8")
        return Response(PAGE.format(said=escape(said)), status, SAFE, content_type="text/html; charset=utf-8")

    def _sign_in(self, request: Request) -> Response:
        if wrong := self._wrong(request):
            return Response(wrong, 400, content_type="text/plain; charset=utf-8")
        user = USERS.get(request.form.get("username", ""))
        if user is None or not hmac.compare_digest(user.password.encode(), request.form.get("password", "").encode()):
            return self._ask(request, 401, "This name and password are not known.")
        asked = request.args
        code = self._grant(
            Grant(
                user,
                asked.get("scope") or "cutline/exports openid",
                time.time() + CODE_SECONDS,
                asked["code_challenge"],
                asked["redirect_uri"],
            )
        )
        state = {"state": asked["state"]} if "state" in asked else {}
        between = "&" if urlsplit(asked["redirect_uri"]).query else "?"
        back = asked["redirect_uri"] + between + urlencode({"code": code, **state})
        return Response(status=302, headers={"Location": back})

    def _wrong(self, request: Request) -> str | None:
        """Why we cannot even send the person back; None where we can."""
        asked = request.args
        if asked.get("client_id") != CONSOLE:
            return f"client_id has to be {CONSOLE}"
        if not self._may_redirect(asked.get("redirect_uri", "")):
            return "redirect_uri has to be an address of this machine, http://127.0.0.1 or http://localhost"
        if asked.get("response_type") != "code":
            return "response_type has to be code"
        if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
            return "code_challenge is wanted, with code_challenge_method=S256"
        return None

    def _may_redirect(self, address: str) -> bool:
        place = urlsplit(address)
        return address in self._redirects or (
            place.scheme == "http" and place.hostname in ("127.0.0.1", "localhost") and place.username is None
        )

    # Programs --------------------------------------------------------------------------------------------------

    def _token(self, request: Request) -> Response:
        match request.form.get("grant_type"):
            case "client_credentials":
                return self._machine(request)
            case "authorization_code":
                return self._exchange(request)
            case "refresh_token":
                return self._refresh(request)
        return _json({"error": "unsupported_grant_type"}, 400)

    def _machine(self, request: Request) -> Response:
        login = request.authorization
        name = (login and login.username) or request.form.get("client_id", "")
        secret = (login and login.password) or request.form.get("client_secret", "")
        if name != MACHINE or not hmac.compare_digest(secret.encode(), MACHINE_SECRET.encode()):
            return _json({"error": "invalid_client"}, 401)
        return _json(_bearer(self._tokens.of_machine()))

    def _exchange(self, request: Request) -> Response:
        with self._lock:
            grant = self._grants.pop(request.form.get("code", ""), None)  # a code is good once
        verifier = request.form.get("code_verifier", "")
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if (
            grant is None
            or grant.until < time.time()
            or not hmac.compare_digest(grant.challenge.encode(), digest.encode())
            or request.form.get("redirect_uri") != grant.redirect
            or request.form.get("client_id") != CONSOLE
        ):
            return _json({"error": "invalid_grant"}, 400)
        refresh = self._grant(Grant(grant.user, grant.scope, time.time() + REFRESH_SECONDS))
        return _json(_bearer(self._tokens.of_user(grant.user, grant.scope)) | {"refresh_token": refresh})

    def _refresh(self, request: Request) -> Response:
        with self._lock:
            grant = self._grants.get(request.form.get("refresh_token", ""))
        if grant is None or grant.challenge or grant.until < time.time() or request.form.get("client_id") != CONSOLE:
            return _json({"error": "invalid_grant"}, 400)
        return _json(_bearer(self._tokens.of_user(grant.user, grant.scope)))

    def _grant(self, grant: Grant) -> str:
        code = secrets.token_urlsafe(24)
        with self._lock:
            self._grants[code] = grant
        return code


def _bearer(token: str) -> dict[str, Any]:
    return {"access_token": token, "expires_in": HOUR, "token_type": "Bearer"}


def _json(body: Any, status: int = 200) -> Response:
    return Response(
        json.dumps(body),
        status,
        {"Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"},
        content_type="application/json",
    )


SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign in to Cutline</title>
<style>
 body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 20rem; margin: 15vh auto; padding: 0 1rem }}
 input, button {{ font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; margin: .2rem 0 .8rem }}
 p {{ color: #a40000; min-height: 1.5em }}
</style>
<h1>Cutline</h1>
<form method="post">
 <label>Name <input name="username" autocomplete="username" autofocus required></label>
 <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
 <p role="alert">{said}</p>
 <button>Sign in</button>
</form>
</html>
"""
