"""What a stand-in for Dropbox knows: one account, its files and upload sessions, and who may enter it.

It keeps to the documentation where that is strict: tokens that expire, codes that work once, offsets of sessions, room
that is missed only when a file is complete. Bytes are counted and hashed, not kept.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dropbox.content_hash import DropboxContentHasher

PATH = re.compile(r"(/[^/\\]+)+")

APP_KEY, APP_SECRET = "app-key", "app-secret-canary"
REFRESH_TOKEN = "refresh-token-canary"
SCOPES = {
    "users/get_space_usage": "account_info.read",
    "files/get_metadata": "files.metadata.read",
    "files/upload": "files.content.write",
    "files/delete_v2": "files.content.write",
    "files/upload_session/start": "files.content.write",
    "files/upload_session/append_v2": "files.content.write",
    "files/upload_session/finish": "files.content.write",
}


@dataclass
class File:
    """One that is in the account."""

    shown: str
    nbytes: int
    content_hash: str
    rev: str = field(default_factory=lambda: secrets.token_hex(5))

    def metadata(self) -> dict[str, Any]:
        at = "2026-01-01T00:00:00Z"
        return {
            ".tag": "file",
            "name": self.shown.rpartition("/")[2],
            "id": f"id:{self.rev}{'a' * 10}",
            "client_modified": at,
            "server_modified": at,
            "rev": self.rev,
            "size": self.nbytes,
            "path_lower": self.shown.lower(),
            "path_display": self.shown,
            "is_downloadable": True,
            "content_hash": self.content_hash,
        }


@dataclass
class Session:
    """Bytes that are no file yet."""

    nbytes: int = 0
    hasher: DropboxContentHasher = field(default_factory=DropboxContentHasher)

    def add(self, piece: bytes) -> None:
        self.nbytes += len(piece)
        self.hasher.update(piece)


@dataclass
class Fault:
    """What calls of one route get instead of their answer. ``acted``: after all was done as asked.
    Without a status the connection is cut."""

    route: str
    status: int | None
    error: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    acted: bool = False
    times: int = 1
    skip: int = 0
    """So many calls come first that are answered as ever"""


class Refused(Exception):
    """Answered with a status and an error, as the route documents it."""

    def __init__(self, status: int, error: Any) -> None:
        super().__init__(status, error)
        self.status, self.error = status, error


class Account:
    """What Dropbox knows: one account, and who may enter it."""

    def __init__(self) -> None:
        self.allocated = 2**41
        self.allocation: dict[str, Any] | None = None
        """Instead of ``allocated``, as get_space_usage answers"""
        self.others = 0
        """Bytes of files that are not here"""
        self.files: dict[str, File] = {}
        self.folders: set[str] = set()
        self.sessions: dict[str, Session] = {}
        self.codes: set[str] = set()
        self.redirect_uri: str | None = None
        """That the codes were asked for with"""
        self.offline = True
        """As the codes were asked for: with a refresh token"""
        self.refresh_tokens = {REFRESH_TOKEN: set(SCOPES.values())}
        self.access_tokens: dict[str, str] = {}
        """Those that are valid -> the refresh token that they are of"""
        self.expired: set[str] = set()
        self.faults: list[Fault] = []
        self.calls: list[tuple[str, Any]] = []
        """Route and argument of every one"""
        self.arrive: Callable[[str], None] = lambda route: None
        """Called with the route of each, before it is answered"""

    @property
    def used(self) -> int:
        return self.others + sum(file.nbytes for file in self.files.values())

    def expire_tokens(self) -> None:
        self.expired |= set(self.access_tokens)
        self.access_tokens.clear()

    def asked(self, route: str) -> list[Any]:
        """The arguments of all calls of ``route``."""
        return [argument for name, argument in self.calls if name == route]

    def fault(self, route: str) -> Fault | None:
        """That is due for a call of ``route``."""
        for fault in self.faults:
            if fault.route == route:
                if fault.skip:
                    fault.skip -= 1
                    return None
                fault.times -= 1
                if not fault.times:
                    self.faults.remove(fault)
                return fault
        return None

    # Calls: argument and body -> answer ----------------------------------------------------------------------------

    def token(self, form: dict[str, str]) -> Any:
        if (form.get("client_id"), form.get("client_secret")) != (APP_KEY, APP_SECRET):
            raise Refused(400, {"error": "invalid_client: Invalid client_id or client_secret"})
        kind = form["grant_type"]
        refresh = form.get("refresh_token", "")
        if kind == "authorization_code" and form.get("code") in self.codes:
            if form.get("redirect_uri") != self.redirect_uri:
                raise Refused(400, {"error": "invalid_grant", "error_description": "redirect_uri mismatch"})
            self.codes.remove(form["code"])
            refresh = f"refresh-{secrets.token_hex(8)}"
            self.refresh_tokens[refresh] = set(SCOPES.values())
        if refresh not in self.refresh_tokens:
            raise Refused(400, {"error": "invalid_grant", "error_description": "it is invalid or revoked"})
        access = f"access-{secrets.token_hex(8)}"
        self.access_tokens[access] = refresh
        answer = {"access_token": access, "token_type": "bearer", "expires_in": 14400}
        if kind == "refresh_token":
            return answer
        opened = {**answer, "scope": "", "uid": "1", "account_id": "dbid:1"}
        return {**opened, "refresh_token": refresh} if self.offline else opened

    def users_get_space_usage(self, argument: Any, body: bytes) -> Any:
        individual = {".tag": "individual", "allocated": self.allocated}
        return {"used": self.used, "allocation": self.allocation or individual}

    def files_upload(self, argument: Any, body: bytes) -> Any:
        session = Session()
        session.add(body)
        return self._write(argument, session, lambda reason: {"path": {"reason": reason, "upload_session_id": "x"}})

    def files_upload_session_start(self, argument: Any, body: bytes) -> Any:
        session_id = f"pid_upload_session:{secrets.token_hex(8)}"
        self.sessions[session_id] = Session()
        self.sessions[session_id].add(body)
        return {"session_id": session_id}

    def files_upload_session_append_v2(self, argument: Any, body: bytes) -> Any:
        self._session(argument["cursor"], lambda error: error).add(body)

    def files_upload_session_finish(self, argument: Any, body: bytes) -> Any:
        session = self._session(argument["cursor"], lambda error: {".tag": "lookup_failed", "lookup_failed": error})
        session.add(body)
        done = self._write(argument["commit"], session, lambda reason: {".tag": "path", "path": reason})
        del self.sessions[argument["cursor"]["session_id"]]
        return done

    def files_get_metadata(self, argument: Any, body: bytes) -> Any:
        path = argument["path"].lower()
        if path in self.folders:
            return {".tag": "folder", "name": path, "id": "id:folder", "path_lower": path, "path_display": path}
        if path not in self.files:
            raise Refused(409, {".tag": "path", "path": {".tag": "not_found"}})
        return self.files[path].metadata()

    def files_delete_v2(self, argument: Any, body: bytes) -> Any:
        path = argument["path"].lower()
        if path not in self.files:
            raise Refused(409, {".tag": "path_lookup", "path_lookup": {".tag": "not_found"}})
        if argument.get("parent_rev") not in (None, self.files[path].rev):
            conflict = {".tag": "conflict", "conflict": {".tag": "file"}}
            raise Refused(409, {".tag": "path_write", "path_write": conflict})
        return {"metadata": self.files.pop(path).metadata()}

    def _session(self, cursor: Any, wrap: Callable[[Any], Any]) -> Session:
        session = self.sessions.get(cursor["session_id"])
        if session is None:
            raise Refused(409, wrap({".tag": "not_found"}))
        if session.nbytes != cursor["offset"]:
            raise Refused(409, wrap({".tag": "incorrect_offset", "correct_offset": session.nbytes}))
        return session

    def _write(self, commit: Any, session: Session, wrap: Callable[[Any], Any]) -> Any:
        path = commit["path"]
        if not PATH.fullmatch(path):
            raise Refused(409, _tagged(wrap({".tag": "malformed_path"})))
        if path.lower() in self.folders:
            raise Refused(409, _tagged(wrap({".tag": "conflict", "conflict": {".tag": "folder"}})))
        before = self.files.get(path.lower())
        if before and commit.get("mode") not in ("overwrite", {".tag": "overwrite"}):
            raise Refused(409, _tagged(wrap({".tag": "conflict", "conflict": {".tag": "file"}})))
        if self.used - (before.nbytes if before else 0) + session.nbytes > self.allocated:
            raise Refused(409, _tagged(wrap({".tag": "insufficient_space"})))
        content_hash = session.hasher.copy().hexdigest()
        if before and before.content_hash == content_hash:
            return before.metadata()
        self.files[path.lower()] = File(path, session.nbytes, content_hash)
        return self.files[path.lower()].metadata()


def _tagged(error: Any) -> Any:
    return error if ".tag" in error else {".tag": "path", **error["path"]}
