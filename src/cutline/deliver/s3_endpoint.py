"""The address of another S3 than AWS's, as a user wrote it. It knows no AWS library: the API looks at it, too."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from cutline.errors import InvalidRequest
from cutline.settings import settings

_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*|[0-9A-Fa-f:.]+:[0-9A-Fa-f:.]*")
"""Labels with dots between them, or an address of IPv6: what botocore takes"""


def place_of(endpoint: str) -> tuple[str, int]:
    """Host and port. Raises InvalidRequest for what is not ``https://host``, or ``https://host:port``."""
    wrong = InvalidRequest("the endpoint has to be https://host, or https://host:port")
    try:
        place = urlsplit(endpoint)
        host, port = place.hostname or "", place.port or 443
    except ValueError as error:  # of a port that is no number, or a bracket without its other
        raise wrong from error
    schemes = ("https", "http") if settings().private_hosts else ("https",)
    if place.scheme not in schemes or len(host) > 253 or not _HOST.fullmatch(host) or not endpoint.isprintable():
        raise wrong
    if place.path.strip("/") or place.query or place.fragment or place.username is not None:
        raise InvalidRequest("the endpoint is https://host alone: no path, no query, no user")
    return host, port
