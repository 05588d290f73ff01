"""The service's API: requests that last through hiccups, with a token that is renewed in time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import requests

from cutline import __version__
from cutline.client.oauth import expired, reason_of, renewed
from cutline.client.session import Logins
from cutline.errors import (
    AccessDenied,
    Conflict,
    CutlineError,
    InternalError,
    InvalidRequest,
    NotFound,
    RateLimited,
    SourceUnavailable,
    TooLarge,
    TransientError,
)

ATTEMPTS = 8
TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and between two pieces of an answer"""
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
"""Seconds before the second attempt, doubled before each further one, and where that ends"""
PASSING = frozenset({424, 429, 502, 503, 504})
"""HTTP statuses that may be gone when asked again"""

BY_STATUS: dict[int, type[CutlineError]] = {
    401: AccessDenied, 403: AccessDenied, 404: NotFound, 409: Conflict, 413: TooLarge, 424: SourceUnavailable,
    429: RateLimited, 502: TransientError, 503: TransientError, 504: TransientError,
}  # fmt: skip

Pause = Callable[[float], None]


class Api:
    """One service, as whoever is signed in sees it."""

    def __init__(self, url: str, logins: Logins, pause: Pause = time.sleep) -> None:
        self.url, self.pause = url, pause
        self._logins = logins
        self._http = requests.Session()
        self._http.headers["User-Agent"] = f"cutline/{__version__}"

    def get(self, path: str, **params: Any) -> Any:
        """The JSON at ``path``."""
        return self._json("GET", path, params=params)

    def post(self, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON answer. Only for what may be sent twice: it is, after a hiccup."""
        return self._json("POST", path, json=body, headers=dict(headers or {}))

    def cancel(self, export_id: str) -> Any:
        """The export, CANCELLED by us or before. Raises Conflict where it has ended otherwise."""
        path = path_of(export_id)
        try:
            return self.post(f"{path}/cancel")
        except Conflict:  # of what a request did whose answer got lost, too
            view = self.get(path)
            if view["status"] == "CANCELLED":
                return view
            raise

    def link(self, path: str) -> str:
        """Where ``path`` redirects to."""
        answer = self._send("GET", path)
        where = answer.headers.get("Location")
        if answer.status_code not in (302, 303, 307) or not where:
            raise InternalError(f"{path} should redirect to the file, but answers with status {answer.status_code}")
        return where

    def _json(self, method: str, path: str, **more: Any) -> Any:
        answer = self._send(method, path, **more)
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise InternalError(f"{method} {path} answers with something else than JSON") from error

    def _send(self, method: str, path: str, **more: Any) -> requests.Response:
        """The answer, if it is a good one; raises the error that the service tells of."""
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = self._with_token(method, path, **more)
            except requests.RequestException as error:
                if attempt == ATTEMPTS:
                    raise SourceUnavailable(f"{self.url} cannot be reached: {reason_of(error)}") from error
                self.pause(delay(attempt))
                continue
            if answer.status_code < 400:
                return answer
            if not passing(answer) or attempt == ATTEMPTS:
                raise problem_of(answer)
            self.pause(retry_after(answer, attempt))

    def _with_token(self, method: str, path: str, **more: Any) -> requests.Response:
        answer = self._request(method, path, self._token(), **more)
        if answer.status_code == 401:  # taken back before its time
            answer = self._request(method, path, self._token(anew=True), **more)
        return answer

    def _request(self, method: str, path: str, token: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
        return self._http.request(
            method, self.url + path, headers=headers, timeout=TIMEOUT, allow_redirects=False, **more
        )

    def _token(self, *, anew: bool = False) -> str:
        login = self._logins.get(self.url)
        if anew or expired(login):
            login = renewed(login)
            self._logins.keep(self.url, login, latest=False)
        return login.access_token


def path_of(export_id: str) -> str:
    """Of an export. ``export_id``: as somebody typed it."""
    return f"/exports/{quote(export_id, safe='')}"


def passing(answer: requests.Response) -> bool:
    """It may be another when asked again. A quota's refusal stays; who asks too fast is told when to ask again, or, by
    what stands before the service, not told in our form at all."""
    if answer.status_code == 429:
        return "Retry-After" in answer.headers or not _is_problem(answer)
    return answer.status_code in PASSING


def problem_of(answer: requests.Response) -> CutlineError:
    """The error that an answer tells of: as RFC 9457 has it, else (the gateway's own) by its status."""
    status = answer.status_code
    family = BY_STATUS.get(status, InternalError if status >= 500 else InvalidRequest)
    try:
        told = answer.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return family(f"the service answers with status {status} ({answer.reason})")
    message = str(told.get("detail") or told.get("title") or told.get("message") or answer.reason)
    pointer = told.get("pointer")
    known = _KNOWN.get(str(told.get("code")), family)
    return known(message, pointer=str(pointer) if pointer else None)


def delay(attempt: int) -> float:
    """Seconds before the attempt after this one; not the same for all who wait."""
    return float(min(FIRST_DELAY * 2 ** (attempt - 1), LONGEST_DELAY) * random.uniform(0.5, 1))  # noqa: S311


def retry_after(answer: requests.Response, attempt: int) -> float:
    """As the service asks for, within reason."""
    told = answer.headers.get("Retry-After", "")
    return min(float(told), 2 * LONGEST_DELAY) if told.isdecimal() else delay(attempt)


def _is_problem(answer: requests.Response) -> bool:
    return answer.headers.get("Content-Type", "").startswith("application/problem+json")


def _all_errors(family: type[CutlineError]) -> list[type[CutlineError]]:
    return [family, *(error for child in family.__subclasses__() for error in _all_errors(child))]


_KNOWN = {error.code: error for error in _all_errors(CutlineError) if not error.__name__.startswith("_")}
"""A problem's code -> the class of that error"""
