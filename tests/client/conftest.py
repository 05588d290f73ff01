from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cutline.client.api import Api
from cutline.client.session import Login, Logins
from tests.client.website import Website, serving
from tests.support.cli import home

__all__ = ["home"]


@pytest.fixture
def served() -> Iterator[tuple[str, Website]]:
    with serving() as both:
        yield both


@pytest.fixture
def website(served: tuple[str, Website]) -> Website:
    return served[1]


@pytest.fixture
def url(served: tuple[str, Website]) -> str:
    return served[0]


@pytest.fixture
def signed_in(home: Path, url: str, website: Website) -> Logins:
    """Somebody is signed in to the website."""
    login = Login(
        token_url=f"{url}/oauth2/token",
        client_id="cli",
        scope="cutline/exports",
        access_token=website.token(),
        expires_at=time.time() + 3600,
        refresh_token="refresh-1",
    )
    logins = Logins()
    logins.keep(url, login, latest=True)
    return logins


@pytest.fixture
def pauses() -> list[float]:
    """How long was waited, instead of waiting."""
    return []


@pytest.fixture
def api(url: str, signed_in: Logins, pauses: list[float]) -> Api:
    return Api(url, signed_in, pauses.append)
