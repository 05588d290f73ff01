"""Web addresses: no redirects, no private neighbours, and never longer than the timeouts.

An address comes out of a STAC item that anyone may have written. Following a redirect, or asking a host that only this
machine can see, would lend the writer our place in the network.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from cutline.errors import CutlineError, InvalidRequest, SourceUnavailable
from cutline.settings import settings
from cutline.store.objects import Peek, check_length

TIMEOUT = 30.0
"""Seconds to wait for a connection, and for each piece of an answer"""

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that may be gone when asked again"""


class WebObjects:
    """``https://`` and ``http://``."""

    def peek(self, href: str, nbytes: int) -> Peek:
        # GET, not HEAD: presigned addresses are signed for GET alone.
        return _get(href, nbytes, {"Range": f"bytes=0-{nbytes - 1}"})

    def read(self, href: str, limit: int) -> bytes:
        return check_length(_get(href, limit + 1, {}).start, limit)


def check_host(href: str) -> None:
    """Refuse an address inside our own network, unless the settings allow those. Raises InvalidRequest.

    The name is looked up again when GDAL connects, so a server of names that changes its answer in between is not
    stopped here; the machine's own rules for outgoing traffic have to.
    """
    if settings().private_hosts:
        return
    place = urlsplit(href)
    try:
        found = socket.getaddrinfo(place.hostname, place.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise SourceUnavailable(f"the host {place.hostname} is not found: {error.strerror}") from error
    for *_, address in found:
        if not ipaddress.ip_address(str(address[0]).split("%", 1)[0]).is_global:
            raise InvalidRequest(
                f"the host {place.hostname} is inside a private network; CUTLINE_PRIVATE_HOSTS=1 allows that"
            )


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def _get(href: str, nbytes: int, headers: dict[str, str]) -> Peek:
    check_host(href)
    request = urllib.request.Request(href, headers=headers)  # noqa: S310 - objects_for() admits http(s) alone
    try:
        with _OPENER.open(request, timeout=TIMEOUT) as answer:
            return Peek(answer.read(nbytes), _identity(answer.headers, answer.status))
    except urllib.error.HTTPError as error:
        if error.code == 416:  # no byte 0 to begin a range with: it is empty
            return Peek(b"", None)
        raise _told(error) from error
    except (OSError, http.client.HTTPException) as error:
        raise SourceUnavailable(f"no answer: {getattr(error, 'reason', None) or error}") from error


def _identity(headers: http.client.HTTPMessage, status: int) -> str | None:
    if etag := headers.get("ETag"):
        return etag.removeprefix("W/").strip('"')
    modified = headers.get("Last-Modified")
    total = headers.get("Content-Range", "").rpartition("/")[2] if status == 206 else headers.get("Content-Length")
    return f"{total}-{modified}" if total and modified else None


def _told(error: urllib.error.HTTPError) -> CutlineError:
    if error.code in TRANSIENT:
        return SourceUnavailable(f"the server answered {error.code} {error.reason}")
    if 300 <= error.code < 400:
        return InvalidRequest("the server redirects elsewhere, which we do not follow; name the address itself")
    return InvalidRequest(f"the server answered {error.code} {error.reason}")
