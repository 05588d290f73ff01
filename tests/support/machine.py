"""The state machine over an export e1 and Lambdas that succeed, until a test gives it others."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from cutline.models.record import ExportRecord
from cutline.models.task import DeliveryTask
from cutline.service import delivering
from cutline.store.records import Records
from tests.support.exports import make_cog, make_export, put
from tests.support.interpreter import Died, Interpreter

TASKS = [{"tiles": [0, 1]}, {"tiles": [2]}, {"tiles": [3]}]


@pytest.fixture
def machine(interpreter: Interpreter) -> Interpreter:
    """With an export e1 and Lambdas that succeed."""
    settings = interpreter.settings
    make_export()

    def plan(task: dict[str, Any]) -> dict[str, Any]:
        key = f"exports/{task['export_id']}/{task['attempt']}/tasks.json"
        put(settings.work_bucket, key, json.dumps(TASKS).encode())
        place = {"bucket": settings.work_bucket, "key": key}
        return {
            "plan_href": "s3://w/plan.json", "tasks": place, "tiles": 4, "deliveries": ["link-1"],
            "destinations": False, "cog_href": None,
        }  # fmt: skip

    def assemble(_: dict[str, Any]) -> dict[str, Any]:
        result = make_cog(settings, Records(settings.table).get("e1")).result
        assert result is not None
        return {"cog_href": result.cog_href, "item_href": result.item_href, "nbytes": result.nbytes}

    def deliver(task: dict[str, Any]) -> dict[str, Any]:
        return delivering.deliver(DeliveryTask.model_validate(task), lambda: 900.0).model_dump()

    interpreter.lambdas = {
        "plan": plan,
        "render_tile": lambda _: {"done": True},
        "assemble": assemble,
        "deliver": deliver,
        "notify": lambda _: {},
    }
    return interpreter


def record(machine: Interpreter) -> ExportRecord:
    return Records(machine.settings.table).get("e1")


def called(machine: Interpreter, name: str) -> list[dict[str, Any]]:
    return [payload for each, payload in machine.calls if each == name]


def failing(times: int, error: Died, answer: Any) -> Any:
    """A Lambda that raises ``error`` so many times, and then answers."""
    tries = iter(range(times))
    lock = threading.Lock()

    def act(_: dict[str, Any]) -> Any:
        with lock:
            fails = next(tries, None) is not None
        if fails:
            raise error
        return answer

    return act


def cause(code: str, message: str) -> str:
    return json.dumps({"code": code, "message": message})


BUSY = Died("TransientError", cause("source-unavailable", "scene a did not answer"))
