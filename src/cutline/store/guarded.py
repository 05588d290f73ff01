"""Hosts that other people name: none but public ones are asked, at the numeric address that was looked at, and none may
hold us by sending a byte now and then.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import ipaddress
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cutline.errors import InvalidRequest, SourceUnavailable
from cutline.settings import settings

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PRIVATE = tuple(
    map(
        ipaddress.ip_network,
        ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    )
)
"""Loopback, RFC 1918, and the unique local addresses of RFC 4193"""
METADATA = tuple(map(ipaddress.ip_network, ("fd00:ec2::/32", "fd20:ce::254/128", "168.63.129.16/32")))
"""Where AWS, Google and Azure tell a machine its secrets, besides link-local addresses"""
EMBEDDING = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "::/96")))
"""Whose last 32 bits are an IPv4 address"""


def connect(scheme: str, host: str, port: int | None, timeout: float) -> http.client.HTTPConnection:
    """A connection to ``host``, made when it is first used, whose numeric address was checked and stays the same.

    Raises as ``public_address``. ``timeout``: seconds, of each wait.
    """
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    port = port or kind.default_port
    try:
        connection = kind(host, port, timeout=timeout)
    except http.client.InvalidURL as error:
        raise InvalidRequest(f"{host!r} is no name of a host") from error
    numeric = public_address(host, port)
    # http.client asks this for its socket; TLS still checks the certificate against the name.
    connection._create_connection = (  # type: ignore[attr-defined]
        lambda address, *rest: socket.create_connection((numeric, address[1]), *rest)
    )
    return connection


def public_address(hostname: str, port: int) -> str:
    """The numeric address of ``hostname``. Raises InvalidRequest where it is none that we may ask, and
    SourceUnavailable where it has none now."""
    try:
        found = socket.getaddrinfo(hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # the latter of a name that cannot be one
        raise SourceUnavailable(f"the host {hostname} is not found: {getattr(error, 'strerror', error)}") from error
    addresses = [str(address[0]) for *_, address in found]
    kinds = set(map(_kind, addresses))
    if "special" in kinds:
        raise InvalidRequest(
            f"the host {hostname} is link-local, a metadata service or no single host; it is never asked"
        )
    if "private" in kinds and not settings().private_hosts:
        raise InvalidRequest(f"the host {hostname} is inside a private network; CUTLINE_PRIVATE_HOSTS=1 allows that")
    return addresses[0]


def _kind(address: str) -> Literal["public", "private", "special"]:
    """Private are loopback and the networks that people number for themselves; special is what is neither."""
    with contextlib.suppress(ValueError):
        ip = ipaddress.ip_address(address.split("%", 1)[0])
        if isinstance(ip, ipaddress.IPv6Address):
            ip = ip.ipv4_mapped or ip.sixtofour or _embedded(ip) or ip
        if any(ip in network for network in METADATA) or ip.is_multicast:
            return "special"
        if any(ip in network for network in PRIVATE):
            return "private"
        if ip.is_global:
            return "public"
    return "special"


def _embedded(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """That a NAT64 (RFC 6052) or the old form of ::a.b.c.d (RFC 4291) leads to; None for ::1, which is none."""
    if any(ip in network for network in EMBEDDING) and int(ip) > 1:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return None


@dataclass(frozen=True)
class Pace:
    """What an answer has to keep up."""

    seconds: float
    """In which it has to be there"""
    timeout: float
    """Seconds to wait for each piece of it"""
    least_rate: int = 0
    """Bytes a second, over any ``timeout`` of its time once it has begun"""


class PacedAnswer(http.client.HTTPResponse):
    """An answer that comes in time or raises SourceUnavailable, its status and headers included. For a connection's
    ``response_class``, as a partial with its ``pace``."""

    def __init__(self, sock: socket.socket, *rest: object, pace: Pace, **options: object) -> None:
        super().__init__(sock, *rest, **options)  # type: ignore[arg-type]
        self.fp = io.BufferedReader(_Paced(self.fp.detach(), sock, pace))


class _Paced(io.RawIOBase):
    """What ``sock`` receives, while it comes fast enough."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, pace: Pace) -> None:
        self._raw, self._sock, self._pace = raw, sock, pace
        self._deadline = time.monotonic() + pace.seconds
        self._since: float | None = None
        """When the bytes in ``_came`` began to come"""
        self._came = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        left = self._deadline - time.monotonic()
        late = SourceUnavailable(f"the answer is not complete after {self._pace.seconds:.0f} s")
        if left <= 0:
            raise late
        self._sock.settimeout(min(self._pace.timeout, left))
        try:
            nbytes = self._raw.readinto(buffer)
        except TimeoutError as error:
            if left < self._pace.timeout:
                raise late from error
            raise
        self._check_rate(nbytes or 0)
        return nbytes

    def close(self) -> None:
        self._raw.close()
        super().close()

    def _check_rate(self, nbytes: int) -> None:
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        self._came += nbytes
        seconds = now - self._since
        if seconds < self._pace.timeout:
            return
        if self._came < self._pace.least_rate * seconds:
            raise SourceUnavailable(f"the server is too slow: {self._came} bytes in {seconds:.0f} s")
        self._since, self._came = now, 0
