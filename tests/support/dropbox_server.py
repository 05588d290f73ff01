"""A stand-in for Dropbox: the documented calls that deliveries make, on loopback, by TLS, under Dropbox's own names.

What the calls do is in dropbox_account.py; here are HTTP and what all calls have in common: bearer tokens, the
permission of each, content hashes, requests of at most 150 MB. ``plain`` is no call of Dropbox's: it takes bytes and
forgets them, for benchmarks. ``dropbox_server`` is the fixture.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import secrets
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from dropbox.content_hash import content_hash

from tests.support.dropbox_account import SCOPES, Account, Refused
from tests.support.loopback import in_thread

HOSTS = ("api.dropboxapi.com", "content.dropboxapi.com", "www.dropbox.com")
LARGEST = 150 * 1024 * 1024


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    account: Account
    lock: threading.Lock

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        route = self.path.removeprefix("/2/").lstrip("/")
        with self.lock:
            self._answer(route, body)

    def _answer(self, route: str, body: bytes) -> None:
        account = self.account
        account.arrive(route)
        fault = account.fault(route)
        if fault is None or fault.acted:
            try:
                status, answer = 200, self._act(route, body)
            except Refused as refused:
                status, answer = refused.status, refused.error
                if route != "oauth2/token":
                    answer = {"error_summary": "told by the stand-in/", "error": answer}
            if fault is None:
                self._send(status, answer, {})
                return
        if fault.status is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        error = fault.error if isinstance(fault.error, str) else {"error_summary": "a fault/", "error": fault.error}
        self._send(fault.status, error, fault.headers)

    def _act(self, route: str, body: bytes) -> Any:
        if route == "oauth2/token":
            form = dict(urllib.parse.parse_qsl(body.decode()))
            self.account.calls.append((route, form["grant_type"]))
            return self.account.token(form)
        if route == "plain":
            return None
        upload = self.headers["Content-Type"] == "application/octet-stream"
        argument = json.loads(self.headers["Dropbox-API-Arg"] if upload else body)
        self.account.calls.append((route, argument))
        if self.headers["Host"].split(".")[0] != ("content" if upload else "api"):
            raise Refused(404, {".tag": "other"})
        self._check_token(route)
        if upload and len(body) > LARGEST:
            raise Refused(409, {".tag": "payload_too_large"})
        wanted = argument.get("content_hash") if upload else None
        if wanted is not None and wanted != content_hash(body):
            raise Refused(409, {".tag": "content_hash_mismatch"})
        return getattr(self.account, route.replace("/", "_"))(argument, body)

    def _check_token(self, route: str) -> None:
        token = self.headers["Authorization"].removeprefix("Bearer ")
        if token in self.account.expired:
            raise Refused(401, {".tag": "expired_access_token"})
        refresh = self.account.access_tokens.get(token)
        if refresh not in self.account.refresh_tokens:
            raise Refused(401, {".tag": "invalid_access_token"})
        if SCOPES[route] not in self.account.refresh_tokens[refresh]:
            raise Refused(401, {".tag": "missing_scope", "required_scope": SCOPES[route]})

    def _send(self, status: int, answer: Any, headers: dict[str, str]) -> None:
        plain = isinstance(answer, str)
        content = answer.encode() if plain else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8" if plain else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Dropbox-Request-Id", secrets.token_hex(8))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def serving(account: Account, folder: Path) -> Iterator[int]:
    """``account`` on a port of loopback. ``folder``/ca.pem is then who vouches for it."""
    handler = type("Handler", (_Handler,), {"account": account, "lock": threading.Lock()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(folder))
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with in_thread(server):
        yield server.server_port


def _certificate(folder: Path) -> Path:
    """For ``HOSTS`` and loopback, vouched for by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a stand-in for Dropbox")])
    now = dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(host) for host in HOSTS]
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([*names, loopback]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    both, ca = folder / "server.pem", folder / "ca.pem"
    ca.write_bytes(certificate.public_bytes(pem))
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    both.write_bytes(plain + ca.read_bytes())
    return both


def lead_there(port: int, ca: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections of this process to Dropbox's hosts end at ``port``. The SDK is untouched, TLS included."""
    from urllib3.util import connection

    connect = connection.create_connection

    def reroute(address: tuple[str, int], *rest: Any, **options: Any) -> socket.socket:
        return connect(("127.0.0.1", port) if address[0] in HOSTS else address, *rest, **options)

    monkeypatch.setattr(connection, "create_connection", reroute)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca))
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def dropbox_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Account]:
    """Dropbox, as this process sees it."""
    account = Account()
    with serving(account, tmp_path) as port:
        lead_there(port, tmp_path / "ca.pem", monkeypatch)
        yield account
