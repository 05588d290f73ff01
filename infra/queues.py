"""A queue with the place where its messages end that nobody could handle."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.data import named

DEAD_LETTER_DAYS = 14
"""The most that SQS keeps: time to mend what is wrong and to send them again"""


class WorkQueue(Construct):
    """Messages for one function, given out again a few times until it takes them."""

    def __init__(self, scope: Construct, name: str, *, handled_in: int, receives: int) -> None:
        """``handled_in``: seconds, the timeout of the function that handles them."""
        super().__init__(scope, name)
        options = {"encryption": sqs.QueueEncryption.SQS_MANAGED, "enforce_ssl": True}
        self.dead_letters = sqs.Queue(self, "DeadLetters", retention_period=Duration.days(DEAD_LETTER_DAYS), **options)
        self.queue = sqs.Queue(
            self,
            "Queue",
            visibility_timeout=Duration.seconds(6 * handled_in),  # as Lambda's documentation asks for
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=receives),
            **options,
        )
        named(self.queue, f"{name}Queue")
        named(self.dead_letters, f"{name}DeadLetters")

    def feed(self, function: lambda_.Function, *, batch: int, at_once: int | None = None) -> None:
        """Let ``function`` handle the messages, at most ``at_once`` batches at a time."""
        function.add_event_source(
            sources.SqsEventSource(
                self.queue, batch_size=batch, report_batch_item_failures=True, max_concurrency=at_once
            )
        )
