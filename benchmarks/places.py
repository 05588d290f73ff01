"""Where deliveries are measured: servers on this machine that behave as a target does, and the plain way to each."""

from __future__ import annotations

import http.client
import io
import random
import ssl
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import boto3
import paramiko
import pytest
from botocore.config import Config
from pydantic import SecretStr

from benchmarks import s3_sink
from cutline.deliver import dropbox_api
from cutline.deliver.s3 import S3Target
from cutline.deliver.sftp import SftpTarget
from cutline.deliver.target import Target
from cutline.models.destination import S3Secret, S3Settings, SftpSecret, SftpSettings
from tests.support import dropbox_server, sftp_server
from tests.support.dropbox_account import APP_KEY, APP_SECRET, Account
from tests.support.dropbox_journeys import reached

PIECE = 48 * 1024 * 1024
NOISE = random.Random(5).randbytes(PIECE + 4096)
"""Of which each piece is another part"""
KEYS = ("AKIABENCH", "a-secret")


def read(start: int, end: int) -> bytes:
    """The bytes [start, end) of a COG that nobody has made."""
    number, within = divmod(start, PIECE)
    here = min(end - start, PIECE - within)
    shift = number % 4096 + within
    content = NOISE[shift : shift + here]
    return content if start + here == end else content + read(start + here, end)


class Noise(io.RawIOBase):
    """That COG as a file."""

    def __init__(self, nbytes: int) -> None:
        self._nbytes, self._at = nbytes, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        end = self._nbytes if size < 0 else min(self._nbytes, self._at + size)
        content, self._at = read(self._at, end), end
        return content


class Place(Protocol):
    """A kind of target. ``folder`` is where its server keeps what clients have to know."""

    def serving(self, folder: Path) -> AbstractContextManager[int]:
        """Its port; the server is a thread of this process."""
        ...

    def copy(self, folder: Path, port: int, nbytes: int) -> None:
        """The plain way."""
        ...

    def target(self, folder: Path, port: int, patch: pytest.MonkeyPatch) -> Target:
        """As an invocation of ours reaches it."""
        ...


class DropboxPlace:
    """By TLS, in pieces of ``PIECE``."""

    def serving(self, folder: Path) -> AbstractContextManager[int]:
        return dropbox_server.serving(Account(), folder)

    def copy(self, folder: Path, port: int, nbytes: int) -> None:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        there = http.client.HTTPSConnection("127.0.0.1", port, context=context)
        for start in range(0, nbytes, PIECE):
            there.request("POST", "/plain", read(start, min(start + PIECE, nbytes)))
            with there.getresponse() as answer:
                answer.read()

    def target(self, folder: Path, port: int, patch: pytest.MonkeyPatch) -> Target:
        dropbox_server.lead_there(port, folder / "ca.pem", patch)
        patch.setenv("CUTLINE_DROPBOX_KEY", APP_KEY)
        for name in ("TABLE", "WORK_BUCKET", "EXPORTS_BUCKET"):
            patch.setenv(f"CUTLINE_{name}", "none")
        patch.setattr(dropbox_api, "app_secret", lambda: APP_SECRET)
        return reached()


class S3Place:
    """The plain way is boto3's own: parts of 8 MiB, ten at once."""

    def serving(self, folder: Path) -> AbstractContextManager[int]:
        return s3_sink.serving()

    def copy(self, folder: Path, port: int, nbytes: int) -> None:
        session: Any = boto3
        s3 = session.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="eu-central-1",
            aws_access_key_id=KEYS[0],
            aws_secret_access_key=KEYS[1],
            config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
        )
        s3.upload_fileobj(Noise(nbytes), "bench", "cog.tif")

    def target(self, folder: Path, port: int, patch: pytest.MonkeyPatch) -> Target:
        patch.setenv("CUTLINE_PRIVATE_HOSTS", "1")
        told = {"bucket": "bench", "region": "eu-central-1", "endpoint": f"http://127.0.0.1:{port}"}
        keys = S3Secret(access_key_id=SecretStr(KEYS[0]), secret_access_key=SecretStr(KEYS[1]))
        return S3Target(S3Settings.model_validate(told), keys, "")


class SftpPlace:
    """Files on this machine's disk. The plain way is paramiko's own, which reads nothing back."""

    @contextmanager
    def serving(self, folder: Path) -> Iterator[int]:
        root = folder / "sftp"
        root.mkdir()
        with sftp_server.serving(root) as world:
            (folder / "settings.json").write_text(world.settings().model_dump_json())
            yield world.port

    def copy(self, folder: Path, port: int, nbytes: int) -> None:
        transport = paramiko.Transport(("127.0.0.1", port))
        transport.connect(username=sftp_server.USER, password=sftp_server.PASSWORD)
        client = paramiko.SFTPClient.from_transport(transport)
        assert client
        client.putfo(Noise(nbytes), "cog.tif", file_size=nbytes)  # type: ignore[arg-type]
        transport.close()

    def target(self, folder: Path, port: int, patch: pytest.MonkeyPatch) -> Target:
        patch.setenv("CUTLINE_PRIVATE_HOSTS", "1")
        settings = SftpSettings.model_validate_json((folder / "settings.json").read_text())
        return SftpTarget(settings, SftpSecret(password=SecretStr(sftp_server.PASSWORD)), "")


PLACES: dict[str, Place] = {"Dropbox": DropboxPlace(), "S3": S3Place(), "SFTP": SftpPlace()}
