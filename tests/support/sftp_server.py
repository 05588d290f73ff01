"""An SFTP server on loopback, by paramiko's own server side: files of a folder, a full disk, cut lines, missing words.

from tests.support.sftp_server import SftpServer, sftp_server   # the fixture
def test_…(sftp_server: SftpServer): (sftp_server.root / "field.tif").read_bytes()
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko import SFTP_FAILURE, SFTP_OK, SFTP_OP_UNSUPPORTED, SFTP_PERMISSION_DENIED, SFTPAttributes
from paramiko.message import Message
from paramiko.sftp import CMD_EXTENDED, CMD_EXTENDED_REPLY, CMD_WRITE
from pydantic import SecretStr

from cutline.deliver.sftp import SftpTarget
from cutline.models.destination import SftpSecret, SftpSettings
from tests.support.aws import surround

USER, PASSWORD = "field", "their-password-canary"
FRAGMENT = 4096
"""Bytes in which the room of a disk is counted"""


@dataclass
class SftpServer:
    """What is there, and how it behaves."""

    root: Path
    port: int = 0
    host_key: paramiko.PKey = field(default_factory=lambda: paramiko.ECDSAKey.generate(bits=256))
    client_key: paramiko.PKey = field(default_factory=lambda: paramiko.ECDSAKey.generate(bits=256))
    """That USER may log in with"""
    passwords: bool = True
    """Whether it takes them"""
    auths: str = "publickey"
    """What it takes beside them"""
    disk: int | None = None
    """Bytes that all files may have together; None: no end"""
    tells_room: bool = True
    renames_over: bool = True
    """Whether it can rename to a name that is taken (posix-rename@openssh.com)"""
    writable: bool = True
    cut_after: int | None = None
    """Writes after which the line is cut"""
    silent: bool = False
    """Whether it lets one in and then says no more"""
    subsystem: bytes | None = None
    """What its login prints instead of speaking SFTP; b"": there is no SFTP"""
    damages: bool = False
    """Whether it stores zeros instead of what it gets"""
    written: int = 0
    """Bytes that it took"""
    over: threading.Event = field(default_factory=threading.Event)
    """When the test is"""

    def target(self, **more: Any) -> SftpTarget:
        return SftpTarget(self.settings(**more), self.secret(), "")

    def settings(self, **more: Any) -> SftpSettings:
        key = f"{self.host_key.get_name()} {self.host_key.get_base64()}"
        told = {"host": "127.0.0.1", "port": self.port, "username": USER, "host_key": key, "prefix": "exports/{date}"}
        return SftpSettings.model_validate({**told, **more})

    def secret(self) -> SftpSecret:
        return SftpSecret(password=SecretStr(PASSWORD))

    def names(self) -> list[str]:
        """All files, below the root."""
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())

    def left(self) -> int:
        """Bytes that the disk takes."""
        used = sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())
        return 1 << 50 if self.disk is None else max(self.disk - used, 0)


class _Login(paramiko.ServerInterface):
    def __init__(self, world: SftpServer) -> None:
        self.world = world

    def get_allowed_auths(self, username: str) -> str:
        return f"password,{self.world.auths}" if self.world.passwords else self.world.auths

    def check_auth_password(self, username: str, password: str) -> int:
        right = self.world.passwords and (username, password) == (USER, PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        right = username == USER and key == self.world.client_key
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        if self.world.silent:
            self.world.over.wait(30)
        if self.world.subsystem is None:
            return super().check_channel_subsystem_request(channel, name)
        if self.world.subsystem:
            threading.Thread(target=channel.sendall, args=(self.world.subsystem,), daemon=True).start()
        return bool(self.world.subsystem)


class _Handle(paramiko.SFTPHandle):
    def __init__(self, world: SftpServer, file: Any, flags: int) -> None:
        super().__init__(flags)
        self.world, self.file = world, file

    def read(self, offset: int, length: int) -> bytes:
        self.file.seek(offset)
        found: bytes = self.file.read(length)
        return found

    def write(self, offset: int, data: bytes) -> int:
        if offset + len(data) - os.fstat(self.file.fileno()).st_size > self.world.left():
            return SFTP_FAILURE
        self.file.seek(offset)
        self.file.write(bytes(len(data)) if self.world.damages else data)
        self.world.written += len(data)
        return SFTP_OK

    def close(self) -> None:
        self.file.close()


class _Files(paramiko.SFTPServerInterface):
    def __init__(self, server: _Login, *_: object) -> None:
        self._world = server.world

    def _path(self, path: str) -> Path:
        return self._world.root / self.canonicalize(path).strip("/")

    def open(self, path: str, flags: int, attr: SFTPAttributes) -> _Handle | int:
        if flags & (os.O_WRONLY | os.O_RDWR) and not self._world.writable:
            return SFTP_PERMISSION_DENIED
        try:
            descriptor = os.open(self._path(path), flags, 0o600)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        mode = "rb" if not flags & (os.O_WRONLY | os.O_RDWR) else "r+b" if flags & os.O_RDWR else "wb"
        return _Handle(self._world, os.fdopen(descriptor, mode, buffering=0), flags)

    def stat(self, path: str) -> SFTPAttributes | int:
        try:
            return SFTPAttributes.from_stat(self._path(path).stat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    lstat = stat

    def remove(self, path: str) -> int:
        return _done(lambda: self._path(path).unlink())

    def mkdir(self, path: str, attr: SFTPAttributes) -> int:
        return _done(lambda: self._path(path).mkdir()) if self._world.writable else SFTP_PERMISSION_DENIED

    def rename(self, oldpath: str, newpath: str) -> int:
        if self._path(newpath).exists():  # as version 3 of the protocol has it
            return SFTP_FAILURE
        return _done(lambda: self._path(oldpath).rename(self._path(newpath)))

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        if not self._world.renames_over:
            return SFTP_OP_UNSUPPORTED
        return _done(lambda: self._path(oldpath).replace(self._path(newpath)))


def _done(do: Callable[[], object]) -> int:
    try:
        do()
    except OSError as error:
        return paramiko.SFTPServer.convert_errno(error.errno or 0)
    return SFTP_OK


class _Server(paramiko.SFTPServer):
    """With what paramiko's lacks, and a line that can be cut."""

    def __init__(self, channel: paramiko.Channel, name: str, server: _Login, *more: Any) -> None:
        super().__init__(channel, name, server, *more)
        self._world, self._channel = server.world, channel

    def _process(self, t: int, request_number: int, msg: Message) -> None:
        world = self._world
        if t == CMD_WRITE and world.cut_after is not None:
            world.cut_after -= 1
            if world.cut_after < 0:
                self._channel.get_transport().close()
                return
        if t == CMD_EXTENDED and world.tells_room:
            at = msg.packet.tell()
            if msg.get_text() == "statvfs@openssh.com":
                self._tell_room(request_number)
                return
            msg.packet.seek(at)
        super()._process(t, request_number, msg)  # type: ignore[misc]

    def _tell_room(self, request_number: int) -> None:
        blocks = self._world.left() // FRAGMENT
        answer = Message()
        answer.add_int(request_number)
        told = struct.pack(">11Q", 1 << 20, FRAGMENT, blocks, blocks, blocks, 0, 0, 0, 0, 0, 255)
        answer.packet.write(told)
        self._send_packet(CMD_EXTENDED_REPLY, answer)  # type: ignore[attr-defined]


def _serve(listening: socket.socket, world: SftpServer) -> None:
    kept = []
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:  # closed: the test is over
            break
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = paramiko.Transport(connection)
        kept.append(transport)
        transport.add_server_key(world.host_key)
        transport.set_subsystem_handler("sftp", _Server, _Files)
        transport.start_server(event=threading.Event(), server=_Login(world))  # and does not wait for the client
    for transport in kept:
        transport.close()


@contextmanager
def serving(root: Path) -> Iterator[SftpServer]:
    """A server whose files are those of ``root``, in threads of this process."""
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        world = SftpServer(root, listening.getsockname()[1])
        threading.Thread(target=_serve, args=(listening, world), daemon=True).start()
        try:
            yield world
        finally:
            world.over.set()
            listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def sftp_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SftpServer]:
    """With no files."""
    surround(monkeypatch)
    monkeypatch.setenv("CUTLINE_PRIVATE_HOSTS", "1")
    root = tmp_path / "sftp"
    root.mkdir()
    with serving(root) as world:
        yield world
