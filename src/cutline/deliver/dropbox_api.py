"""Dropbox's calls that a delivery needs, by its SDK: what may pass is asked again, the rest leaves as an error of ours.

The SDK's own patience is off: it sleeps as long as Dropbox says, which may be longer than a Lambda lives. Its answers
to what went wrong are unions of unions ("path" of "insufficient_space"); the innermost tag decides (FAULTS).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import requests
from dropbox import Dropbox, exceptions, files
from stone.backends.python_rsrc.stone_validators import ValidationError

from cutline.deliver.content_hash import ContentHash
from cutline.deliver.dropbox_login import AUTHORISE, app_key, app_secret
from cutline.errors import BadCredentials, CutlineError, DeliveryRejected, InternalError, QuotaExceeded, TransientError
from cutline.models.destination import DropboxSecret

T = TypeVar("T")

TIMEOUT = 60.0
"""Seconds to wait for a connection, and for each piece of an answer"""
DELAYS = (1.0, 2.0, 4.0, 8.0)
"""Seconds before a call is made again, unless Dropbox names them"""
PATIENCE = 30
"""Seconds that are slept at most: longer waits are the state machine's, which charges nothing for time"""
RESERVE = 15.0
"""Seconds that are never slept away: an answer and a record have to be written"""
MOST_WAIT = 900
"""Seconds, after which Dropbox is asked again, whatever it said"""

FAULTS: dict[str, tuple[type[CutlineError], str]] = {
    "insufficient_space": (QuotaExceeded, "the Dropbox account has no room for {what}; make room there"),
    "member_folder_insufficient_space": (QuotaExceeded, "the shared folder's owner has no room for {what}"),
    "team_folder_insufficient_space": (QuotaExceeded, "the Dropbox team has no room for {what}; make room there"),
    "upload_traffic_limit_reached": (QuotaExceeded, "the Dropbox account may upload no more today; deliver it later"),
    "no_write_permission": (
        BadCredentials,
        "Dropbox does not let its user write {what}; choose a folder that they may write to",
    ),
    "access_restricted": (
        BadCredentials,
        "Dropbox restricts the access to {what}; choose a folder that its user may write to",
    ),
    "team_folder": (DeliveryRejected, "{what} would replace a team folder; choose another prefix"),
    "conflict": (DeliveryRejected, "there is a folder or a file in the way of {what}; rename it, or change the prefix"),
    "malformed_path": (DeliveryRejected, "Dropbox takes no path like {what}; change the prefix"),
    "disallowed_name": (DeliveryRejected, "Dropbox allows no name like {what}; change the prefix or the export's name"),
    "too_large": (DeliveryRejected, "{what} is larger than Dropbox takes; deliver to S3 instead"),
    "too_many_write_operations": (TransientError, "others are writing to the same Dropbox; try again"),
    "content_hash_mismatch": (TransientError, "{what} was damaged on its way to Dropbox; try again"),
}
"""Innermost tag -> what it is to us"""

DENIALS: dict[str, str] = {
    "invalid_access_token": f"Dropbox does not let us in any more: access was revoked; {AUTHORISE}",
    "expired_access_token": f"Dropbox does not let us in any more: access has expired; {AUTHORISE}",
    "user_suspended": "the Dropbox user is suspended; their team's administrator can tell why",
    "missing_scope": f"Dropbox does not let us do that without the permission {{scope}}; {AUTHORISE}, granting it",
}
_DENIED = f"Dropbox does not let us in; {AUTHORISE}"


@dataclass(frozen=True)
class Stored:
    """A file that is in Dropbox."""

    shown: str
    """Its path as its owner sees it, below the app's folder where the app has one"""
    rev: str
    nbytes: int
    content_hash: str

    def is_made_of(self, nbytes: int, hashed: ContentHash) -> bool:
        return (self.nbytes, self.content_hash) == (nbytes, hashed.hexdigest())


class SessionLostError(Exception):
    """Dropbox has forgotten an upload session, or has other bytes in it than we sent."""


class Box:
    """One account. Every call raises BadCredentials, QuotaExceeded, DeliveryRejected or TransientError.

    ``seconds_left``: until the invocation ends, for as long may be waited; 0 is at most one try.
    """

    def __init__(self, secret: DropboxSecret, seconds_left: Callable[[], float]) -> None:
        self._seconds_left = seconds_left
        self._client = Dropbox(
            oauth2_refresh_token=secret.refresh_token.get_secret_value(),
            app_key=app_key(),
            app_secret=app_secret(),
            user_agent="Cutline",
            timeout=TIMEOUT,
            max_retries_on_error=0,
            max_retries_on_rate_limit=0,
        )

    def room(self) -> int | None:
        """Bytes that the account can still take; None where Dropbox does not say."""
        usage: Any = self._ask("the account", self._client.users_get_space_usage)
        if usage.allocation.is_individual():
            return _above_zero(usage.allocation.get_individual().allocated - usage.used)
        if not usage.allocation.is_team():
            return None
        team = usage.allocation.get_team()
        room = team.allocated - team.used
        if team.user_within_team_space_allocated and team.user_within_team_space_limit_type.is_stop_sync():
            room = min(room, team.user_within_team_space_allocated - team.user_within_team_space_used_cached)
        return _above_zero(room)

    def put(self, path: str, content: bytes) -> Stored:
        """A small file, instead of what is there."""
        overwrite = files.WriteMode.overwrite
        return _stored(self._ask(path, lambda: self._client.files_upload(content, path, overwrite, mute=True)))

    def start(self) -> str:
        """The id of a new upload session: a file that nobody sees before it is whole, and that ends after a week."""
        started = self._ask("an upload", lambda: self._client.files_upload_session_start(b""))
        return str(started.session_id)

    def append(self, session: str, offset: int, piece: bytes, content_hash: str) -> int:
        """The offset up to which Dropbox then has the file: ``offset`` and ``piece``, or where it corrects us.

        Raises SessionLostError.
        """
        cursor = files.UploadSessionCursor(session, offset)

        def append() -> int:
            try:
                self._client.files_upload_session_append_v2(piece, cursor, content_hash=content_hash)
            except exceptions.ApiError as error:
                if (correct := _correct_offset(error.error)) is None:
                    raise
                return correct
            return offset + len(piece)

        return self._ask("the file", append)

    def finish(self, session: str, nbytes: int, path: str) -> Stored:
        """Make the session's bytes the file ``path``, instead of what is there. Raises SessionLostError."""
        cursor = files.UploadSessionCursor(session, nbytes)
        commit = files.CommitInfo(path, mode=files.WriteMode.overwrite)
        return _stored(self._ask(path, lambda: self._client.files_upload_session_finish(b"", cursor, commit)))

    def stored(self, path: str) -> Stored | None:
        """What is there; None where no file is."""
        try:
            found = self._ask(path, lambda: self._client.files_get_metadata(path))
        except _NotFoundError:
            return None
        return _stored(found) if isinstance(found, files.FileMetadata) else None

    def remove(self, path: str, rev: str | None = None) -> None:
        """Unless it was changed since it had ``rev``, or is gone."""
        try:
            self._ask(path, lambda: self._client.files_delete_v2(path, parent_rev=rev))
        except (_NotFoundError, DeliveryRejected):
            return

    def _ask(self, what: str, call: Callable[[], T]) -> T:
        """``call``, again while what went wrong may pass and there is time."""
        for delay in (*DELAYS, None):
            try:
                return call()
            except (exceptions.RateLimitError, exceptions.InternalServerError, requests.RequestException) as error:
                asked = getattr(error, "backoff", None)
                wait = delay if asked is None or delay is None else float(asked)
                if wait is None or wait > min(PATIENCE, self._seconds_left() - RESERVE):
                    raise _passing(error) from error
                time.sleep(wait)
            except exceptions.ApiError as error:
                raise _rejected(error, what) from error
            except exceptions.AuthError as error:
                raise _denied(error) from error
            except exceptions.HttpError as error:
                raise _refused(error, what) from error
            except (ValidationError, AssertionError, ValueError, KeyError) as error:
                raise TransientError(
                    f"Dropbox's answer is not understood ({type(error).__name__}); try again"
                ) from error
        raise AssertionError("unreachable")


class _NotFoundError(Exception):
    """There is no such thing in Dropbox."""


def _above_zero(room: int) -> int:
    """An account may have more in it than it is allowed to."""
    return max(0, room)


def _stored(found: Any) -> Stored:
    return Stored(found.path_display, found.rev, found.size, found.content_hash)


def _correct_offset(error: Any) -> int | None:
    return error.get_incorrect_offset().correct_offset if error.is_incorrect_offset() else None


def _tags(error: Any) -> list[str]:
    """From the outermost to the innermost: ["path", "insufficient_space"]."""
    tags = []
    while error is not None:
        error = getattr(error, "reason", error)  # UploadWriteFailed stands between two unions
        tag = getattr(error, "_tag", None)  # which the SDK shows one question at a time only
        if tag is None:
            break
        tags.append(str(tag))
        error = error._value
    return tags


def _rejected(error: exceptions.ApiError, what: str) -> Exception:
    tags = _tags(error.error)
    if "not_found" in tags or tags[-1:] in (["closed"], ["incorrect_offset"]):
        lost = isinstance(error.error, files.UploadSessionAppendError | files.UploadSessionFinishError)
        return SessionLostError() if lost else _NotFoundError()
    for tag in reversed(tags):
        if tag in FAULTS:
            family, sentence = FAULTS[tag]
            return family(sentence.format(what=what))
    return DeliveryRejected(f"Dropbox refuses {what}: {' of '.join(tags) or 'it does not say why'}")


def _denied(error: exceptions.AuthError) -> CutlineError:
    tags = _tags(error.error)
    tag = tags[0] if tags else ""
    scope = error.error.get_missing_scope().required_scope if tag == "missing_scope" else ""
    return BadCredentials(DENIALS.get(tag, _DENIED).format(scope=scope))


def _refused(error: exceptions.HttpError, what: str) -> CutlineError:
    if isinstance(error, exceptions.BadInputError) and "invalid_client" in str(error.message):
        return InternalError(
            "Dropbox does not know the app of this deployment; its operator has to set its key and secret"
        )
    return DeliveryRejected(f"Dropbox does not take the call for {what}: HTTP {error.status_code}, {error.request_id}")


def _passing(error: Exception) -> TransientError:
    if isinstance(error, exceptions.RateLimitError):
        seconds = math.ceil(error.backoff or DELAYS[-1])
        told = f"Dropbox asks to wait for {seconds:,} s: too many calls at once"
        return TransientError(told, details={"retry_after": min(max(seconds, PATIENCE), MOST_WAIT)})
    if isinstance(error, exceptions.InternalServerError):
        return TransientError(f"Dropbox answers with HTTP {error.status_code}; try again")
    return TransientError(f"Dropbox does not answer ({type(error).__name__}); try again")
