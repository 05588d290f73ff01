"""A COG comes to Dropbox whole and once, however often the way is cut."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from dropbox.content_hash import DropboxContentHasher
from dropbox.content_hash import content_hash as whole_hash

from cutline.deliver import content_hash, dropbox
from cutline.deliver.dropbox import DropboxTarget
from cutline.errors import BadCredentials, Conflict, DeliveryRejected, TransientError
from cutline.models.destination import DropboxSettings
from tests.support.dropbox_account import Account, Fault
from tests.support.dropbox_journeys import (
    BLOCK,
    FOREVER,
    ITEM,
    MANIFEST,
    Journey,
    Killed,
    account,
    content,
    parcel,
    reached,
    sent,
    slept,
)
from tests.support.dropbox_server import LARGEST, dropbox_server

__all__ = ["account", "dropbox_server", "slept"]

APPEND, FINISH = "files/upload_session/append_v2", "files/upload_session/finish"
COG = content(5 * BLOCK + 1000)
PIECES = 6
TRUE_BLOCK, TRUE_PIECE = content_hash.BLOCK, dropbox.PIECE


def test_arrives_with_what_goes_beside_it(account: Account) -> None:
    arrival = Journey(parcel(COG)).go_on()
    assert arrival is not None
    assert arrival.uri == "dropbox:/exports/field.tif"
    assert arrival.checksum == f"dropbox-content-hash:{whole_hash(COG)}"
    assert {path: file.content_hash for path, file in account.files.items()} == {
        "/exports/field.tif": whole_hash(COG),
        "/exports/field.json": whole_hash(ITEM),
        "/exports/field.manifest.json": whole_hash(MANIFEST),
    }
    assert sent(account) == PIECES


def test_the_manifest_is_last(account: Account) -> None:
    Journey(parcel(COG)).go_on()
    assert [argument["path"] for argument in account.asked("files/upload")] == [
        "/exports/field.json",
        "/exports/field.manifest.json",
    ]
    routes = [route for route, _ in account.calls]
    assert routes.index(FINISH) < routes.index("files/upload")


def test_delivered_twice_it_is_there_once(account: Account) -> None:
    for _ in range(2):
        assert Journey(parcel(COG)).go_on()
    assert len(account.files) == 3


def test_in_place_of_what_was_there(account: Account) -> None:
    Journey(parcel(content(100))).go_on()
    Journey(parcel(COG)).go_on()
    assert account.files["/exports/field.tif"].content_hash == whole_hash(COG)


def test_one_without_a_folder(account: Account) -> None:
    assert Journey(parcel(content(10), path="field")).go_on()
    assert "/field.tif" in account.files


def test_goes_on_where_the_time_of_an_invocation_ended(account: Account) -> None:
    journey = Journey(parcel(COG), seconds=lambda: 1.0)
    ends = [journey.go_on() for _ in range(PIECES + 2)]
    assert ends == [None] * (PIECES + 2)  # begin, six pieces, the file: each invocation gets on by one of them
    assert journey.go_on()
    assert sent(account) == PIECES
    assert account.files["/exports/field.tif"].content_hash == whole_hash(COG)


def test_leaves_time_for_twice_the_slowest_piece(account: Account) -> None:
    left = iter([900.0, 899.0, 899.0, 799.0, 799.0, 699.0, 699.0, 210.0])
    journey = Journey(parcel(COG), seconds=lambda: next(left))
    assert journey.go_on() is None
    assert sent(account) == 3


def test_killed_five_times_before_it_could_say_what_it_had_sent(account: Account) -> None:
    journey = Journey(parcel(COG))
    for pieces in range(1, 6):

        def die(cursor: Any, sent: int = pieces * BLOCK) -> None:
            if cursor["sent"] == sent:
                raise Killed

        journey.before_save = die
        with pytest.raises(Killed):
            journey.go_on()
        assert journey.cursor["sent"] == (pieces - 1) * BLOCK
    journey.before_save = lambda cursor: None
    assert journey.go_on()
    assert account.files["/exports/field.tif"].content_hash == whole_hash(COG)
    assert sent(account) == PIECES + 5


def test_killed_before_it_could_say_that_the_file_is_there(account: Account) -> None:
    def die(cursor: Any) -> None:
        if cursor["rev"]:
            raise Killed

    journey = Journey(parcel(COG), before_save=die)
    with pytest.raises(Killed):
        journey.go_on()
    rev = account.files["/exports/field.tif"].rev
    journey.before_save = lambda cursor: None
    assert journey.go_on()
    assert account.files["/exports/field.tif"].rev == rev
    assert sent(account) == PIECES


@pytest.mark.parametrize("route", [APPEND, FINISH, "files/upload_session/start", "files/upload", "files/get_metadata"])
@pytest.mark.parametrize("acted", [True, False])
def test_an_answer_that_is_lost(account: Account, route: str, acted: bool, slept: list[float]) -> None:
    account.faults.append(Fault(route, status=None, acted=acted))
    assert Journey(parcel(COG)).go_on()
    assert account.files["/exports/field.tif"].content_hash == whole_hash(COG)
    assert slept == [1.0]


def test_a_piece_of_which_half_arrived(account: Account) -> None:
    half = BLOCK + 1234

    def take_half(route: str) -> None:
        session = next(iter(account.sessions.values()), None)
        if route == APPEND and session and session.nbytes == BLOCK:
            session.add(COG[BLOCK:half])

    account.arrive = take_half
    assert Journey(parcel(COG)).go_on()
    assert account.files["/exports/field.tif"].content_hash == whole_hash(COG)
    assert half in [argument["cursor"]["offset"] for argument in account.asked(APPEND)]


def test_an_upload_that_dropbox_has_forgotten_begins_again(account: Account) -> None:
    journey = Journey(parcel(COG), seconds=lambda: 1.0)
    for _ in range(3):
        journey.go_on()
    account.sessions.clear()
    journey.seconds = lambda: FOREVER
    assert journey.go_on()
    assert journey.cursor["begun"] == 2
    assert account.files["/exports/field.tif"].content_hash == whole_hash(COG)


def test_an_upload_that_is_forgotten_again_and_again_is_given_up(account: Account) -> None:
    account.arrive = lambda route: account.sessions.clear() if route == APPEND else None
    with pytest.raises(DeliveryRejected, match="lost the upload 3 times"):
        Journey(parcel(COG)).go_on()


def test_an_upload_of_which_dropbox_has_less_than_it_said_begins_again(account: Account) -> None:
    journey = Journey(parcel(COG), seconds=lambda: 1.0)
    for _ in range(3):
        journey.go_on()
    for session in account.sessions.values():
        session.nbytes -= BLOCK
    journey.seconds = lambda: FOREVER
    assert journey.go_on()
    assert journey.cursor["begun"] == 2


def test_bytes_that_are_others_in_the_end_do_not_stay(account: Account) -> None:
    journey = Journey(parcel(COG), seconds=lambda: 1.0)
    journey.go_on()
    journey.go_on()
    for session in account.sessions.values():
        session.hasher.update(b"x")
    journey.seconds = lambda: FOREVER
    assert journey.go_on()
    assert account.asked("files/delete_v2")
    assert account.files["/exports/field.tif"].content_hash == whole_hash(COG)


def test_a_piece_that_is_damaged_on_its_way(account: Account) -> None:
    account.faults.append(Fault(APPEND, 409, {".tag": "content_hash_mismatch"}))
    with pytest.raises(TransientError, match="damaged"):
        Journey(parcel(COG)).go_on()


def test_another_cog_than_the_one_that_was_begun(account: Account) -> None:
    journey = Journey(parcel(content(9 * BLOCK)), seconds=lambda: 1.0)
    for _ in range(3):
        journey.go_on()
    journey.parcel = replace(parcel(COG), etag="etag-2")
    journey.seconds = lambda: FOREVER
    assert journey.go_on()
    assert account.files["/exports/field.tif"].content_hash == whole_hash(COG)


def test_a_file_that_somebody_changes_meanwhile(account: Account) -> None:
    def change(route: str) -> None:
        if route == "files/get_metadata":
            account.files["/exports/field.tif"].content_hash = whole_hash(b"theirs")

    account.arrive = change
    journey = Journey(parcel(COG))
    with pytest.raises(TransientError, match="not the one that was delivered"):
        journey.go_on()
    assert journey.cursor == {}
    account.arrive = lambda route: None
    assert journey.go_on()


def test_a_delivery_that_is_no_longer_wanted_ends_quietly(account: Account) -> None:
    def refuse(_: Any) -> None:
        raise Conflict("another carries it")

    with pytest.raises(Conflict):
        Journey(parcel(COG), before_save=refuse).go_on()
    assert not account.files


def test_a_cursor_does_not_grow_and_has_no_token(account: Account) -> None:
    journey = Journey(parcel(COG), seconds=lambda: 1.0)
    for _ in range(PIECES):
        journey.go_on()
    text = str(journey.cursor)
    assert len(text) < 400
    assert not [token for token in (*account.access_tokens, *account.refresh_tokens) if token in text]


def test_reads_no_more_than_a_piece_at_once(account: Account) -> None:
    asked: list[int] = []

    def read(start: int, end: int) -> bytes:
        asked.append(end - start)
        return COG[start:end]

    assert Journey(replace(parcel(COG), read=read)).go_on()
    assert max(asked) == BLOCK
    assert sum(asked) == len(COG)


def test_nobody_has_let_us_in_yet() -> None:
    with pytest.raises(BadCredentials, match="authorise the destination"):
        DropboxTarget(DropboxSettings(), None, "ext")


class TestAbandoned:
    def test_while_nobody_sees_it(self, account: Account) -> None:
        journey = Journey(parcel(COG), seconds=lambda: 1.0)
        journey.go_on()
        journey.go_on()
        reached().abandon("exports/field", journey.cursor)
        reached().abandon("exports/field", {})
        assert not account.files

    def test_before_all_that_goes_beside_it_is_there(self, account: Account) -> None:
        account.faults.append(Fault("files/upload", 503, "busy", skip=1, times=9))
        journey = Journey(parcel(COG))
        with pytest.raises(TransientError):
            journey.go_on()
        assert len(account.files) == 2
        account.faults.clear()
        reached().abandon("exports/field", journey.cursor)
        assert not account.files

    @pytest.mark.parametrize("written", [0, 1])
    def test_what_an_earlier_delivery_has_brought_stays(self, account: Account, written: int) -> None:
        earlier = replace(parcel(content(BLOCK)), item=b"earlier", manifest=b"earlier, too")
        Journey(earlier).go_on()
        account.faults.append(Fault("files/upload", 503, "busy", skip=written, times=9))
        journey = Journey(parcel(COG))
        with pytest.raises(TransientError):
            journey.go_on()
        account.faults.clear()
        reached().abandon("exports/field", journey.cursor)
        assert list(account.files) == ["/exports/field.json", "/exports/field.manifest.json"][written:]


class TestTrueSizes:
    @pytest.fixture(autouse=True)
    def true_sizes(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(content_hash, "BLOCK", TRUE_BLOCK)
        monkeypatch.setattr(dropbox, "PIECE", TRUE_PIECE)
        monkeypatch.setattr(DropboxContentHasher, "BLOCK_SIZE", TRUE_BLOCK)

    def test_a_piece_is_of_whole_blocks_and_fits_dropbox_and_our_memory(self) -> None:
        assert TRUE_PIECE % TRUE_BLOCK == 0
        assert min(64_000_000, LARGEST) >= TRUE_PIECE

    def test_over_five_invocations(self, account: Account) -> None:
        cog = bytes(2 * TRUE_PIECE + TRUE_BLOCK + 1)
        journey = Journey(parcel(cog), seconds=lambda: 1.0)
        assert [journey.go_on() for _ in range(5)] == [None] * 5
        assert journey.go_on()
        assert account.files["/exports/field.tif"].content_hash == whole_hash(cog)
        assert sent(account) == 3


class TestVerify:
    def test_leaves_nothing(self, account: Account) -> None:
        reached("trials/{date}/x").verify()
        assert not account.files
        (argument,) = account.asked("files/upload")
        assert argument["path"].startswith("/trials/cutline-")

    @pytest.mark.parametrize(
        ("prefix", "folder"),
        [("", ""), ("exports", "/exports"), ("team/exports", "/team/exports"), ("by-{name}", ""), ("a/{id}/b", "/a")],
    )
    def test_is_in_the_folder_that_deliveries_come_to(self, account: Account, prefix: str, folder: str) -> None:
        reached(prefix).verify()
        (argument,) = account.asked("files/upload")
        assert argument["path"].rpartition("/")[0] == folder

    def test_looks_at_what_it_wrote(self, account: Account) -> None:
        def damage(route: str) -> None:
            if route == "files/get_metadata":
                next(iter(account.files.values())).content_hash = "0" * 64

        account.arrive = damage
        with pytest.raises(TransientError, match="not there as it was written"):
            reached().verify()
        assert not account.files

    def test_does_not_wait(self, account: Account, slept: list[float]) -> None:
        account.faults.append(Fault("files/upload", 503, "busy"))
        with pytest.raises(TransientError, match="HTTP 503"):
            reached().verify()
        assert slept == []
