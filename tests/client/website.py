"""A small service over HTTP that speaks the API as a client sees it, and misbehaves when told to."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cutline.kernel import crc64
from tests.support.loopback import in_thread

ID = "e0"
MACHINE, SECRET = "machine", "s3cret"


@dataclass
class Trouble:
    """What happens once to a request whose path begins so, instead of an answer."""

    path: str
    status: int = 0
    """0: the connection is closed"""
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    after: int | None = None
    """Answer, but close the connection after so many bytes of the body"""
    but_first: Any = None
    """Called before all this"""


class Website:
    """Its state, for tests to set and to look at."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        """(method, path with query, headers) as they came"""
        self.bodies: list[Any] = []
        self.troubles: list[Trouble] = []
        self.files: dict[str, bytes] = {}
        self.views: list[dict[str, Any]] = []
        """What GET /exports/{id} answers, one after the other; the last one stays"""
        self.listed: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.valid_tokens: set[str] = set()
        self.refreshing = "refresh-1"
        self.expires_in = 3600
        self.challenges: dict[str, str] = {}
        self.honours_ranges = True

    def finished(self, content: bytes, **more: Any) -> None:
        """There is an export with this file."""
        self.files[ID] = content
        result = {"nbytes": len(content), "etag": etag(content), "crc64nvme": checksum(content)}
        self.views = [view("SUCCESS", percent=100, result=result, **more)]

    def token(self) -> str:
        made = secrets.token_hex(8)
        self.valid_tokens.add(made)
        return made

    def asked(self, path: str) -> list[dict[str, str]]:
        """The headers of the requests for a path that begins so."""
        return [headers for _, asked, headers in self.requests if asked.startswith(path)]


def view(status: str, **more: Any) -> dict[str, Any]:
    tiles = {"planned": 4, "done": 4 if status == "SUCCESS" else 1, "failed": 0}
    common = {"export_id": ID, "name": "north-field", "status": status, "attempt": 1, "tiles": tiles, "warnings": []}
    return {**common, "created_at": "2026-11-21T06:00:00Z", "percent": 25, "eta_seconds": 30, **more}


def etag(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()  # noqa: S324


def checksum(content: bytes) -> str:
    return base64.b64encode(crc64(content).to_bytes(8, "big")).decode()


@contextmanager
def serving() -> Iterator[tuple[str, Website]]:
    """Its address, and what it does."""
    website = Website()
    handler = type("Handler", (_Handler,), {"website": website})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with in_thread(server) as url:
        yield url, website


class _Handler(BaseHTTPRequestHandler):
    website: Website
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        self.website.requests.append((method, self.path, dict(self.headers)))
        self.website.bodies.append(body)
        place = urlsplit(self.path)
        for trouble in self.website.troubles:
            if place.path.startswith(trouble.path):
                self.website.troubles.remove(trouble)
                if trouble.but_first:
                    trouble.but_first()
                if trouble.after is None:
                    self._misbehave(trouble)
                    return
                self._files(place.path.split("/")[-1], cut=trouble.after)
                return
        if place.path in ("/config", "/oauth2/authorize", "/oauth2/token"):
            getattr(self, f"_{place.path.split('/')[-1]}")(method, place, body)
        elif place.path.startswith("/files/"):
            self._files(place.path.split("/")[-1])
        elif self.headers.get("Authorization", "").removeprefix("Bearer ") not in self.website.valid_tokens:
            self._problem(401, "unauthenticated", "this needs an access token")
        else:
            self._api(method, place.path, parse_qs(place.query), body)

    def _misbehave(self, trouble: Trouble) -> None:
        if not trouble.status:
            self.close_connection = True
            self.connection.close()
            return
        self._answer(trouble.status, trouble.body, trouble.headers)

    def _api(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> None:
        views = self.website.views
        match method, path.strip("/").split("/"):
            case "POST", ["exports"]:
                self._answer(202, views[0])
            case "GET", ["exports"]:
                start, limit = int(query.get("cursor", ["0"])[0]), min(int(query["limit"][0]), 2)
                page = self.website.listed[start : start + limit]
                more = str(start + limit) if start + limit < len(self.website.listed) else None
                self._answer(200, {"exports": page, "cursor": more})
            case "GET", ["exports", export_id] if export_id == ID:
                self._answer(200, views.pop(0) if len(views) > 1 else views[0])
            case "POST", ["exports", _, "cancel"]:
                self._answer(202, view("CANCELLED"))
            case "GET", ["exports", _, "audit"]:
                self._answer(200, {"export_id": ID, "events": self.website.events})
            case "GET", ["exports", _, "download"]:
                self._answer(307, None, {"Location": f"http://{self.headers['Host']}/files/{ID}?signature=x"})
            case _:
                self._problem(404, "not-found", "there is no such thing", pointer="/export_id")

    def _files(self, name: str, cut: int | None = None) -> None:
        content = self.website.files[name]
        first, status = 0, 200
        headers = {"ETag": f'"{etag(content)}"'}
        asked = self.headers.get("Range")
        condition = self.headers.get("If-Range")
        if asked and self.website.honours_ranges and condition in (None, headers["ETag"]):
            first, status = int(asked.removeprefix("bytes=").rstrip("-")), 206
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        part = content[first:]
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(part))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(part[:cut])
        if cut is not None:
            self.close_connection = True

    def _config(self, method: str, place: Any, body: bytes) -> None:
        here = f"http://{self.headers['Host']}"
        told = {"authorize_url": f"{here}/oauth2/authorize", "token_url": f"{here}/oauth2/token"}
        self._answer(200, {**told, "client_id": "cli", "scope": "cutline/exports", "region": "something new"})

    def _authorize(self, method: str, place: Any, body: bytes) -> None:
        """Sends the browser back at once, as for a person who is signed in already."""
        asked = {name: values[0] for name, values in parse_qs(place.query).items()}
        code = secrets.token_hex(4)
        self.website.challenges[code] = asked["code_challenge"]
        back = urlencode({"code": code, "state": asked["state"]})
        self._answer(302, None, {"Location": f"{asked['redirect_uri']}?{back}"})

    def _token(self, method: str, place: Any, body: bytes) -> None:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        given: dict[str, Any] = {"access_token": self.website.token(), "expires_in": self.website.expires_in}
        match form["grant_type"]:
            case "authorization_code":
                made = hashlib.sha256(form["code_verifier"].encode()).digest()
                challenge = base64.urlsafe_b64encode(made).decode().rstrip("=")
                right = self.website.challenges.pop(form["code"], None) == challenge
                given["refresh_token"] = self.website.refreshing
            case "refresh_token":
                right = form["refresh_token"] == self.website.refreshing
            case _:
                basic = base64.b64encode(f"{MACHINE}:{SECRET}".encode()).decode()
                right = self.headers.get("Authorization") == f"Basic {basic}"
        if right:
            self._answer(200, given)
        else:
            self._answer(400, {"error": "invalid_grant"})

    def _problem(self, status: int, code: str, detail: str, **more: Any) -> None:
        told = {"type": "about:blank", "status": status, "title": "No", "code": code, "detail": detail, **more}
        self._answer(status, told, {"Content-Type": "application/problem+json"})

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing."""
