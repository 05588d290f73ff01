"""moto's interpreter of state machines on loopback, running the real ASL over Lambdas that are functions of a test."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from moto.core.config import default_user_config
from moto.moto_api._internal import moto_api_backend
from moto.server import DomainDispatcherApplication, create_backend_app
from moto.stepfunctions.parser.asl.antlr.runtime.ASLParser import ASLParser
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.responses import StepFunctionResponse
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from cutline.settings import ServiceSettings, service
from cutline.store.clients import client
from local.aws import list_executions, state_machine
from tests.support.aws import REGION, forget_clients, fresh_clients, make_resources, surround
from tests.support.exports import make_state_machine
from tests.support.loopback import PromptHandler

ASL = Path(__file__).parents[2] / "statemachine/export.asl.json"
ENDED = {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
Lambda = Callable[[dict[str, Any]], Any]


class Died(Exception):
    """What a Lambda answers with that raised: ``name`` is the class of its exception."""

    def __init__(self, name: str, message: str = "") -> None:
        super().__init__(message)
        self.name, self.message = name, message


class Interpreter:
    """One state machine, and the Lambdas that its tokens name."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.lambdas: dict[str, Lambda] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        """Of Lambdas: name and payload, in order"""
        self.arn = ""

    def invoke(self, name: str, payload: dict[str, Any]) -> Response:
        self.calls.append((name, payload))
        try:
            return Response(json.dumps(self.lambdas[name](payload)))
        except Died as error:
            told = {"errorType": error.name, "errorMessage": error.message, "stackTrace": []}
            return Response(json.dumps(told), headers={"X-Amz-Function-Error": "Unhandled"})

    def start(self, export_id: str = "e1", attempt: int = 1) -> str:
        task = json.dumps({"export_id": export_id, "attempt": attempt})
        started = client("stepfunctions").start_execution(
            stateMachineArn=self.arn, name=f"{export_id}-{attempt}", input=task
        )
        return str(started["executionArn"])

    def run(self, export_id: str = "e1", attempt: int = 1) -> dict[str, Any]:
        """Start an execution and return it ended, as AWS describes it."""
        return self.wait(self.start(export_id, attempt))

    def wait(self, arn: str) -> dict[str, Any]:
        stop = time.monotonic() + 60
        while time.monotonic() < stop:
            found = client("stepfunctions").describe_execution(executionArn=arn)
            if found["status"] in ENDED:
                return dict(found)
            time.sleep(0.02)
        raise AssertionError(f"{arn} does not end")

    def history(self, arn: str) -> list[dict[str, Any]]:
        pages = client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]


def definition(settings: ServiceSettings) -> str:
    """The ASL with its tokens filled in."""
    text = ASL.read_text()
    for name in ("plan", "render_tile", "assemble", "deliver", "notify"):
        text = text.replace(f"${{{name}}}", f"arn:aws:lambda:{REGION}:123456789012:function:{name}")
    return text.replace("${table}", settings.table)


@pytest.fixture
def interpreter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Interpreter]:
    """The state machine in a fresh world, whose executions run. Its settings are in the environment."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    aws_api = DomainDispatcherApplication(create_backend_app)
    made: list[Interpreter] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"].split("/")
        if path[1:3] == ["2015-03-31", "functions"]:
            answer = made[0].invoke(unquote(path[3]).split(":")[-1], json.loads(Request(environ).get_data()))
            return answer(environ, start_response)
        return aws_api(environ, start_response)

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=PromptHandler)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    surround(monkeypatch)
    monkeypatch.setenv("MOTO_PORT", str(server.port))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
    monkeypatch.setitem(default_user_config, "stepfunctions", {"execute_state_machine": True})
    monkeypatch.setitem(default_user_config, "lambda", {"use_docker": False})
    monkeypatch.setattr(StepFunctionResponse, "list_executions", list_executions)
    monkeypatch.setattr(ASLParser, "state_machine", state_machine)
    monkeypatch.setattr(retrier_decl, "time", SimpleNamespace(sleep=lambda _: None))  # tests do not wait
    fresh_clients()
    moto_api_backend.reset()
    make_resources(service())
    made.append(Interpreter(service()))
    made[0].arn = make_state_machine(monkeypatch, definition(service()))
    yield made[0]
    server.shutdown()
    thread.join()
    server.server_close()
    forget_clients()
