"""A connection to an SFTP server of a user's: its key is the one that was stored, and nothing of this machine's
``~/.ssh`` takes part.

What it raises are our errors; of what the server says, a short text gets into them.
"""

from __future__ import annotations

import base64
import errno
import io
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko
from paramiko.sftp import CMD_EXTENDED, CMD_EXTENDED_REPLY
from paramiko.ssh_exception import IncompatiblePeer

from cutline.errors import BadCredentials, CutlineError, DeliveryRejected, InvalidRequest, TransientError
from cutline.models.destination import SftpSecret, SftpSettings
from cutline.store.guarded import public_address

_TIMEOUT = 30.0
"""Seconds, of each wait"""
_CONNECTING = 5.0
"""Seconds until the line stands"""
OPENING = 20.0
"""Seconds from there to the first file"""
_TOLD = 100
"""Letters of a server's own words that get into ours"""
_KEY_TYPES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
"""A key's type -> the signatures by which it is shown, where those are called otherwise"""
_PRIVATE_KEYS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
_IMPROPER = (paramiko.SFTPError, struct.error, UnicodeDecodeError)
"""What paramiko and we raise where an answer is none"""
_STATVFS = struct.Struct(">11Q")
"""Block size, fragment size, blocks, free, available …: OpenSSH's PROTOCOL, section 4.4"""


class Files(paramiko.SFTPClient):
    """The server's files."""

    def write_at(self, path: str, start: int, content: bytes) -> None:
        """Into a file that is there, by requests that do not wait for each other. Raises what any of them is answered
        with, which paramiko's own pipelining would not tell of the last."""
        with self.open(path, "r+b") as file:
            file.set_pipelined(True)
            file.seek(start)
            file.write(content)
            while file._reqs:  # type: ignore[attr-defined]
                self._read_response(file._reqs.popleft())  # type: ignore[attr-defined]
            file.set_pipelined(False)

    def read_at(self, path: str, start: int, nbytes: int) -> bytes:
        """Fewer where the file ends before."""
        with self.open(path, "rb") as file:
            return b"".join(file.readv([(start, nbytes)])) if nbytes else b""

    def size(self, path: str) -> int | None:
        """Bytes of a file; None where there is none."""
        try:
            return self.stat(path).st_size
        except FileNotFoundError:
            return None

    def room(self, path: str) -> int | None:
        """Bytes that the disk of ``path`` still takes; None where the server does not say."""
        try:
            kind, answer = self._request(CMD_EXTENDED, "statvfs@openssh.com", path)  # type: ignore[attr-defined]
        except OSError as error:
            if _is_lost(error):
                raise
            return None
        if kind != CMD_EXTENDED_REPLY:
            return None
        _, fragment, _, _, available, *_ = _STATVFS.unpack(answer.get_remainder()[: _STATVFS.size])
        return int(fragment * available)

    def replace(self, path: str, target: str) -> None:
        """Rename, whatever had that name before."""
        try:
            self.posix_rename(path, target)
        except OSError as error:
            if error.errno is not None or _is_lost(error):
                raise
            # The server cannot do both at once.
            if self.size(target) is not None:
                self.remove(target)
            self.rename(path, target)

    def make_folders(self, path: str) -> None:
        """All that ``path`` is in."""
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            try:
                self.stat(folder)
            except FileNotFoundError:
                self.mkdir(folder)


@contextmanager
def session(settings: SftpSettings, secret: SftpSecret | None, seconds: float | None = None) -> Iterator[Files]:
    """The files, while the connection lasts: ``seconds``, where they are given. Raises BadCredentials,
    DeliveryRejected and TransientError."""
    with told(settings, "."), _transport(settings) as transport, _within(seconds, transport, settings):
        with _within(OPENING, transport, settings):
            _log_in(transport, settings, secret)
            files = _opened(transport, settings)
        yield files


def _opened(transport: paramiko.Transport, settings: SftpSettings) -> Files:
    try:
        channel = transport.open_session(timeout=_TIMEOUT)
        channel.settimeout(_TIMEOUT)
        channel.invoke_subsystem("sftp")
    except paramiko.SSHException as error:
        if not transport.is_active():
            raise
        raise DeliveryRejected(
            f"{settings.host} lets {settings.username} in, but has no SFTP for it; enable it"
        ) from error
    return Files(channel)


@contextmanager
def _within(seconds: float | None, transport: paramiko.Transport, settings: SftpSettings) -> Iterator[None]:
    """End the connection where what is inside takes longer. paramiko waits for some answers for ever, and a server that
    sends a byte now and then ends no wait. Raises TransientError."""
    if seconds is None:
        yield
        return
    late = threading.Event()

    def end() -> None:
        late.set()
        transport.close()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if late.is_set():  # whatever it was then taken for
            raise TransientError(f"{settings.host} did not do in {seconds:g} s what it was asked; try again") from error
        raise
    finally:
        timer.cancel()


@contextmanager
def told(settings: SftpSettings, path: str) -> Iterator[None]:
    """What the server answers inside, asked for ``path``, leaves as one of our errors."""
    try:
        yield
    except _IMPROPER as error:
        raise DeliveryRejected(
            f"{settings.host} does not speak SFTP as it should: {str(error)[:_TOLD]}; mostly its login prints a text, "
            "which it must not"
        ) from error
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise _told(error, settings, path) from error


def _told(error: Exception, settings: SftpSettings, path: str) -> CutlineError:
    if _is_lost(error):
        what = str(error)[:_TOLD] or type(error).__name__
        return TransientError(f"{settings.host} does not answer: {what}; try again")
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EACCES:
        return BadCredentials(f"{settings.username} may not write {path} on {settings.host}; give it the permission")
    if code == errno.ENOENT:
        return DeliveryRejected(f"{path} is not there any more on {settings.host}; deliver it again")
    return DeliveryRejected(f"{settings.host} refuses {path}: {str(error)[:_TOLD]}")


def _is_lost(error: Exception) -> bool:
    """Whether the connection is no more, which is not an answer of the server."""
    if isinstance(error, ConnectionError | TimeoutError | EOFError | paramiko.SSHException):
        return True
    known = (errno.EACCES, errno.ENOENT)
    return isinstance(error, OSError) and (error.errno not in (None, *known) or str(error) == "Socket is closed")


@contextmanager
def _transport(settings: SftpSettings) -> Iterator[paramiko.Transport]:
    try:
        numeric = public_address(settings.host, settings.port)
    except InvalidRequest as error:
        raise DeliveryRejected(error.message) from error
    connection = socket.create_connection((numeric, settings.port), _CONNECTING)
    # Requests are small and follow each other: none is to wait for the acknowledgement of the one before.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(connection)
    try:
        transport.banner_timeout = transport.auth_timeout = _TIMEOUT
        yield transport
    finally:
        transport.close()


def _log_in(transport: paramiko.Transport, settings: SftpSettings, secret: SftpSecret | None) -> None:
    kind, _, text = settings.host_key.partition(" ")
    transport.get_security_options().key_types = _KEY_TYPES.get(kind, (kind,))
    try:
        transport.start_client(timeout=_TIMEOUT)
    except IncompatiblePeer as error:
        raise BadCredentials(f"{settings.host} has no key of type {kind}; enter one that it has") from error
    shown = transport.get_remote_server_key()
    if shown.asbytes() != _decoded(text):
        raise BadCredentials(
            f"{settings.host} shows another key than the one that is stored, {shown.fingerprint}; if its owner has "
            "changed it, enter the new one"
        )
    try:
        _authenticate(transport, settings, secret)
    except paramiko.BadAuthenticationType as error:
        takes = " or ".join(error.allowed_types)[:_TOLD]
        raise BadCredentials(f"{settings.host} takes no {_means(secret)}; enter what it takes: {takes}") from error
    except paramiko.AuthenticationException as error:
        raise BadCredentials(
            f"{settings.host} does not let {settings.username} in by this {_means(secret)}; enter the right one"
        ) from error


def _authenticate(transport: paramiko.Transport, settings: SftpSettings, secret: SftpSecret | None) -> None:
    if secret is None or (secret.password is None and secret.private_key is None):
        raise BadCredentials("there is neither a password nor a private key; enter one")
    if secret.private_key is not None:
        transport.auth_publickey(settings.username, _private_key(secret.private_key.get_secret_value()))
    elif secret.password is not None:
        transport.auth_password(settings.username, secret.password.get_secret_value())


def _means(secret: SftpSecret | None) -> str:
    return "private key" if secret and secret.private_key else "password"


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise BadCredentials("the host key is not Base64; copy it as ssh-keyscan prints it") from error


def _private_key(text: str) -> paramiko.PKey:
    for kind in _PRIVATE_KEYS:
        try:
            return kind.from_private_key(io.StringIO(text))
        except paramiko.PasswordRequiredException as error:
            raise BadCredentials("the private key has a passphrase; enter one without") from error
        except (paramiko.SSHException, ValueError, IndexError):
            continue
    raise BadCredentials("the private key is none that we can read; enter Ed25519, ECDSA or RSA in OpenSSH's format")
