"""A web server on loopback that serves ranges and remembers what it was asked."""

from __future__ import annotations

import http.server
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Site:
    """A web server on loopback that serves ``files`` by ranges, and remembers what it was asked."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    """path -> statuses to answer with first"""
    redirect_when: Callable[[str, int], bool] = lambda path, nth: False
    requests: list[tuple[str, str]] = field(default_factory=list)
    ranges: bool = True
    etag: str = '"v1"'

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0].lstrip("/")
        self.requests.append((handler.command, path))
        nth = sum(asked == path for _, asked in self.requests)
        if path in self.redirects and self.redirect_when(path, nth):
            self._send(handler, 302, b"", {"Location": self.redirects[path]})
        elif self.statuses.get(path):
            self._send(handler, self.statuses[path].pop(0), b"", {})
        elif path not in self.files:
            self._send(handler, 404, b"", {})
        elif (condition := handler.headers.get("If-Match")) and condition != self.etag:
            self._send(handler, 412, b"", {})
        else:
            self._send_file(handler, self.files[path])

    def _send_file(self, handler: http.server.BaseHTTPRequestHandler, content: bytes) -> None:
        asked = handler.headers.get("Range")
        if not asked or not self.ranges:
            self._send(handler, 200, content, {"ETag": self.etag})
            return
        first, last = (int(end) for end in asked.removeprefix("bytes=").split("-"))
        piece = content[first : last + 1]
        place = f"bytes {first}-{first + len(piece) - 1}/{len(content)}"
        self._send(handler, 206, piece, {"ETag": self.etag, "Content-Range": place})

    @staticmethod
    def _send(
        handler: http.server.BaseHTTPRequestHandler, status: int, content: bytes, headers: dict[str, str]
    ) -> None:
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)
