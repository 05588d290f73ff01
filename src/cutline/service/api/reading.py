"""A request before any route sees it: who sends it, and whether it is a request at all."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cutline.errors import TooLarge
from cutline.service.problems import Malformed, UnsupportedMediaType

MAX_BODY = 5 << 20
"""Bytes: of the 6 MB that Lambda takes, some are the rest of the event"""
MAX_DEPTH = 100
"""Lists and objects inside each other. A GeoJSON area has 12, a process graph may have 64"""
TOO_DEEP = f"the body is more than {MAX_DEPTH} levels deep"
MAX_DIGITS = 400
"""Of a whole number; no float has more"""
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def check_content(event: Mapping[str, Any]) -> dict[str, Any]:
    """``event`` with its body as text. Raises Malformed, UnsupportedMediaType or TooLarge."""
    body = event.get("body")
    if not body:
        return dict(event)
    if len(body) > MAX_BODY * (4 / 3 if event.get("isBase64Encoded") else 1):
        raise TooLarge(f"a request may have {MAX_BODY:,} bytes at most; upload a large area instead (POST /uploads)")
    headers = event.get("headers") or {}
    kind = next((str(value) for name, value in headers.items() if name.lower() == "content-type"), "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaType("the body is to be JSON; send the header Content-Type: application/json")
    if event.get("isBase64Encoded"):
        try:
            body = base64.b64decode(body, validate=True).decode()
        except ValueError as error:  # of base64, and of UTF-8
            raise Malformed("the body is not UTF-8") from error
    return {**event, "body": body, "isBase64Encoded": False}


def read_json(text: str) -> Any:
    """The value that ``text`` is. Raises Malformed for what is no JSON, and for what nobody could store or say again:
    NaN, half characters, endless depth."""
    try:
        value = json.loads(text, parse_constant=_no_number, parse_int=_whole)
        if SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise Malformed("the body has half a character, a \\ud… without its other half") from error
    except RecursionError as error:
        raise Malformed(TOO_DEEP) from error
    except ValueError as error:
        raise Malformed(f"the body is not JSON: {str(error)[:200]}") from error
    _check_depth(value)
    return value


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has {len(digits):,} digits; {MAX_DIGITS} are allowed")
    return int(digits)


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise Malformed(TOO_DEEP)
        level = [child for each in level if isinstance(each, dict | list) for child in _children(each)]


def _children(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value
