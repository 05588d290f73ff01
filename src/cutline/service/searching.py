"""Scenes by a search in a STAC API. Who answers is not trusted: each request goes where it may, and nowhere else."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from cutline.aoi import Aoi
from cutline.errors import CutlineError, InvalidRequest, SourceUnavailable
from cutline.models.api import StacQuery
from cutline.store.web import ask

if TYPE_CHECKING:
    from pystac_client import Client
    from pystac_client.stac_api_io import StacApiIO

PAGE = 100
"""Items asked for at once"""
MAX_ANSWER = 32 << 20
"""Bytes of one page"""
MAX_PAGES = 40
"""A server may give smaller pages than it was asked for, but not for ever"""
PATIENCE = 15.0
"""Seconds until the last page is asked for: somebody waits for an answer, and API Gateway for 29 seconds at most"""
POINTER = "/source/stac"

Permit = Callable[[str], None]


def search(query: StacQuery, area: Aoi | None, permit: Permit) -> list[dict[str, Any]]:
    """The items that ``query`` finds, at most its limit, in the API's order.

    ``permit`` raises for addresses that may not be asked. Raises InvalidRequest where nothing is found or the API
    refuses, and SourceUnavailable where it does not answer.
    """
    try:
        found = _found(query, area, permit)
    except CutlineError as error:
        raise type(error)(f"the search in {query.url}: {error.message}", pointer=error.pointer or POINTER) from error
    if not found:
        raise InvalidRequest("the search finds no scene; widen bbox, datetime or filter", pointer=POINTER)
    return found


def _found(query: StacQuery, area: Aoi | None, permit: Permit) -> list[dict[str, Any]]:
    bbox = query.bbox or (area.report.bounds if area else None)
    language: Literal["cql2-json", "cql2-text"] = "cql2-json" if isinstance(query.filter, dict) else "cql2-text"
    try:
        with warnings.catch_warnings(action="ignore"):  # of what an API says that it does not conform to
            search = _client(query.url, permit).search(
                collections=list(query.collections) or None,
                bbox=list(bbox) if bbox else None,
                datetime=query.datetime,
                filter=query.filter,
                filter_lang=language if query.filter else None,
                max_items=query.limit,
                limit=min(query.limit, PAGE),
            )
            found = list(search.items_as_dicts())
    except CutlineError:
        raise
    except Exception as error:  # whatever pystac makes of an answer that is no STAC, and of a query it cannot put
        raise InvalidRequest(f"it refuses the query, or is no STAC API with a search ({_brief(error)})") from error
    if not all(isinstance(item, dict) and item.get("type") == "Feature" for item in found):
        raise InvalidRequest("what it finds are no STAC items")
    return found


def _client(url: str, permit: Permit) -> Client:
    from pystac_client import Client  # noqa: PLC0415 - a second to import, and in the Lambda of the API alone

    return Client.open(url, stac_io=_guarded(permit))


def _guarded(permit: Permit) -> StacApiIO:
    """pystac-client's transport, over the one that knows no redirects, private neighbours and endless answers."""
    from pystac_client.stac_api_io import StacApiIO  # noqa: PLC0415

    class Guarded(StacApiIO):
        pages = 0
        deadline = time.monotonic() + PATIENCE

        def read_text(self, source: Any, *args: Any, **kwargs: Any) -> str:
            # The original opens a file of this machine where a link's href is no URL.
            permit(source.to_dict()["href"] if hasattr(source, "to_dict") else str(source))
            return str(super().read_text(source, *args, **kwargs))

        def request(
            self,
            href: str,
            method: str | None = None,
            headers: dict[str, str] | None = None,
            parameters: dict[str, Any] | None = None,
        ) -> str:
            # ``headers`` are what a link of the answer wants to have sent: they have no say.
            self.pages += 1
            if time.monotonic() > self.deadline:
                raise SourceUnavailable(f"it is not done after {PATIENCE:.0f} s; ask for less")
            if self.pages > MAX_PAGES:
                raise InvalidRequest(f"it needs more than {MAX_PAGES} requests; ask for less")
            content = None
            if (method or "GET").upper() == "POST":
                content = json.dumps(parameters or {}).encode()
            elif parameters:
                href += ("&" if "?" in href else "?") + urlencode(parameters, doseq=True)
            permit(href)
            try:
                return ask(href, MAX_ANSWER, content).decode()
            except UnicodeDecodeError as error:
                raise SourceUnavailable("its answer is not UTF-8") from error

    return Guarded()


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
