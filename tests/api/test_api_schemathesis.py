"""Schemathesis over the whole OpenAPI document: no answer that is not told of there, none that is our own fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from werkzeug.serving import make_server

from tests.support.api import TOKEN, Call, wsgi
from tests.support.destinations import Place
from tests.support.loopback import PromptHandler, in_thread

CONFIG = {
    "headers": {"Authorization": f"Bearer {TOKEN}"},
    "generation": {"max-examples": 2, "deterministic": True, "no-shrink": True},
    "phases": {"stateful": {"generation": {"max-examples": 3}}},
    # The same body as that of POST /exports, of which every part is tried.
    "operations": [
        {"include-name": name, "phases": {"coverage": {"enabled": False}}}
        for name in ("POST /exports/estimate", "PUT /presets/{name}")
    ],
    # What fits the schema may still make no sense: two ways to say what to compute, a host that is not allowed.
    "checks": {"positive_data_acceptance": {"enabled": False}},
    "continue-on-failure": True,
}


@pytest.fixture
def url(api: Call, place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The API on a port of this machine; all destinations are one place in memory."""
    server = make_server("127.0.0.1", 0, wsgi, request_handler=PromptHandler)
    with in_thread(server) as address:
        monkeypatch.setenv("CUTLINE_URL", address)
        yield address


def test_no_answer_is_a_surprise(url: str) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=SchemathesisConfig.from_dict(CONFIG))
    asked: dict[str, int] = {}
    failures: dict[str, Any] = {}
    for event in from_schema(schema).execute():
        assert not isinstance(event, events.NonFatalError | events.FatalError), event
        if isinstance(event, events.ScenarioFinished):
            for case_id, checks in event.recorder.checks.items():
                route = event.recorder.cases[case_id].value.operation.label
                asked[route] = asked.get(route, 0) + 1
                failures |= {
                    check.failure_info.code_sample: f"{route}: {check.failure_info.failure}"
                    for check in checks
                    if check.failure_info is not None
                }
    assert not failures, json.dumps(failures, indent=2)
    assert asked.keys() == {
        f"{method.upper()} {path}" for path, methods in schema.raw_schema["paths"].items() for method in methods
    }
    assert sum(asked.values()) > 300
