"""A COG comes to an SFTP server whole and once, however often the way is cut."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko import SFTPError, SSHException
from paramiko.message import Message
from paramiko.sftp import CMD_EXTENDED_REPLY
from pydantic import SecretStr

from cutline.deliver import sftp, sftp_session
from cutline.deliver.sftp import SftpTarget
from cutline.deliver.sftp_session import Files
from cutline.errors import BadCredentials, Conflict, CutlineError, DeliveryRejected, QuotaExceeded, TransientError
from cutline.models.destination import SftpSecret
from tests.support.journey import ITEM, MANIFEST, PATH, Journey, content, parcel, pieces
from tests.support.sftp_server import FRAGMENT, PASSWORD, SftpServer, sftp_server

__all__ = ["sftp_server"]

PIECE = 64 << 10
COG = content(5 * PIECE + 7)
PARTS = 6
PARCEL = parcel(COG)
NAMES = [f"{PATH}.json", f"{PATH}.manifest.json", f"{PATH}.tif"]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sftp, "_PIECE", PIECE)


def cog(server: SftpServer) -> bytes:
    return (server.root / f"{PATH}.tif").read_bytes()


def test_arrives_with_what_goes_beside_it(sftp_server: SftpServer) -> None:
    arrival = Journey(PARCEL).go_on(sftp_server.target())
    assert arrival is not None
    assert arrival.uri == f"sftp://127.0.0.1:{sftp_server.port}/{PATH}.tif"
    assert arrival.checksum == f"crc64nvme:{PARCEL.crc64nvme}"
    assert [(sftp_server.root / name).read_bytes() for name in NAMES] == [ITEM, MANIFEST, COG]
    assert sftp_server.names() == NAMES


def test_true_pieces(sftp_server: SftpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sftp, "_PIECE", 8 << 20)
    large = content(9 << 20)
    assert Journey(parcel(large)).go_on(sftp_server.target()) is not None
    assert cog(sftp_server) == large


def test_twice_is_once(sftp_server: SftpServer) -> None:
    first = Journey(PARCEL).go_on(sftp_server.target())
    assert Journey(PARCEL).go_on(sftp_server.target()) == first
    assert sftp_server.names() == NAMES and cog(sftp_server) == COG


@pytest.mark.parametrize("renames_over", [True, False])
def test_another_file_of_that_name_is_replaced(sftp_server: SftpServer, renames_over: bool) -> None:
    sftp_server.renames_over = renames_over
    Journey(parcel(content(100))).go_on(sftp_server.target())
    Journey(PARCEL).go_on(sftp_server.target())
    assert sftp_server.names() == NAMES and cog(sftp_server) == COG


def test_five_invocations_that_end_too_early(sftp_server: SftpServer) -> None:
    journey = Journey(PARCEL)
    for done in range(1, PARTS):
        assert journey.go_on(sftp_server.target(), pieces(1)) is None
        assert journey.cursor["nbytes"] == done * PIECE
    assert journey.go_on(sftp_server.target(), pieces(1)) is not None
    assert cog(sftp_server) == COG
    assert sftp_server.written == len(COG) + len(ITEM) + len(MANIFEST)


def test_five_invocations_that_are_killed(sftp_server: SftpServer, tmp_path: Path) -> None:
    journey = Journey(PARCEL)
    for _ in range(5):
        journey.killed(sftp_server.target, tmp_path / "cursor", pieces=1)
    assert journey.go_on(sftp_server.target()) is not None
    assert sftp_server.names() == NAMES and cog(sftp_server) == COG
    assert sftp_server.written == len(COG) + len(ITEM) + len(MANIFEST)


def test_killed_after_it_was_renamed(sftp_server: SftpServer) -> None:
    journey = Journey(PARCEL)
    journey.go_on(sftp_server.target())
    written = sftp_server.written
    assert journey.go_on(sftp_server.target()) is not None
    assert sftp_server.written == written + len(ITEM) + len(MANIFEST)


def test_a_part_that_somebody_removed_begins_again(sftp_server: SftpServer) -> None:
    journey = Journey(PARCEL)
    journey.go_on(sftp_server.target(), pieces(3))
    (part,) = sftp_server.names()
    (sftp_server.root / part).unlink()
    assert journey.go_on(sftp_server.target()) is not None
    assert cog(sftp_server) == COG


def test_a_part_that_has_grown_is_not_taken_for_the_cog(sftp_server: SftpServer) -> None:
    journey = Journey(PARCEL)
    journey.go_on(sftp_server.target(), pieces(3))
    (part,) = sftp_server.names()
    with (sftp_server.root / part).open("ab") as file:
        file.write(bytes(len(COG)))
    with pytest.raises(TransientError, match="begins again"):
        journey.go_on(sftp_server.target())
    assert journey.go_on(sftp_server.target()) is not None
    assert cog(sftp_server) == COG


def test_what_is_given_up_is_removed(sftp_server: SftpServer) -> None:
    journey = Journey(PARCEL)
    journey.go_on(sftp_server.target(), pieces(2))
    for _ in range(2):
        sftp_server.target().abandon(PATH, journey.cursor)
    assert sftp_server.names() == []
    sftp_server.target().abandon(PATH, {})


def test_who_is_no_longer_wanted_leaves_the_file_to_the_other(sftp_server: SftpServer) -> None:
    journey = Journey(PARCEL)
    journey.go_on(sftp_server.target(), pieces(2))

    def refuse(cursor: object) -> None:
        raise Conflict("another carries it")

    journey.save = refuse  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        journey.go_on(sftp_server.target())
    assert len(sftp_server.names()) == 1


def test_verify_leaves_nothing(sftp_server: SftpServer) -> None:
    sftp_server.target().verify()
    assert sftp_server.names() == []


@pytest.mark.parametrize("key", [paramiko.ECDSAKey.generate(bits=256), paramiko.RSAKey.generate(2048)])
def test_by_private_key(sftp_server: SftpServer, key: paramiko.PKey) -> None:
    sftp_server.passwords, sftp_server.client_key = False, key
    written = io.StringIO()
    key.write_private_key(written)
    secret = SftpSecret(private_key=SecretStr(written.getvalue()))
    SftpTarget(sftp_server.settings(), secret, "").verify()


def test_a_server_with_an_rsa_key(sftp_server: SftpServer) -> None:
    sftp_server.host_key = paramiko.RSAKey.generate(2048)
    sftp_server.target().verify()


def test_room(sftp_server: SftpServer) -> None:
    sftp_server.disk = 10 * FRAGMENT + 5
    assert sftp_server.target().room() == 10 * FRAGMENT
    sftp_server.tells_room = False
    assert sftp_server.target().room() is None


def refused(target: SftpTarget) -> CutlineError:
    return Journey(PARCEL).refused(target, PASSWORD)


def test_a_wrong_password(sftp_server: SftpServer) -> None:
    secret = SftpSecret(password=SecretStr("another"))
    error = refused(SftpTarget(sftp_server.settings(), secret, ""))
    assert type(error) is BadCredentials
    assert error.message == "127.0.0.1 does not let field in by this password; enter the right one"


def test_a_key_where_no_password_is_taken(sftp_server: SftpServer) -> None:
    sftp_server.passwords = False
    error = refused(sftp_server.target())
    assert type(error) is BadCredentials and "takes no password; enter what it takes: publickey" in error.message


def test_neither_password_nor_key(sftp_server: SftpServer) -> None:
    for secret in (None, SftpSecret()):
        error = refused(SftpTarget(sftp_server.settings(), secret, ""))
        assert type(error) is BadCredentials and "neither a password nor a private key" in error.message


@pytest.mark.parametrize("passphrase", [None, "word"])
def test_a_key_that_cannot_be_read(sftp_server: SftpServer, passphrase: str | None) -> None:
    written = io.StringIO()
    paramiko.ECDSAKey.generate(bits=256).write_private_key(written, password=passphrase)
    text = written.getvalue() if passphrase else "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"
    error = refused(SftpTarget(sftp_server.settings(), SftpSecret(private_key=SecretStr(text)), ""))
    assert type(error) is BadCredentials
    assert ("has a passphrase" if passphrase else "none that we can read") in error.message


@pytest.mark.parametrize("other", [paramiko.ECDSAKey.generate(bits=256), paramiko.RSAKey.generate(2048)])
def test_another_server_than_the_one_that_was_stored(sftp_server: SftpServer, other: paramiko.PKey) -> None:
    target = sftp_server.target()
    sftp_server.host_key = other
    error = refused(target)
    assert type(error) is BadCredentials
    assert "shows another key" in error.message or "has no key of type" in error.message


def test_a_folder_that_is_not_writable(sftp_server: SftpServer) -> None:
    sftp_server.writable = False
    error = refused(sftp_server.target())
    assert type(error) is BadCredentials and "field may not write exports" in error.message


def test_no_room_before_it_begins(sftp_server: SftpServer) -> None:
    sftp_server.disk = 3 * PIECE
    with pytest.raises(QuotaExceeded, match=f"has room for {3 * PIECE:,} bytes, and {len(COG):,} are"):
        Journey(PARCEL).go_on(sftp_server.target())
    assert sftp_server.names() == []


@pytest.mark.parametrize("tells_room", [True, False])
def test_a_disk_that_is_full_half_way(sftp_server: SftpServer, tells_room: bool) -> None:
    journey = Journey(PARCEL)
    journey.go_on(sftp_server.target(), pieces(2))
    sftp_server.disk, sftp_server.tells_room = 3 * PIECE + 100, tells_room
    with pytest.raises(DeliveryRejected, match="room for" if tells_room else "disk or quota is full") as caught:
        journey.go_on(sftp_server.target())
    assert isinstance(caught.value, QuotaExceeded) == tells_room
    assert sftp_server.names() == []


def test_a_line_that_is_cut(sftp_server: SftpServer) -> None:
    journey = Journey(PARCEL)
    sftp_server.cut_after = 3
    with pytest.raises(TransientError, match="try again"):
        journey.go_on(sftp_server.target())
    sftp_server.cut_after = None
    assert journey.go_on(sftp_server.target()) is not None
    assert sftp_server.names() == NAMES and cog(sftp_server) == COG


def test_what_is_not_what_was_written(sftp_server: SftpServer) -> None:
    sftp_server.damages = True
    journey = Journey(PARCEL)
    with pytest.raises(TransientError, match="not what was written"):
        journey.go_on(sftp_server.target())
    assert journey.cursor["nbytes"] == 0


def test_a_server_that_lets_us_in_and_then_is_silent(sftp_server: SftpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would have held the function for as long as that lives."""
    sftp_server.silent = True
    monkeypatch.setattr(sftp_session, "OPENING", 0.3)
    monkeypatch.setattr(sftp, "SHORT", 0.2)
    with pytest.raises(TransientError, match=r"did not do in 0.3 s what it was asked"):
        Journey(PARCEL).go_on(sftp_server.target())
    for ask in (sftp_server.target().verify, sftp_server.target().room):
        with pytest.raises(TransientError, match=r"did not do in 0.2 s what it was asked"):
            ask()


@pytest.mark.parametrize("method", ["verify", "room"])
def test_a_trial_has_an_end_whatever_the_server_still_says(
    sftp_server: SftpServer, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask_on(files: Files, path: str) -> None:
        for _ in range(20_000):
            files.stat(".")

    monkeypatch.setattr(sftp, "SHORT", 0.2)
    monkeypatch.setattr(Files, "make_folders", ask_on)
    monkeypatch.setattr(Files, "room", ask_on)
    with pytest.raises(TransientError, match=r"did not do in 0.2 s"):
        getattr(sftp_server.target(), method)()


@pytest.mark.parametrize("printed", [b"Welcome to our server, have a nice day\r\n", bytes([0, 0, 0, 1, 7])])
def test_a_login_that_prints_a_text(sftp_server: SftpServer, printed: bytes) -> None:
    sftp_server.subsystem = printed
    error = refused(sftp_server.target())
    assert type(error) is DeliveryRejected and "127.0.0.1 does not speak SFTP as it should" in error.message


def test_a_server_without_sftp(sftp_server: SftpServer) -> None:
    sftp_server.subsystem = b""
    error = refused(sftp_server.target())
    assert type(error) is DeliveryRejected and "has no SFTP for it; enable it" in error.message


def test_a_room_that_is_no_number(sftp_server: SftpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.sftp_server._Server._tell_room", short_answer)
    with pytest.raises(DeliveryRejected, match="does not speak SFTP as it should"):
        sftp_server.target().room()


def short_answer(server: Any, request_number: int) -> None:
    answer = Message()
    answer.add_int(request_number)
    server._send_packet(CMD_EXTENDED_REPLY, answer)


def test_of_what_a_server_says_a_little_is_told(sftp_server: SftpServer) -> None:
    told = []
    for error in (SSHException("x" * 500_000), OSError("x" * 500_000), SFTPError("x" * 500_000)):
        with pytest.raises(CutlineError) as caught, sftp_session.told(sftp_server.settings(), "."):
            raise error
        told.append(caught.value.message)
    sftp_server.passwords, sftp_server.auths = False, "y" * 100_000
    told.append(refused(sftp_server.target()).message)
    assert max(map(len, told)) < 300


def test_a_server_that_does_not_answer(sftp_server: SftpServer) -> None:
    assert type(refused(sftp_server.target(port=9))) is TransientError


def test_a_host_that_we_never_ask(sftp_server: SftpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUTLINE_PRIVATE_HOSTS")
    error = refused(sftp_server.target())
    assert type(error) is DeliveryRejected and "inside a private network" in error.message
