"""The receivers of webhooks: hosts that users name, asked once, pinned to a public address, without redirects."""

from __future__ import annotations

import functools
import http.client
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from cutline.errors import InvalidRequest, SourceUnavailable
from cutline.settings import settings
from cutline.store.guarded import Pace, PacedAnswer, connect, public_address

PACE = Pace(seconds=15, timeout=10)
"""A receiver is to take an event, not to work on it"""
HTTPS = 443
_SCHEMES = {False: ("https",), True: ("https", "http")}
"""By whether private hosts are asked: who tries it on one machine has no certificates"""


def check_receiver(url: str) -> None:
    """Raise InvalidRequest where ``url`` is none that we may send to."""
    place = _place(url)
    try:
        public_address(str(place.hostname), place.port or HTTPS)
    except SourceUnavailable as error:
        raise InvalidRequest(error.message) from error


def post(url: str, content: bytes, headers: Mapping[str, str]) -> int:
    """The status that the receiver answers with; what else it says is not read.

    Raises InvalidRequest where it is no place to send to, and SourceUnavailable where it does not answer in time.
    """
    place = _place(url)
    connection = connect(place.scheme, str(place.hostname), place.port, PACE.timeout)
    connection.response_class = functools.partial(PacedAnswer, pace=PACE)  # type: ignore[assignment]
    try:
        target = (place.path or "/") + (f"?{place.query}" if place.query else "")
        connection.request("POST", target, content, {"User-Agent": "cutline", **headers})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise SourceUnavailable(f"no answer: {error or type(error).__name__}") from error
    finally:
        connection.close()


def _place(url: str) -> SplitResult:
    try:
        place = urlsplit(url)
        port = place.port
    except ValueError as error:
        raise InvalidRequest(f"this is no address: {error}") from error
    if place.scheme not in _SCHEMES[settings().private_hosts] or not place.hostname or port == 0:
        raise InvalidRequest("a webhook's address begins with https:// and a host")
    if place.username or place.password or place.fragment:
        raise InvalidRequest("a webhook's address has neither user, password nor fragment")
    if not url.isascii() or any(letter <= " " or letter == "\x7f" for letter in url):
        raise InvalidRequest("a webhook's address is plain ASCII without spaces; escape other letters (%C3%A9)")
    return place
