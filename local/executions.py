"""Tells EventBridge how executions end, which moto's interpreter does not."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
import uuid
from typing import Any, cast

from moto.events.models import events_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from cutline.models.record import RUNNING
from local.aws import ACCOUNT, REGION

LOOK_SECONDS = 0.05
"""Between looks at the executions that run"""


class ExecutionEnds:
    """Watches the state machines' executions, each until it has ended."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._stopping = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def close(self) -> None:
        self._stopping.set()

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            for machine in list(stepfunctions_parser_backends[ACCOUNT][REGION].state_machines):
                for execution in list(machine.executions):
                    if execution.execution_arn not in self._told and execution.status != "RUNNING":
                        self._told.add(execution.execution_arn)
                        send(status_change(execution))


def status_change(execution: Any) -> dict[str, Any]:
    """The detail of EventBridge's event, for an execution as moto has it."""
    return {
        "executionArn": execution.execution_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": _milliseconds(execution.start_date),
        "stopDate": _milliseconds(execution.stop_date),
        "input": json.dumps(execution.input_data),
        "output": None if execution.output is None else json.dumps(execution.output),
        "error": execution.error,
        "cause": execution.cause,
    }


def lost(item: dict[str, Any], state_machine: str) -> dict[str, Any] | None:
    """The detail for an export (an item of the table) that an earlier run of the service left behind: its execution was
    stopped with it. None for an item that is no running export."""
    if item["sk"]["S"] != "META" or item.get("status", {}).get("S") not in RUNNING:
        return None
    export_id, attempt = item["export_id"]["S"], int(item["attempt"]["N"])
    return {
        "executionArn": f"{state_machine.replace(':stateMachine:', ':execution:')}:{export_id}-{attempt}",
        "stateMachineArn": state_machine,
        "name": f"{export_id}-{attempt}",
        "status": "ABORTED",
        "startDate": None,
        "stopDate": int(time.time() * 1000),
        "input": json.dumps(
            {
                "export_id": export_id,
                "attempt": attempt,
                "owner": item["owner"]["S"],
                "begun_at": item.get("retried_at", item["created_at"])["S"],
            }
        ),
        "output": None,
        "error": None,
        "cause": "the local service was stopped",
    }


def send(detail: dict[str, Any]) -> None:
    """The event of an execution's end, to all rules that want it."""
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": ACCOUNT,
        "time": time.time(),
        "region": REGION,
        "resources": [detail["executionArn"]],
        "detail": detail,
    }
    # PutEvents refuses events of AWS's own services, as it should: so to the rules themselves.
    for bus in events_backends[ACCOUNT][REGION].event_buses.values():
        for rule in bus.rules.values():
            rule.send_to_targets(cast(Any, event), transform_input=False)


def _milliseconds(at: dt.datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)
