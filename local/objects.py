"""S3's front: who may have an object, and pieces of large ones without reading the whole."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

from moto.s3.models import FakeKey, S3Backend, s3_backends
from werkzeug.wrappers import Request, Response

from cutline.cog.checksum import crc64_text
from cutline.kernel import crc64
from local.aws import ACCOUNT, REGION
from local.posting import Forms
from local.signatures import ALGORITHM, Refused, raw_path

PIECE = 2**20
"""Bytes that are read at once"""

PLAIN = frozenset({"versionId", "partNumber"})
"""Queries of a GET or HEAD that is for the object itself, as are those that begin with x-; others are for its tags, its
uploads, …"""

CRC64 = "x-amz-checksum-crc64nvme"

OVERRIDES = {
    "response-content-type": "content-type",
    "response-content-language": "content-language",
    "response-content-disposition": "content-disposition",
    "response-content-encoding": "content-encoding",
    "response-cache-control": "cache-control",
    "response-expires": "expires",
}
"""What a signed link may have the answer say"""

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, PUT, POST",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Expose-Headers": "*",
}

INSIDE = f"{ALGORITHM} Credential=inside/20200101/{REGION}/s3/aws4_request, SignedHeaders=host, Signature=0"
"""So moto takes a request that we let pass for one with rights, and for S3"""

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Objects:
    """In front of moto's S3."""

    def __init__(self, aws: Wsgi, forms: Forms, public: frozenset[str]) -> None:
        """``public``: buckets that anybody may read."""
        self._aws, self._forms, self._public = aws, forms, public

    @staticmethod
    def has(bucket: str) -> bool:
        return bucket in backend().buckets

    def unsigned(self, request: Request) -> Response | Wsgi:
        """A request for a bucket that no one has signed."""
        bucket = request.path.strip("/").partition("/")[0]
        if request.method == "OPTIONS":
            return Response(status=200, headers=CORS)
        if request.method == "POST" and request.mimetype == "multipart/form-data":
            try:
                return self._forms.take(bucket, request)
            except Refused as refused:
                return refusal(refused)
        if bucket in self._public and request.method in ("GET", "HEAD"):
            return self.allowed(request)
        return refusal(Refused("AccessDenied", "Access Denied: the request is not signed"))

    def allowed(self, request: Request) -> Response | Wsgi:
        """A request whose sender may do it."""
        # moto would check what a link's query says in its own way.
        request.environ["HTTP_AUTHORIZATION"] = request.headers.get("Authorization") or INSIDE
        bucket, _, name = unquote(raw_path(request)).lstrip("/").partition("/")
        plain = all(key in PLAIN or key in OVERRIDES or key.lower().startswith("x-") for key in request.args)
        if request.method in ("GET", "HEAD") and name and plain and "partNumber" not in request.args:
            return self._read(request, bucket, name) or self._aws
        return self._aws

    def _read(self, request: Request, bucket: str, name: str) -> Response | None:
        """The object or a piece of it; None where moto has something else to say."""
        status, headers = self._head(request)
        if status != 200:
            return None
        key = backend().get_object(bucket, name, version_id=request.args.get("versionId"))
        if key is None:
            return None
        headers = {name.lower(): value for name, value in headers.items()} | {"accept-ranges": "bytes"}
        headers |= {header: request.args[query] for query, header in OVERRIDES.items() if query in request.args}
        headers |= {name.lower(): value for name, value in CORS.items()}
        wanted = _range(request, key.size, headers)
        if wanted is None:
            start, stop, status = 0, key.size, 200
            if CRC64 in headers:  # moto without awscrt puts a CRC-32 there
                crc = functools.reduce(lambda crc, piece: crc64(piece, crc), _pieces(key, start, stop), 0)
                headers[CRC64] = crc64_text(crc)
        elif wanted.start >= wanted.stop:
            refused = refusal(Refused("InvalidRange", "The requested range is not satisfiable", 416))
            refused.headers["Content-Range"] = f"bytes */{key.size}"
            return refused
        else:
            start, stop, status = wanted.start, wanted.stop, 206
            headers["content-range"] = f"bytes {start}-{stop - 1}/{key.size}"
            headers = {name: value for name, value in headers.items() if not name.startswith("x-amz-checksum-")}
        headers["content-length"] = str(stop - start)
        pieces = _pieces(key, start, stop) if request.method == "GET" else ()
        return Response(pieces, status, headers, direct_passthrough=True)

    def _head(self, request: Request) -> tuple[int, dict[str, str]]:
        """What moto says of the object, with all conditions but the range."""
        said: list[Any] = []
        environ = {key: value for key, value in request.environ.items() if key not in ("HTTP_RANGE", "HTTP_IF_RANGE")}
        environ |= {"REQUEST_METHOD": "HEAD"}
        if mode := request.args.get("x-amz-checksum-mode"):  # S3 takes it from the query of a signed address, too
            environ["HTTP_X_AMZ_CHECKSUM_MODE"] = mode
        closing = self._aws(environ, lambda status, headers, *_: said.extend([int(status.split()[0]), dict(headers)]))
        for _ in closing:
            pass
        return said[0], said[1]


def backend() -> S3Backend:
    return s3_backends[ACCOUNT]["aws"]


def refusal(refused: Refused) -> Response:
    """In S3's words."""
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{escape(refused.code)}</Code>'
        f"<Message>{escape(refused.message)}</Message></Error>"
    )
    return Response(body, refused.status, CORS, content_type="application/xml")


def _range(request: Request, size: int, headers: dict[str, str]) -> range | None:
    """The bytes that are wanted, which may be none at all; None for the whole."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range", "").replace(" ", ""))
    if found is None or found[0] == "bytes=-" or not _unchanged(request.headers.get("If-Range"), headers):
        return None
    first, last = found[1], found[2]
    if not first:
        return range(max(size - int(last), 0), size) if int(last) else range(0)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)


def _unchanged(condition: str | None, headers: dict[str, str]) -> bool:
    """Whether an If-Range holds: by entity tag, exactly, or by date."""
    if condition is None or condition.startswith('"'):
        return condition is None or condition == headers.get("etag")
    try:
        return parsedate_to_datetime(condition) == parsedate_to_datetime(headers["last-modified"])
    except (ValueError, KeyError):
        return False


def _pieces(key: FakeKey, start: int, stop: int) -> Iterator[bytes]:
    """From the key's buffer, which others read as well."""
    while start < stop:
        with key.lock:
            key._value_buffer.seek(start)
            piece = key._value_buffer.read(min(PIECE, stop - start))
        if not piece:
            return
        start += len(piece)
        yield piece
