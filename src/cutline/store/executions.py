"""Executions of the state machine: one for each attempt of an export, named ``{export_id}-{attempt}``, and one for each
delivery that was asked for afterwards, or goes on since, ``{export_id}-{attempt}-{delivery_id}-{random}``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from cutline.models.record import DeliveryRecord, ExportRecord
from cutline.models.task import StartedTask
from cutline.store.clients import client


class Executions:
    """Those of one state machine."""

    def __init__(self, state_machine: str) -> None:
        self._machine, self._api = state_machine, client("stepfunctions")

    def arn(self, record: ExportRecord) -> str:
        return self.arn_of(record.execution_name)

    def arn_of(self, name: str) -> str:
        return f"{self._machine.replace(':stateMachine:', ':execution:')}:{name}"

    def runs(self, name: str) -> bool:
        """Whether there is such an execution that has not ended."""
        execution = self.describe(self.arn_of(name))
        return execution is not None and execution["status"] == "RUNNING"

    def start(self, record: ExportRecord) -> None:
        """Start the record's attempt. Again does nothing."""
        task = StartedTask(
            export_id=record.export_id, attempt=record.attempt, owner=record.owner, begun_at=record.begun_at
        )
        self._start(record.execution_name, task.model_dump_json())

    def start_delivery(self, record: ExportRecord, delivery: DeliveryRecord) -> None:
        """Start bringing a finished export to one place, by the ``execution`` that ``delivery`` names. Again does
        nothing."""
        assert record.result is not None  # noqa: S101 - it is finished
        task = {
            "export_id": record.export_id,
            "attempt": record.attempt,
            "owner": record.owner,
            "delivery_id": delivery.delivery_id,
            "cog_href": record.result.cog_href,
        }
        self._start(str(delivery.execution), json.dumps(task))

    def _start(self, name: str, task: str) -> None:
        with suppress(self._api.exceptions.ExecutionAlreadyExists):
            self._api.start_execution(stateMachineArn=self._machine, name=name, input=task)

    def stop(self, record: ExportRecord, why: str) -> bool:
        """Stop the record's attempt; False where it does not run (any more)."""
        execution = self.describe(self.arn(record))
        if execution is None or execution["status"] != "RUNNING":
            return False
        self._api.stop_execution(executionArn=execution["executionArn"], error="Cancelled", cause=why[:32_000])
        return True

    def describe(self, arn: str) -> dict[str, Any] | None:
        """As AWS describes it; None where there is none, or none any more."""
        try:
            found: dict[str, Any] = self._api.describe_execution(executionArn=arn)
        except self._api.exceptions.ExecutionDoesNotExist:
            return None
        return found

    def history(self, arn: str) -> Iterator[dict[str, Any]]:
        """Its events, oldest first; none where there is no such execution."""
        try:
            for page in self._api.get_paginator("get_execution_history").paginate(
                executionArn=arn, PaginationConfig={"PageSize": 1000}
            ):
                yield from page["events"]
        except self._api.exceptions.ExecutionDoesNotExist:
            return

    def children(self, map_run: str) -> Iterator[dict[str, Any]]:
        """The executions that a run (ARN) of a distributed map started, as AWS lists them."""
        for page in self._api.get_paginator("list_executions").paginate(mapRunArn=map_run):
            yield from page["executions"]
