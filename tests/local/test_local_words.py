"""What make serve says to words that it cannot take, before anything runs."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from local.__main__ import main
from local.functions import Function
from local.gateway import Gateway
from local.tokens import Tokens


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """As they were: main takes them."""
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--port", "99999"), "99999 is no port; give a number from 0 (any) to 65535"),
        (("--port", "-1"), "-1 is no port"),
        (("--scenes", "/nonexistent"), "/nonexistent is no folder that can be read"),
        (("--data", "/proc/x"), "/proc/x cannot be used: "),
        (("--faults", "2"), "2 is no share"),
    ],
)
def test_words_that_are_none(words: tuple[str, str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit):
        main(("--port", str(taken.getsockname()[1])))
    assert "is in use; choose another by --port" in capsys.readouterr().err


def test_who_has_no_token_is_told_as_on_aws() -> None:
    submit: Function = None  # type: ignore[assignment] - is not asked
    gateway = Gateway(submit, Tokens("http://127.0.0.1/users"), ["/health"])
    answer = gateway(Request(EnvironBuilder(path="/me").get_environ()))
    assert (answer.status_code, (answer.json or {})["code"]) == (401, "unauthenticated")


def test_how_long_an_answer_is_the_gateway_says_as_on_aws() -> None:
    said = {"statusCode": 200, "multiValueHeaders": {"Content-Length": ["12345"]}, "body": ""}
    submit: Any = SimpleNamespace(invoke=lambda _: SimpleNamespace(failed=False, payload=json.dumps(said)))
    gateway = Gateway(submit, Tokens("http://127.0.0.1/users"), ["/health"])
    answer = gateway(Request(EnvironBuilder(path="/health", method="HEAD").get_environ()))
    assert answer.headers["Content-Length"] == "0"
    assert answer.headers["x-amzn-Remapped-Content-Length"] == "12345"
