"""What happens elsewhere, and who is told: a file came into the inbox, an execution ended."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.data import Data
from infra.functions import room_of
from infra.queues import WorkQueue

SWEEP = Duration.minutes(10)
CLOSED = ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]


class Events(Construct):
    """EventBridge fills queues, and functions empty them: nothing is lost while a function fails or is throttled."""

    def __init__(
        self,
        scope: Construct,
        data: Data,
        machine: sfn.StateMachine,
        functions: Mapping[str, lambda_.Function],
    ) -> None:
        super().__init__(scope, "Events")
        self.uploads = WorkQueue(self, "Uploads", handled_in=room_of("import_aoi").timeout, receives=4)
        self.ends = WorkQueue(self, "Ends", handled_in=room_of("reconcile").timeout, receives=6)
        self.access_logs = WorkQueue(self, "AccessLog", handled_in=room_of("meter").timeout, receives=6)
        self._rule("ObjectCreated", "A file came into the inbox", _created(data.inbox), self.uploads)
        self._rule(
            "LogWritten",
            "S3 wrote an access log that tells of downloads",
            _created(data.access_logs, data.download_logs),
            self.access_logs,
        )
        self._rule(
            "ExecutionEnded",
            "An execution ended, however: its children are of another state machine",
            events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={"stateMachineArn": [machine.state_machine_arn], "status": CLOSED},
            ),
            self.ends,
        )
        events.Rule(
            self,
            "Sweep",
            description="It is time to look for exports of which nobody told",
            schedule=events.Schedule.rate(SWEEP),
            targets=[targets.SqsQueue(self.ends.queue, dead_letter_queue=self.ends.dead_letters)],
        )
        # Each file alone: one that kills the function takes no other with it.
        self.uploads.feed(functions["import_aoi"], batch=1, at_once=10)
        self.ends.feed(functions["reconcile"], batch=1)
        self.access_logs.feed(functions["meter"], batch=10, at_once=2)

    def _rule(self, name: str, description: str, pattern: events.EventPattern, queue: WorkQueue) -> None:
        target = targets.SqsQueue(queue.queue, dead_letter_queue=queue.dead_letters, max_event_age=Duration.hours(24))
        events.Rule(self, name, description=description, event_pattern=pattern, targets=[target])


def _created(bucket: s3.Bucket, prefix: str = "") -> events.EventPattern:
    """A new object in a bucket, whose key begins with ``prefix``."""
    where = {"bucket": {"name": [bucket.bucket_name]}}
    key = {"object": {"key": [{"prefix": prefix}]}} if prefix else {}
    return events.EventPattern(source=["aws.s3"], detail_type=["Object Created"], detail={**where, **key})
