"""The real ASL in moto's interpreter, over Lambdas that do what each test needs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cutline.models.record import ExportRecord
from cutline.models.task import DeliveryTask
from cutline.service import delivering
from cutline.store.records import Records
from tests.support.exports import make_cog, make_export, put
from tests.support.interpreter import Interpreter

TASKS = [{"tiles": [0, 1]}, {"tiles": [2]}, {"tiles": [3]}]


@pytest.fixture
def machine(interpreter: Interpreter) -> Interpreter:
    """With an export e1 and Lambdas that succeed."""
    settings = interpreter.settings
    record = make_export()

    def plan(task: dict[str, Any]) -> dict[str, Any]:
        key = f"exports/{task['export_id']}/{task['attempt']}/tasks.json"
        put(settings.work_bucket, key, json.dumps(TASKS).encode())
        place = {"bucket": settings.work_bucket, "key": key}
        return {"plan_href": "s3://w/plan.json", "tasks": place, "tiles": 4, "deliveries": ["link-1"], "cog_href": None}

    def assemble(_: dict[str, Any]) -> dict[str, Any]:
        result = make_cog(settings, record).result
        assert result is not None
        return {"cog_href": result.cog_href, "item_href": result.item_href, "nbytes": result.nbytes}

    def deliver(task: dict[str, Any]) -> dict[str, Any]:
        return delivering.deliver(DeliveryTask.model_validate(task)).model_dump()

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


def test_success(machine: Interpreter) -> None:
    assert machine.run()["status"] == "SUCCEEDED"
    assert record(machine).status == "SUCCESS"
    task = {"export_id": "e1", "attempt": 1}
    assert called(machine, "plan") == called(machine, "notify") == [task]
    rendered = sorted(called(machine, "render_tile"), key=lambda each: each["tiles"])
    assert rendered == [{**task, "plan_href": "s3://w/plan.json", "tiles": each["tiles"]} for each in TASKS]
    assert called(machine, "assemble") == [{**task, "plan_href": "s3://w/plan.json"}]
    [delivery] = Records(machine.settings.table).deliveries("e1")
    assert (delivery.state, delivery.uri) == ("done", "https://api.example.org/exports/e1/download")
