"""An S3 that forgets what it is sent: of each part it keeps the size and the digests that S3 would answer with."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from cutline.cog.checksum import crc64_text
from cutline.kernel import crc64, crc64_joined
from tests.support.loopback import in_thread

PIECE = 1 << 20
UPLOAD = "1"
"""Its only one"""


class _Taken(NamedTuple):
    nbytes: int
    crc: int
    etag: str


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    parts: dict[int, _Taken]
    whole: dict[str, _Taken]

    def do_POST(self) -> None:
        if self._take() is None:
            return
        if "uploads" in self._query:
            self._say(f"<InitiateMultipartUploadResult><UploadId>{UPLOAD}</UploadId></InitiateMultipartUploadResult>")
            return
        nbytes, crc = 0, 0
        for _, part in sorted(self.parts.items()):
            nbytes, crc = nbytes + part.nbytes, crc64_joined(crc, part.crc, part.nbytes)
        if self.headers.get("x-amz-checksum-crc64nvme", crc64_text(crc)) != crc64_text(crc):
            self._say("<Error><Code>BadDigest</Code></Error>", status=400)
            return
        etag = f"whole-{len(self.parts)}"
        self.whole[self._key] = _Taken(nbytes, crc, etag)
        self.parts.clear()
        self._say(f"<CompleteMultipartUploadResult><ETag>{etag}</ETag></CompleteMultipartUploadResult>")

    def do_PUT(self) -> None:
        if (taken := self._take()) is None:
            return
        if "partNumber" in self._query:
            self.parts[int(self._query["partNumber"][0])] = taken
        else:
            self.whole[self._key] = taken
        self._say("", ETag=f'"{taken.etag}"')

    def do_GET(self) -> None:
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{part.etag}</ETag><Size>{part.nbytes}</Size></Part>"
            for number, part in sorted(self.parts.items())
        )
        self._say(f"<ListPartsResult><IsTruncated>false</IsTruncated>{listed}</ListPartsResult>")

    def do_HEAD(self) -> None:
        if (found := self.whole.get(self._key)) is None:
            self._say("", status=404)
            return
        self._say("", nbytes=found.nbytes, ETag=found.etag, **{"x-amz-checksum-crc64nvme": crc64_text(found.crc)})

    @property
    def _key(self) -> str:
        return urlsplit(self.path).path

    @property
    def _query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query, keep_blank_values=True)

    def _take(self) -> _Taken | None:
        """The body; None where it was cut off, or is not what its MD5 says, which is answered then."""
        if self.headers.get("Expect"):
            self.send_response_only(100)
            self.end_headers()
        left = nbytes = int(self.headers.get("Content-Length", 0))
        md5, crc = hashlib.md5(usedforsecurity=False), 0
        while left and (piece := self.rfile.read(min(left, PIECE))):
            md5.update(piece)
            crc = crc64(piece, crc)
            left -= len(piece)
        if left:
            self.close_connection = True
            return None
        found = base64.b64encode(md5.digest()).decode()
        if self.headers.get("Content-MD5", found) != found:
            self._say("<Error><Code>BadDigest</Code></Error>", status=400)
            return None
        return _Taken(nbytes, crc, md5.hexdigest())

    def _say(self, told: str, status: int = 200, nbytes: int | None = None, **headers: str) -> None:
        content = told.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if nbytes is None else nbytes))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        return


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Clients are killed in the midst of a sentence."""


@contextmanager
def serving() -> Iterator[int]:
    """Its port on loopback."""
    handler = type("Handler", (_Handler,), {"parts": {}, "whole": {}})
    server = _Server(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    with in_thread(server):
        yield server.server_port
