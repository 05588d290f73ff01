"""What the operators see: alarms, which mail them, and a dashboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.queues import WorkQueue
from infra.settings import Deployment

PERIOD = Duration.minutes(5)
PROMISED = Duration.hours(1)
"""Within which users are told to have their export; the state machine ends what takes longer"""
LATE = Duration.minutes(45)
AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD


class Observability(Construct):
    """Alarms on what users would notice, and on what nobody would."""

    def __init__(
        self,
        scope: Construct,
        settings: Deployment,
        *,
        machine: sfn.StateMachine,
        functions: Mapping[str, lambda_.Function],
        queues: Sequence[WorkQueue],
        table: dynamodb.Table,
        rest: apigateway.RestApi,
    ) -> None:
        super().__init__(scope, "Observability")
        self._machine, self._functions, self._queues, self._table, self._rest = machine, functions, queues, table, rest
        self._topic = self._make_topic(settings.alarm_email)
        self._alarms = [*self._of_executions(), *self._of_functions(), *self._of_queues(), *self._of_the_rest()]
        self._dashboard()

    def _make_topic(self, email: str) -> sns.Topic:
        key = kms.Key(
            self, "Key", enable_key_rotation=True, description="Alarms: CloudWatch cannot use the key that SNS brings"
        )
        key.grant(iam.ServicePrincipal("cloudwatch.amazonaws.com"), "kms:Decrypt", "kms:GenerateDataKey*")
        topic = sns.Topic(self, "Alarms", master_key=key, enforce_ssl=True)
        topic.grant_publish(
            iam.ServicePrincipal(
                "cloudwatch.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
            )
        )
        if email:
            topic.add_subscription(subscriptions.EmailSubscription(email))
        return topic

    # Alarms ----------------------------------------------------------------------------------------------------

    def _of_executions(self) -> list[cloudwatch.Alarm]:
        machine = self._machine
        late = f"an export took longer than the {PROMISED.to_minutes():.0f} minutes that users are promised"
        return [
            self._alarm("ExportsFailed", machine.metric_failed(period=PERIOD), 1, "exports failed; see their audit"),
            self._alarm("PromiseBroken", machine.metric_timed_out(period=PERIOD), 1, late),
            self._alarm(
                "PromiseAtRisk",
                machine.metric_time(period=PERIOD, statistic="Maximum"),
                LATE.to_milliseconds(),
                f"an export took longer than {LATE.to_minutes():.0f} minutes of its hour",
            ),
            self._alarm(
                "ExecutionsThrottled", machine.metric_throttled(period=PERIOD), 1, "state transitions are throttled"
            ),
        ]

    def _of_functions(self) -> list[cloudwatch.Alarm]:
        found = []
        for name, function in self._functions.items():
            camel = "".join(word.capitalize() for word in name.split("_"))
            errors = function.metric_errors(period=PERIOD)
            throttles = function.metric_throttles(period=PERIOD)
            found += [
                # States are tried again: a few errors are daily life, more in a row are not.
                self._alarm(f"{camel}Errors", errors, 5, f"{name} raises errors; see its log"),
                self._alarm(f"{camel}Throttles", throttles, 100, f"{name} is throttled: too little concurrency"),
            ]
        return found

    def _of_queues(self) -> list[cloudwatch.Alarm]:
        return [
            self._alarm(
                f"{queue.node.id}DeadLetters",
                queue.dead_letters.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum"),
                1,
                f"nobody could handle a message of {queue.node.id}; send it again when that is mended",
            )
            for queue in self._queues
        ]

    def _of_the_rest(self) -> list[cloudwatch.Alarm]:
        throttled = self._table.metric_throttled_requests_for_operations(
            operations=[
                dynamodb.Operation.GET_ITEM,
                dynamodb.Operation.PUT_ITEM,
                dynamodb.Operation.UPDATE_ITEM,
                dynamodb.Operation.QUERY,
                dynamodb.Operation.TRANSACT_WRITE_ITEMS,
            ],
            period=PERIOD,
        )
        return [
            self._alarm("ApiErrors", self._rest.metric_server_error(period=PERIOD), 1, "the API answers 5xx"),
            self._alarm("TableThrottled", throttled, 1, "the table is throttled"),
        ]

    def _alarm(self, name: str, metric: cloudwatch.IMetric, threshold: float, what: str) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{Stack.of(self).stack_name} {name}",
            alarm_description=what,
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=AT_LEAST,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self._topic))
        return alarm

    # Dashboard -------------------------------------------------------------------------------------------------

    def _dashboard(self) -> None:
        machine, rest = self._machine, self._rest
        board = cloudwatch.Dashboard(
            self, "Dashboard", dashboard_name=Stack.of(self).stack_name, default_interval=Duration.hours(24)
        )
        board.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=self._alarms, width=24, height=4))
        board.add_widgets(
            _graph(
                "Exports",
                machine.metric_started(period=PERIOD),
                machine.metric_succeeded(period=PERIOD),
                machine.metric_failed(period=PERIOD),
                machine.metric_timed_out(period=PERIOD),
                machine.metric_aborted(period=PERIOD),
            ),
            _graph(
                "Milliseconds an export took",
                machine.metric_time(period=PERIOD, statistic="p50"),
                machine.metric_time(period=PERIOD, statistic="p95"),
                machine.metric_time(period=PERIOD, statistic="Maximum"),
            ),
            _graph(
                "API",
                rest.metric_count(period=PERIOD),
                rest.metric_client_error(period=PERIOD),
                rest.metric_server_error(period=PERIOD),
                right=[rest.metric_latency(period=PERIOD, statistic="p95")],
            ),
        )
        each = self._functions.values()
        durations = [function.metric_duration(period=PERIOD, statistic="p95") for function in each]
        board.add_widgets(
            _graph("Invocations", *(function.metric_invocations(period=PERIOD) for function in each)),
            _graph("Milliseconds, p95", *durations),
            _graph("Errors", *(function.metric_errors(period=PERIOD) for function in each)),
        )
        concurrent = {
            name: function.metric("ConcurrentExecutions", statistic="Maximum", period=PERIOD)
            for name, function in self._functions.items()
        }
        board.add_widgets(
            _graph("At once", *concurrent.values()),
            _graph("Throttles", *(function.metric_throttles(period=PERIOD) for function in each)),
            _graph(
                "Waiting messages, and those nobody could handle",
                *(queue.queue.metric_approximate_number_of_messages_visible(period=PERIOD) for queue in self._queues),
                right=[
                    queue.dead_letters.metric_approximate_number_of_messages_visible(period=PERIOD)
                    for queue in self._queues
                ],
            ),
        )
        board.add_widgets(
            _graph(
                "Capacity units of the table",
                self._table.metric_consumed_read_capacity_units(period=PERIOD),
                self._table.metric_consumed_write_capacity_units(period=PERIOD),
            )
        )


def _graph(title: str, *left: cloudwatch.IMetric, right: Sequence[cloudwatch.IMetric] = ()) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(left), right=list(right), width=8, height=6)
