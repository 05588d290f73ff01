"""Access tokens by OAuth 2: a person signs in with a browser (RFC 8252, RFC 7636), a machine with its secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from cutline.client.session import Login, service_url
from cutline.errors import AccessDenied, Conflict, InternalError, SourceUnavailable
from cutline.models.base import Model

PORT = 8765
"""Of the address that the browser comes back to; the service knows this one"""
PATIENCE = 300.0
"""Seconds for a person to sign in"""
TIMEOUT = (10.0, 30.0)
"""Seconds to connect, and between two pieces of an answer"""
EARLY = 60.0
"""Seconds before its end that a token counts as expired"""

PAGE = """<!doctype html><meta charset="utf-8"><title>Cutline</title>
<p style="font:1.2em sans-serif;margin:3em">Close this window and go back to the terminal.</p>"""


class Config(Model):
    """What a service says of itself at /config."""

    authorize_url: str
    token_url: str
    client_id: str
    scope: str


def discover(url: str) -> Config:
    """How to sign in to the service at ``url``. Raises SourceUnavailable, or InternalError for another answer."""
    answer = _ask("GET", f"{url}/config")
    try:
        told = {name: answer.json()[name] for name in Config.model_fields}
        config = Config.model_validate(told)
    except (ValueError, KeyError, TypeError) as error:
        raise InternalError(f"{url} does not say how to sign in; is it a Cutline service?") from error
    for address in (config.authorize_url, config.token_url):
        service_url(address.partition("?")[0])
    return config


def sign_in(config: Config, show: Callable[[str], Any], *, port: int = PORT, patience: float = PATIENCE) -> Login:
    """Let a person sign in: ``show`` is given the address to open. Raises AccessDenied where they do not."""
    verifier, state = secrets.token_urlsafe(64), secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    with _Loopback(port) as loopback:
        asked = {
            "response_type": "code",
            "client_id": config.client_id,
            "redirect_uri": loopback.address,
            "scope": config.scope,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        show(f"{config.authorize_url}?{urlencode(asked)}")
        code = loopback.code(state, patience)
        return _login(
            config.token_url,
            config.client_id,
            config.scope,
            grant_type="authorization_code",
            code=code,
            redirect_uri=loopback.address,
            code_verifier=verifier,
        )


def sign_in_machine(config: Config, client_id: str, client_secret: str) -> Login:
    """By a client's own secret. Raises AccessDenied where the service does not take it."""
    return _login(config.token_url, client_id, config.scope, client_secret, grant_type="client_credentials")


def renewed(login: Login) -> Login:
    """``login`` with a new access token. Raises AccessDenied where one has to sign in again."""
    if login.client_secret is not None:
        return _login(
            login.token_url, login.client_id, login.scope, login.client_secret, grant_type="client_credentials"
        )
    if login.refresh_token is None:
        raise AccessDenied("the session has ended; sign in again with cutline login")
    fresh = _login(
        login.token_url,
        login.client_id,
        login.scope,
        grant_type="refresh_token",
        refresh_token=login.refresh_token,
    )
    # A service that does not change refresh tokens does not repeat them either.
    return fresh.model_copy(update={"refresh_token": fresh.refresh_token or login.refresh_token})


def expired(login: Login) -> bool:
    return time.time() > login.expires_at - EARLY


def _login(token_url: str, client_id: str, scope: str, client_secret: str | None = None, **form: str) -> Login:
    if client_secret is None:
        answer = _ask("POST", token_url, data={"client_id": client_id, **form})
    else:
        answer = _ask("POST", token_url, data={"scope": scope, **form}, auth=(client_id, client_secret))
    try:
        told = answer.json()
        if answer.status_code >= 400:
            reason = told.get("error_description") or told.get("error") or f"status {answer.status_code}"
            again = " (sign in again with cutline login)" if form["grant_type"] == "refresh_token" else ""
            raise AccessDenied(f"no token is given: {str(reason)[:200]}{again}")
        return Login(
            token_url=token_url,
            client_id=client_id,
            scope=scope,
            access_token=told["access_token"],
            expires_at=time.time() + float(told.get("expires_in", 3600)),
            refresh_token=told.get("refresh_token"),
            client_secret=client_secret,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InternalError(f"{token_url} does not answer as OAuth has it") from error


def _ask(method: str, url: str, **more: Any) -> requests.Response:
    try:
        answer = requests.request(method, url, timeout=TIMEOUT, allow_redirects=False, **more)
    except requests.RequestException as error:
        raise SourceUnavailable(f"{url} cannot be reached: {reason_of(error)}") from error
    if answer.status_code >= 500:
        raise SourceUnavailable(f"{url} answers with status {answer.status_code}; try again later")
    return answer


def reason_of(error: Exception) -> str:
    """The innermost cause, which is the one that tells a person something."""
    inner: BaseException = error
    while (cause := getattr(inner, "reason", None) or inner.__cause__ or inner.__context__) is not None:
        if not isinstance(cause, BaseException):
            return str(cause)
        inner = cause
    return str(inner) or type(inner).__name__


class _Loopback:
    """A web server of this machine, for the one request by which the browser comes back."""

    def __init__(self, port: int) -> None:
        try:
            self._server = _Server(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise Conflict(f"port {port}, which the browser has to come back to, is taken: {error.strerror}") from error
        # localhost, not 127.0.0.1: the name is what the service has on its list.
        self.address = f"http://localhost:{self._server.server_port}/callback"

    def __enter__(self) -> _Loopback:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.server_close()

    def code(self, state: str, patience: float) -> str:
        """What the service gave the browser for us. Raises AccessDenied where it is not what was asked for."""
        end = time.monotonic() + patience
        while (came := self._server.came) is None:
            self._server.timeout = max(0.0, end - time.monotonic())
            if not self._server.timeout:
                raise AccessDenied(f"nobody signed in for {patience:.0f} s; try again")
            self._server.handle_request()
        if not hmac.compare_digest(came.get("state", "").encode(), state.encode()):
            raise AccessDenied("the browser came back from another sign-in (its state differs); try again")
        if "code" not in came:
            reason = came.get("error_description") or came.get("error") or "no code was given"
            raise AccessDenied(f"you are not signed in: {reason[:200]}")
        return came["code"]


class _Server(HTTPServer):
    came: dict[str, str] | None = None
    """The parameters that the browser came back with"""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10
    """Seconds for a browser to send its request; some open connections on speculation"""

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        if place.path != "/callback":
            self.send_error(404)
            return
        self.server.came = {name: values[0] for name, values in parse_qs(place.query).items()}
        body = PAGE.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Referrer-Policy", "no-referrer")  # the address has the code in it
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: the address has the code in it."""
