"""What lets the console's pages, which come from another origin, call the API from a browser.

Said on every answer and whoever asks, as API Gateway says it on what it refuses by itself (infra/api.py): the browser
compares. Tokens travel in a header that pages send themselves, never in cookies, so there are no credentials to allow.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

from cutline.settings import CROSS_ORIGIN, service


def allowed() -> dict[str, str]:
    """Headers of every answer."""
    return {
        "Access-Control-Allow-Origin": service().console_origin,
        "Access-Control-Expose-Headers": ", ".join(CROSS_ORIGIN.exposed),
        "Vary": "Origin",
    }


def preflight() -> Response[Any]:
    """The answer to OPTIONS, by which a browser asks what it may send. On AWS, API Gateway gives it by itself."""
    headers: dict[str, str | list[str]] = {
        "Access-Control-Allow-Methods": ", ".join(CROSS_ORIGIN.methods),
        "Access-Control-Allow-Headers": ", ".join(CROSS_ORIGIN.headers),
        "Access-Control-Max-Age": str(CROSS_ORIGIN.max_age),
    }
    return Response(HTTPStatus.NO_CONTENT.value, None, "", headers=headers)
