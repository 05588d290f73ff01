"""Executions have ended (EventBridge -> SQS), or it is time to look for those of which nobody told (a schedule)."""

from __future__ import annotations

from typing import Any

from cutline.service.boundary import logger
from cutline.service.reconciling import executions_of, reconcile, sweep


def handler(event: dict[str, Any], context: Any) -> None:
    """See to each by itself. One that fails brings the whole batch back, which does the others no harm."""
    logger.append_keys(function="reconcile", request=getattr(context, "aws_request_id", None))
    executions = executions_of(event)
    if executions is None:
        sweep()
        return
    failures = []
    for execution in executions:
        logger.append_keys(export_id=str(execution.get("name")).rpartition("-")[0])
        try:
            reconcile(execution)
        except Exception as error:  # whatever it is, the queue counts how often, and keeps what never works
            logger.exception("an execution is not settled", extra={"execution": execution.get("name")})
            failures.append(error)
    if failures:
        raise ExceptionGroup("not settled", failures)
