"""What Dropbox refuses leaves as one sentence that says what to do, and leaves nothing behind."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from cutline.errors import BadCredentials, CutlineError, DeliveryRejected, InternalError, QuotaExceeded, TransientError
from tests.support.dropbox_account import APP_SECRET, REFRESH_TOKEN, Account, Fault
from tests.support.dropbox_journeys import BLOCK, FOREVER, Journey, account, content, parcel, reached, sent, slept
from tests.support.dropbox_server import dropbox_server

__all__ = ["account", "dropbox_server", "slept"]

APPEND, FINISH, START = (f"files/upload_session/{call}" for call in ("append_v2", "finish", "start"))
COG = content(3 * BLOCK + 10)
NEEDED = len(COG) + len(b'{"type": "Feature"}') + len(b'{"export_id": "e1"}')


class TestRoom:
    def test_of_one_person(self, account: Account) -> None:
        account.allocated, account.others = 1000, 300
        assert reached().room() == 700

    def test_of_an_account_that_has_too_much(self, account: Account) -> None:
        account.allocated, account.others = 1000, 1300
        assert reached().room() == 0

    @pytest.mark.parametrize(
        ("kind", "allocated", "expected"),
        [("off", 500, 4000), ("alert_only", 500, 4000), ("stop_sync", 500, 400), ("stop_sync", 0, 4000)],
    )
    def test_of_a_team(self, account: Account, kind: str, allocated: int, expected: int) -> None:
        account.allocation = {
            ".tag": "team", "used": 6000, "allocated": 10000, "user_within_team_space_allocated": allocated,
            "user_within_team_space_limit_type": {".tag": kind}, "user_within_team_space_used_cached": 100,
        }  # fmt: skip
        assert reached().room() == expected

    def test_of_what_dropbox_may_invent(self, account: Account) -> None:
        account.allocation = {".tag": "galaxy"}
        assert reached().room() is None


class TestFull:
    def test_before(self, account: Account) -> None:
        account.allocated = NEEDED - 1
        with pytest.raises(QuotaExceeded) as caught:
            Journey(parcel(COG)).go_on()
        assert caught.value.details == {"needed": NEEDED, "room": NEEDED - 1}
        assert f"{NEEDED:,} are needed; make room for 1 more" in caught.value.message
        assert not account.sessions

    def test_just_enough(self, account: Account) -> None:
        account.allocated = NEEDED
        assert Journey(parcel(COG)).go_on()

    def test_half_way(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("cutline.deliver.dropbox.LOOK_EVERY", 2)
        account.arrive = lambda route: _fill(account) if sent(account) == 1 else None
        with pytest.raises(QuotaExceeded, match=f"room for 0 bytes and {NEEDED:,} are needed"):
            Journey(parcel(COG)).go_on()
        assert sent(account) == 2
        assert not account.files

    def test_in_the_end(self, account: Account) -> None:
        account.arrive = lambda route: _fill(account) if route == FINISH else None
        with pytest.raises(QuotaExceeded, match=f"room for 0 bytes and {NEEDED:,} are needed"):
            Journey(parcel(COG)).go_on()
        assert not account.files

    @pytest.mark.parametrize("fits", [0, 1])
    def test_of_what_goes_beside_the_cog(self, account: Account, fits: int) -> None:
        """The COG alone would be a delivery that nobody can rely on."""
        reason = {"reason": {".tag": "insufficient_space"}, "upload_session_id": "x"}
        account.faults.append(Fault("files/upload", 409, {".tag": "path", **reason}, skip=fits))
        with pytest.raises(QuotaExceeded, match="no room"):
            Journey(parcel(COG)).go_on()
        assert not account.files

    def test_goes_on_when_there_is_room_again(self, account: Account) -> None:
        account.arrive = lambda route: _fill(account) if route == FINISH else None
        journey = Journey(parcel(COG))
        with pytest.raises(QuotaExceeded):
            journey.go_on()
        account.arrive, account.others = lambda route: None, 0
        assert journey.go_on()
        assert sent(account) == 4


class TestWhoMay:
    def test_a_token_that_has_expired_is_renewed(self, account: Account) -> None:
        account.arrive = lambda route: account.expire_tokens() if route == APPEND and sent(account) == 1 else None
        assert Journey(parcel(COG)).go_on()
        assert len(account.asked("oauth2/token")) == 2

    def test_revoked_before(self, account: Account) -> None:
        account.refresh_tokens.clear()
        with pytest.raises(BadCredentials, match="access was revoked; authorise the destination again"):
            Journey(parcel(COG)).go_on()

    def test_revoked_half_way(self, account: Account) -> None:
        account.arrive = lambda route: account.refresh_tokens.clear() if sent(account) == 2 else None
        with pytest.raises(BadCredentials, match="access was revoked"):
            Journey(parcel(COG)).go_on()
        assert not account.files

    @pytest.mark.parametrize("scope", ["account_info.read", "files.metadata.read", "files.content.write"])
    def test_a_permission_that_is_missing_is_named(self, account: Account, scope: str) -> None:
        account.refresh_tokens[REFRESH_TOKEN].remove(scope)
        with pytest.raises(BadCredentials, match=f"without the permission {scope}; authorise the destination again"):
            reached().verify()
        assert not account.files or scope == "files.metadata.read"

    @pytest.mark.parametrize("tag", ["user_suspended", "route_access_denied", "other", "of_the_future"])
    def test_any_other_denial(self, account: Account, tag: str) -> None:
        account.faults.append(Fault(START, 401, {".tag": tag}))
        with pytest.raises(BadCredentials):
            Journey(parcel(COG)).go_on()

    def test_an_account_that_may_not(self, account: Account) -> None:
        account.faults.append(Fault(START, 403, {".tag": "no_permission"}))
        with pytest.raises(DeliveryRejected, match="Dropbox refuses"):
            Journey(parcel(COG)).go_on()

    def test_an_app_that_dropbox_does_not_know(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUTLINE_DROPBOX_KEY", "another")
        with pytest.raises(InternalError, match="its operator has to set"):
            Journey(parcel(COG)).go_on()


class TestPaths:
    def test_a_folder_in_the_way(self, account: Account) -> None:
        account.folders.add("/exports/field.tif")
        with pytest.raises(DeliveryRejected, match="in the way of /exports/field"):
            Journey(parcel(COG)).go_on()

    @pytest.mark.parametrize(
        ("reason", "family", "words"),
        [
            ({".tag": "no_write_permission"}, BadCredentials, "does not let its user write /exports/field.tif"),
            ({".tag": "malformed_path", "malformed_path": "x"}, DeliveryRejected, "takes no path like"),
            ({".tag": "disallowed_name"}, DeliveryRejected, "allows no name like"),
            ({".tag": "team_folder"}, DeliveryRejected, "team folder"),
            ({".tag": "team_folder_insufficient_space"}, QuotaExceeded, "team"),
            ({".tag": "member_folder_insufficient_space"}, QuotaExceeded, "owner"),
            ({".tag": "upload_traffic_limit_reached"}, QuotaExceeded, "no more today"),
            ({".tag": "too_many_write_operations"}, TransientError, "others are writing"),
            ({".tag": "of_the_future"}, DeliveryRejected, "refuses /exports/field.tif: path of other"),
        ],
    )
    def test_what_the_end_may_bring(
        self, account: Account, reason: Any, family: type[CutlineError], words: str
    ) -> None:
        account.faults.append(Fault(FINISH, 409, {".tag": "path", "path": reason}))
        with pytest.raises(family, match=words):
            Journey(parcel(COG)).go_on()
        assert not account.files


class TestBusy:
    def test_waits_as_long_as_it_is_told(self, account: Account, slept: list[float]) -> None:
        account.faults.append(Fault(APPEND, 429, "slow down", {"Retry-After": "7"}))
        error = {"reason": {".tag": "too_many_requests"}, "retry_after": 11}
        account.faults.append(Fault(FINISH, 429, error))
        assert Journey(parcel(COG)).go_on()
        assert slept == [7.0, 11.0]

    @pytest.mark.parametrize(
        ("asked", "left", "wait"), [(31, FOREVER, 31), (29, 43.0, 30), (900, FOREVER, 900), (86400, FOREVER, 900)]
    )
    def test_a_long_wait_is_left_to_who_asks(
        self, account: Account, slept: list[float], asked: int, left: float, wait: int
    ) -> None:
        account.faults.append(Fault(APPEND, 429, "slow down", {"Retry-After": str(asked)}, skip=1))
        journey = Journey(parcel(COG), seconds=lambda: left)
        with pytest.raises(TransientError, match=f"asks to wait for {asked:,} s") as told:
            journey.go_on()
        assert told.value.details == {"retry_after": wait}
        assert slept == [] and journey.cursor["sent"] == BLOCK
        journey.seconds = lambda: FOREVER
        assert journey.go_on()

    def test_while_the_token_is_renewed(self, account: Account, slept: list[float]) -> None:
        account.faults.append(Fault("oauth2/token", 503, "busy", times=2))
        assert Journey(parcel(COG)).go_on()
        assert slept == [1.0, 2.0]

    @pytest.mark.parametrize("status", [500, 503])
    def test_a_moment_of_trouble(self, account: Account, slept: list[float], status: int) -> None:
        account.faults.append(Fault(APPEND, status, "trouble", times=4))
        assert Journey(parcel(COG)).go_on()
        assert slept == [1.0, 2.0, 4.0, 8.0]

    @pytest.mark.parametrize("status", [503, 429, None])
    def test_trouble_that_stays(self, account: Account, status: int | None) -> None:
        account.faults.append(Fault(APPEND, status, "trouble", skip=1, times=9))
        journey = Journey(parcel(COG))
        with pytest.raises(TransientError):
            journey.go_on()
        assert journey.cursor["sent"] == BLOCK
        account.faults.clear()
        assert journey.go_on()

    def test_an_answer_that_nobody_understands(self, account: Account) -> None:
        account.faults.append(Fault(START, 200, "<html>"))
        with pytest.raises(TransientError, match="not understood"):
            Journey(parcel(COG)).go_on()


@pytest.mark.parametrize("status", [400, 401, 409, 429, 503, None])
@pytest.mark.parametrize("route", ["oauth2/token", APPEND])
def test_secrets_are_in_no_error_and_no_log(
    account: Account, caplog: pytest.LogCaptureFixture, status: int | None, route: str
) -> None:
    caplog.set_level(logging.DEBUG)
    account.faults.append(Fault(route, status, {".tag": "expired_access_token"}, times=9))
    with pytest.raises(Exception) as caught:
        Journey(parcel(COG), seconds=lambda: FOREVER).go_on()
    logging.getLogger("cutline").error("failed", exc_info=caught.value)
    told = caplog.text + str(caught.getrepr(style="short")) + repr(caught.value.__cause__)
    assert not [secret for secret in (REFRESH_TOKEN, APP_SECRET, *account.access_tokens) if secret in told]


def _fill(account: Account) -> None:
    account.others = account.allocated
