"""Web addresses: no redirects, no private neighbours, no endless answers, and one content throughout.

An address comes out of a STAC item that anyone may have written. Following a redirect, or asking a host that only this
machine can see, would lend the writer our place in the network. GDAL's own reader follows redirects and looks names up
again for each connection, and no option stops it; so GDAL reads the web through ``RangeFile``, and curl stays idle.

A server that sends a byte now and then keeps every timeout of a socket, and would hold us for hours. So each answer,
from its first line on, has to keep up a rate and to end by a time that follows from its size.
"""

from __future__ import annotations

import functools
import http.client
import io
import time
from collections import OrderedDict
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

from cutline.errors import CutlineError, InvalidRequest, SourceUnavailable, TransientError
from cutline.store.guarded import Pace, PacedAnswer, connect
from cutline.store.objects import Peek, check_length

TIMEOUT = 30.0
"""Seconds to wait for a connection, and for each piece of an answer"""
LEAST_RATE = 1000
"""Bytes a second that an answer has to keep up over any ``TIMEOUT`` of its time, once it has begun"""
LONGEST = 60.0
"""Seconds in which an answer has to be there, and as much more as its bytes take at ``USUAL_RATE``"""
USUAL_RATE = 16 * 1024
"""Bytes a second"""
ATTEMPTS = 4
FIRST_DELAY = 0.5
"""Seconds before the second attempt, doubled before each further one"""

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that may be gone when asked again"""

PAGE = 64 * 1024
"""Bytes. Ranges are whole pages: most TIFF headers are one"""
PAGES = 512
"""Pages kept for each open file, 32 MiB"""


class WebObjects:
    """``https://`` and ``http://``."""

    def peek(self, href: str, nbytes: int) -> Peek:
        with _Host(href) as host:
            # GET, not HEAD: presigned addresses are signed for GET alone.
            start, headers = host.get(nbytes, first=0)
        return Peek(start, _identity(headers))

    def read(self, href: str, limit: int) -> bytes:
        with _Host(href) as host:
            return check_length(host.get(limit + 1)[0], limit)


def ask(href: str, limit: int, content: bytes | None = None) -> bytes:
    """What a web service answers, at most ``limit`` bytes; ``content`` is JSON to POST. Raises as ``Objects.read``."""
    with _Host(href) as host:
        return check_length(host.get(limit + 1, content=content)[0], limit)


class WebFiles:
    """Opens web addresses under short names, for GDAL, which cannot take an exception: what failed is kept here."""

    def __init__(self, hrefs: dict[str, str]) -> None:
        self._hrefs = hrefs
        self.failure: CutlineError | None = None
        """The first thing that went wrong"""

    def __call__(self, name: str, mode: str = "rb", **_: object) -> io.RawIOBase:
        if name not in self._hrefs or mode != "rb":
            raise FileNotFoundError(name)
        try:
            return _Quiet(RangeFile(self._hrefs[name]), self)
        except CutlineError as error:
            self.failure = self.failure or error
            raise FileNotFoundError(name) from error


class _Quiet(io.RawIOBase):
    """A file that ends where reading it fails. Once failed, it stays at its end, so that nothing looks complete."""

    def __init__(self, file: RangeFile, files: WebFiles) -> None:
        self._file = file
        self._files = files
        self.tell, self.seek = file.tell, file.seek  # type: ignore[method-assign]

    def read(self, nbytes: int | None = -1) -> bytes:
        if self._files.failure is None:
            try:
                return self._file.read(nbytes)
            except CutlineError as error:
                self._files.failure = error
        return b""

    def close(self) -> None:
        self._file.close()
        super().close()


class RangeFile(io.RawIOBase):
    """A web address as a file that can be read anywhere, by ranges. It fails if the content changes meanwhile."""

    def __init__(self, href: str) -> None:
        self._host = _Host(href)
        self._pages: OrderedDict[int, bytes] = OrderedDict()
        self._place = 0
        start, headers = self._host.get(PAGE, first=0)
        total = headers.get("Content-Range", "").rpartition("/")[2]
        if not total.isdigit():
            raise InvalidRequest("the server does not serve ranges of a file")
        self._nbytes = int(total)
        self._etag = headers.get("ETag")
        self._keep(0, start)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._nbytes}[whence]
        return self._place

    def read(self, nbytes: int | None = -1) -> bytes:
        stop = self._nbytes if nbytes is None or nbytes < 0 else min(self._place + nbytes, self._nbytes)
        if stop <= self._place:
            return b""
        first, last = self._place // PAGE, (stop - 1) // PAGE
        pages = self._fetch(first, last)
        content = b"".join(pages)[self._place - first * PAGE : stop - first * PAGE]
        self._place = stop
        return content

    def close(self) -> None:
        self._host.close()
        super().close()

    def _fetch(self, first: int, last: int) -> list[bytes]:
        """Pages ``first`` to ``last``, those that are missing by one request."""
        missing = [number for number in range(first, last + 1) if number not in self._pages]
        fetched: dict[int, bytes] = {}
        if missing:
            begin, end = missing[0] * PAGE, min((missing[-1] + 1) * PAGE, self._nbytes)
            content, _ = self._host.get(end - begin, first=begin, etag=self._etag)
            if len(content) != end - begin:
                raise SourceUnavailable(f"the server sent {len(content)} bytes where {end - begin} were asked for")
            fetched = {missing[0] + i // PAGE: content[i : i + PAGE] for i in range(0, len(content), PAGE)}
        pages = [fetched[number] if number in fetched else self._pages[number] for number in range(first, last + 1)]
        for number, page in fetched.items():
            self._keep(number, page)
        return pages

    def _keep(self, number: int, page: bytes) -> None:
        self._pages[number] = page
        while len(self._pages) > PAGES:
            self._pages.popitem(last=False)


class _Host:
    """A connection to the host of one address, whose numeric address was checked and stays the same."""

    def __init__(self, href: str) -> None:
        place = urlsplit(href)
        assert place.hostname is not None  # noqa: S101 - imagery.hrefs admits no other
        self._connection = connect(place.scheme, place.hostname, place.port, TIMEOUT)
        # Spaces and letters beyond ASCII are escaped, existing escapes and signatures left as they are.
        self._target = quote(f"{place.path}{'?' if place.query else ''}{place.query}", safe="/%?=&:;@!$'()*+,~[]-._")

    def __enter__(self) -> _Host:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def get(
        self, nbytes: int, *, first: int | None = None, etag: str | None = None, content: bytes | None = None
    ) -> tuple[bytes, http.client.HTTPMessage]:
        """At most ``nbytes`` from byte ``first`` (None: of the whole, without asking for a range), and the headers.
        With ``content``, which is JSON, it is a POST."""
        headers = {"User-Agent": "cutline", "Accept-Encoding": "identity"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        if first is not None:
            headers["Range"] = f"bytes={first}-{first + nbytes - 1}"
        if etag and not etag.startswith("W/"):
            headers["If-Match"] = etag
        for delay in _delays():
            try:
                return self._ask(nbytes, first, headers, content)
            except TransientError:
                if delay is None:
                    raise
                time.sleep(delay)
        raise AssertionError("unreachable")

    def _ask(
        self, nbytes: int, first: int | None, headers: dict[str, str], content: bytes | None
    ) -> tuple[bytes, http.client.HTTPMessage]:
        pace = Pace(LONGEST + nbytes / USUAL_RATE, TIMEOUT, LEAST_RATE)
        self._connection.response_class = functools.partial(PacedAnswer, pace=pace)  # type: ignore[assignment]
        try:
            if self._connection.sock is not None:  # the last answer may have left it little time
                self._connection.sock.settimeout(TIMEOUT)
            method = "GET" if content is None else "POST"
            self._connection.request(method, self._target, content, headers)
            answer = self._connection.getresponse()
            if first and answer.status == 200:
                raise InvalidRequest("the server does not serve ranges of a file")
            if answer.status == 416 and not first:  # no byte 0 to begin a range with: it is empty
                return b"", answer.headers
            if answer.status not in (200, 206):
                raise _told(answer)
            answered = answer.read(nbytes)
            if not answer.isclosed():  # more than we want: let it go, with the connection
                self._connection.close()
            return answered, answer.headers
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise SourceUnavailable(f"no answer: {error or type(error).__name__}") from error
        except CutlineError:
            self._connection.close()
            raise


def _delays() -> Iterator[float | None]:
    """Seconds to wait after each failed attempt; None after the last."""
    yield from (FIRST_DELAY * 2**attempt for attempt in range(ATTEMPTS - 1))
    yield None


def _identity(headers: http.client.HTTPMessage) -> str | None:
    if etag := headers.get("ETag"):
        return etag.removeprefix("W/").strip('"')
    modified = headers.get("Last-Modified")
    total = headers.get("Content-Range", "").rpartition("/")[2] or headers.get("Content-Length")
    return f"{total}-{modified}" if total and modified else None


def _told(answer: http.client.HTTPResponse) -> CutlineError:
    if answer.status in TRANSIENT:
        return SourceUnavailable(f"the server answered {answer.status} {answer.reason}")
    if answer.status == 412:
        return InvalidRequest("its content has changed since it was opened")
    if 300 <= answer.status < 400:
        return InvalidRequest("the server redirects elsewhere, which we do not follow; name the address itself")
    return InvalidRequest(f"the server answered {answer.status} {answer.reason}")
