"""Where one is signed in: one file for all services, which only its owner may read."""

from __future__ import annotations

import ipaddress
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import click
from pydantic import Field, ValidationError

from cutline.errors import AccessDenied, InvalidRequest
from cutline.models.base import Model
from cutline.store.workspace import writing

if sys.platform != "win32":
    import fcntl


class Login(Model):
    """Signed in to one service."""

    token_url: str
    client_id: str
    scope: str
    access_token: str = Field(repr=False)
    expires_at: float
    """Seconds since the epoch"""
    refresh_token: str | None = Field(default=None, repr=False)
    """Of a person"""
    client_secret: str | None = Field(default=None, repr=False)
    """Of a machine"""


class _Kept(Model):
    latest: str | None = None
    """The service that was signed in to last"""
    logins: dict[str, Login] = Field(default_factory=dict)


class Logins:
    """The file. Another program may write it between two calls, so nothing is remembered."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or Path(click.get_app_dir("cutline"), "logins.json")

    def url(self, given: str | None) -> str:
        """The service meant: the one ``given``, else the latest signed in to. Raises InvalidRequest without either."""
        if given is not None:
            return service_url(given)
        latest = self._read().latest
        if latest is None:
            raise InvalidRequest("which service? add --url https://…, or sign in with cutline login --url https://…")
        return latest

    def get(self, url: str) -> Login:
        """Raises AccessDenied where nobody is signed in."""
        login = self._read().logins.get(url)
        if login is None:
            raise AccessDenied(f"you are not signed in there; run cutline login --url {url}")
        return login

    def keep(self, url: str, login: Login, *, latest: bool) -> None:
        """``latest``: from now on it is meant where no service is named."""
        with writing(self.path):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(self.path.parent):
            kept = self._read()
            self._write(_Kept(latest=url if latest else kept.latest, logins={**kept.logins, url: login}))

    def _read(self) -> _Kept:
        try:
            return _Kept.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return _Kept()
        except (OSError, ValidationError) as error:
            raise InvalidRequest(f"{self.path} cannot be read; remove it and sign in again") from error

    def _write(self, kept: _Kept) -> None:
        with writing(self.path):
            handle, aside = tempfile.mkstemp(dir=self.path.parent, prefix=".")  # which makes it 0600
            try:
                with os.fdopen(handle, "w") as file:
                    json.dump(kept.model_dump(mode="json", exclude_none=True), file, indent=2)
                Path(aside).replace(self.path)
            except BaseException:
                Path(aside).unlink(missing_ok=True)
                raise


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other program is here at the same time, so that none overwrites what another has just kept."""
    if sys.platform == "win32":
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems have no locks: better a login without than none
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def service_url(text: str) -> str:
    """``text`` as the one way of writing a service's address. Raises InvalidRequest where tokens would travel in the
    clear, or where it is no address."""
    url = text.rstrip("/")
    try:
        place = urlsplit(url)
        named = place.scheme in {"https", "http"} and place.hostname and place.port != 0
    except ValueError:
        named = False
    if not named or place.username is not None or place.query or place.fragment:
        raise InvalidRequest(f"{text} is not the address of a service; write https://host or https://host/stage")
    if place.scheme == "http" and not _is_loopback(place.hostname or ""):
        raise InvalidRequest(f"{text}: tokens are sent over https only; http is for services of this machine")
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
